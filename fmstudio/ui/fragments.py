"""Plain values in, escaped HTML out: the few shapes that pages are made of.

Whatever a user may have typed or named enters through `text`, so that it can never become markup.
Functions that take or give `Html` are past that gate; those that take `str` escape it themselves.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Sequence
from typing import NewType

import gradio as gr

from fmstudio.present import glossary

Html = NewType("Html", str)

NOTHING = Html("")


def text(value: object) -> Html:
    """`value` as text that is safe inside HTML, quotes included."""
    return Html(html.escape(str(value), quote=True))


def join(parts: Iterable[Html], between: str = "") -> Html:
    """Fragments one after the other."""
    return Html(between.join(parts))


def area(value: Html = NOTHING, **options: object) -> gr.HTML:
    """A place on a page for a fragment, with our styles only."""
    options = {"apply_default_css": False, "js_on_load": None, "padding": False} | options
    return gr.HTML(value, **options)


def hidden(name: str | None = None) -> gr.Textbox:
    """A text on the page that nobody sees, by which one handler tells others to go on."""
    # The class hides it for good: Gradio shows what is only "hidden" as soon as a container around
    # it is made visible.
    return gr.Textbox(visible="hidden", show_label=False, elem_id=name, elem_classes="fm-unseen")


def tag(element: str, content: Html, classes: str = "", /, **attributes: object) -> Html:
    """An element; attribute values are escaped and underscores in their names become hyphens."""
    given: dict[str, object] = {"class": classes} if classes else {}
    given |= {key.replace("_", "-"): value for key, value in attributes.items()}
    inside = "".join(
        f" {key}" if value is True else f' {key}="{text(value)}"'
        for key, value in given.items()
        if value is not None and value is not False
    )
    return Html(f"<{element}{inside}>{content}</{element}>")


def explained(words: str) -> Html:
    """`words` with help on each term of the glossary, for pointer, keyboard and screen reader."""
    return join(
        text(part)
        if meaning is None
        else tag("abbr", text(part), "fm-term", tabindex=0, aria_description=meaning)
        for part, meaning in glossary.parts(words)
    )


def heading(title: str, lead: str = "") -> Html:
    """The title of a page and a sentence on what it is for."""
    below = tag("p", text(lead), "fm-lead") if lead else NOTHING
    return tag("header", join([tag("h1", text(title)), below]), "fm-heading")


def section(title: str, lead: str = "", write: Callable[[str], Html] = explained) -> Html:
    """The title of a part of a page, with help on its terms; `text` where the user gave it."""
    below = tag("p", text(lead)) if lead else NOTHING
    return tag("div", join([tag("h2", write(title)), below]), "fm-section")


def badge(label: str, tone: str = "plain") -> Html:
    """A short word in a pill; tones: plain, accent, good, warning, stop."""
    return tag("span", text(label), f"fm-badge fm-{tone}")


def facts(pairs: Iterable[tuple[str, object]]) -> Html:
    """Names and values, one line each."""
    rows = [join([tag("dt", explained(name)), tag("dd", text(value))]) for name, value in pairs]
    return tag("dl", join(rows), "fm-facts")


def figures(pairs: Iterable[tuple[str, object]]) -> Html:
    """Large numbers with a caption each, side by side."""
    items = [
        tag("div", join([tag("strong", text(value)), tag("span", text(name))]))
        for name, value in pairs
    ]
    return tag("div", join(items), "fm-figures")


def notice(message: str, hint: str = "", tone: str = "plain") -> Html:
    """A message with what to do about it, in a box."""
    below = tag("span", text(hint)) if hint else NOTHING
    role = "alert" if tone == "stop" else "status"
    inner = tag("div", join([tag("strong", text(message)), below]))
    return tag("div", inner, f"fm-notice fm-{tone}", role=role)


def empty(message: str, label: str = "", target: str = "") -> Html:
    """What to show where there is nothing yet, and the way on."""
    way = link(label, target, "fm-button") if label else NOTHING
    return tag("div", join([tag("p", text(message)), way]), "fm-empty")


def link(label: str, target: str, classes: str = "") -> Html:
    """A link to another page of the studio."""
    return tag("a", text(label), classes, href=target)


def bullets(lines: Iterable[str]) -> Html:
    """Sentences as a list; nothing if there are none."""
    items = [tag("li", text(line)) for line in lines]
    return tag("ul", join(items), "fm-bullets") if items else NOTHING


def table(
    header: Sequence[str],
    rows: Iterable[Sequence[Html]],
    caption: str = "",
    write: Callable[[str], Html] = explained,
) -> Html:
    """A table of fragments. A header that starts with '#' is of numbers: set to the right.

    `write` writes the header: with help on its terms, or as `text` where the user gave it.
    """
    right = ["fm-number" if name.startswith("#") else "" for name in header]
    heads = [
        tag("th", write(name.lstrip("#")), classes, scope="col")
        for name, classes in zip(header, right, strict=True)
    ]
    lines = [
        tag("tr", join(tag("td", cell, right[i]) for i, cell in enumerate(row))) for row in rows
    ]
    top = tag("caption", text(caption)) if caption else NOTHING
    inside = join([top, tag("thead", tag("tr", join(heads))), tag("tbody", join(lines))])
    return tag("div", tag("table", inside, "fm-table"), "fm-scroll", tabindex=0)


def bar(share: float, caption: str, tone: str = "accent") -> Html:
    """A horizontal bar of `share` in [0, 1] with its figure beside it."""
    width = round(100 * min(max(share, 0.0), 1.0), 2)
    fill = tag("i", NOTHING, f"fm-fill fm-{tone}", style=f"width:{width}%")
    track = tag("span", fill, "fm-track", role="img", aria_label=caption)
    return tag("span", join([track, tag("span", text(caption), "fm-count")]), "fm-bar")


def whisker(value: float, low: float, high: float, floor: float, ceiling: float) -> Html:
    """A point with its interval on an axis from `floor` to `ceiling`."""

    def place(number: float) -> float:
        return round(100 * min(max((number - floor) / (ceiling - floor), 0.0), 1.0), 2)

    left, right = place(low), place(high)
    span = tag("i", NOTHING, style=f"left:{left}%;width:{max(right - left, 0.5)}%")
    point = tag("b", NOTHING, style=f"left:{place(value)}%")
    return tag("span", join([span, point]), "fm-whisker", aria_hidden="true")
