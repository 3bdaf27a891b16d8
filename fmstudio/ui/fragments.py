"""Plain values in, escaped HTML out: the few shapes that pages are made of.

`Html` is markupsafe's `Markup`: whatever is joined to it or put into it is escaped, unless it is
`Html` itself. What pages share with reports and the terminal comes from `present`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import gradio as gr
from markupsafe import Markup

from fmstudio.present import glossary
from fmstudio.present.blocks import Badge, Bullets, Notice, Table
from fmstudio.present.html import markup

Html = Markup

NOTHING = Html("")


def text(value: object) -> Html:
    """`value` as text that is safe inside HTML, quotes included."""
    return Html.escape(str(value))


def join(parts: Iterable[Html], between: str = "") -> Html:
    """Fragments one after the other."""
    return Html(between).join(parts)


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
    inside = join(
        Html(" {}").format(key) if value is True else Html(' {}="{}"').format(key, text(value))
        for key, value in given.items()
        if value is not None and value is not False
    )
    return Html("<{0}{1}>{2}</{0}>").format(element, inside, content)


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
    return markup(Badge(label, tone))


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
    return markup(Notice(message, hint, tone))


def empty(message: str, label: str = "", target: str = "") -> Html:
    """What to show where there is nothing yet, and the way on."""
    way = link(label, target, "fm-button") if label else NOTHING
    return tag("div", join([tag("p", text(message)), way]), "fm-empty")


def link(label: str, target: str, classes: str = "") -> Html:
    """A link to another page of the studio."""
    return tag("a", text(label), classes, href=target)


def bullets(lines: Iterable[str]) -> Html:
    """Sentences as a list; nothing if there are none."""
    return markup(Bullets(list(lines)))


def table(
    header: Sequence[str],
    rows: Iterable[Sequence[Html]],
    caption: str = "",
    write: Callable[[str], Html] = explained,
) -> Html:
    """A table of fragments. A header that starts with '#' is of numbers: set to the right.

    `write` writes the header: with help on its terms, or as `text` where the user gave it.
    """
    numbers = [i for i, name in enumerate(header) if name.startswith("#")]
    heads = [write(name.lstrip("#")) for name in header]
    return markup(Table(heads, list(rows), caption, numbers))


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
