"""The values of a table as a form: a labelled field each, with its unit and what training had.

The browser remembers what is typed and says so of a field at once (assets/ui/values.js); what a
field's text means, and whether it can be, is the studio's to say.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from fmstudio.ui.fragments import NOTHING, Html, join, tag, text
from fmstudio.ui.wording import plural

if TYPE_CHECKING:
    from fmstudio.prediction.expected import Expected
    from fmstudio.prediction.verdicts import Verdict

MANY = 24  # fields, of which more are grouped and searched
GROUP = 3  # fields that begin with the same word make a group
LISTED = 60  # categories in a list; more are typed, with suggestions
UNKNOWN = "unknown"


def form(
    modality: str, expected: Sequence[Expected], filled: Mapping[str, str] | None = None
) -> Html:
    """All fields of one modality.

    With `filled` they hold these values and no others; without, what was typed before stays where
    the field is still there.
    """
    if not expected:
        return NOTHING
    fields = {
        one.name: _field(modality, place, one, (filled or {}).get(one.name, ""))
        for place, one in enumerate(expected)
    }
    note = "Leave empty what is unknown. Beside each name stands what training patients had."
    parts = [tag("p", text(note), "fm-note"), tag("p", NOTHING, "fm-kept", hidden=True)]
    if len(fields) <= MANY:
        parts.append(_grid(fields.values()))
    else:
        parts += [_search(modality, len(fields)), *_groups(expected, fields)]
    return tag(
        "div",
        join(parts),
        "fm-values",
        role="group",
        aria_label="Values",
        data_modality=modality,
        data_filled=filled is not None,
    )


def _grid(fields: Sequence[Html] | object) -> Html:
    return tag("div", join(fields), "fm-fields")  # type: ignore[arg-type]


def _search(modality: str, count: int) -> Html:
    """A box that narrows a long form down."""
    name = f"find-{modality}"
    label = tag("label", text(f"Find one of {count} values"), "sr-only", **{"for": name})
    box = _void(
        "input",
        id=name,
        type="search",
        autocomplete="off",
        data_find=True,
        placeholder=f"Find one of {count} values",
    )
    none = tag("p", text("No value is called so."), "fm-note fm-none", hidden=True)
    return tag("div", join([label, box, none]), "fm-find")


def _groups(expected: Sequence[Expected], fields: Mapping[str, Html]) -> list[Html]:
    """The fields by the first word of their names, the first group open."""
    count = Counter(one.label.split()[0].casefold() for one in expected if one.label.split())
    groups: dict[str, list[Html]] = {}
    for one in expected:
        first = (one.label.split() or [""])[0]
        name = first if count[first.casefold()] >= GROUP else "Other values"
        groups.setdefault(name, []).append(fields[one.name])
    ordered = sorted(groups.items(), key=lambda pair: pair[0] == "Other values")
    found = []
    for place, (name, own) in enumerate(ordered):
        title = join([text(name), tag("small", text(plural(len(own), "value")))], " ")
        inside = join([tag("summary", title), _grid(own)])
        found.append(tag("details", inside, "fm-group", open=place == 0))
    return found


def _field(modality: str, place: int, one: Expected, value: str) -> Html:
    """Label, what training had, control with its unit, and room for what is to be said of it."""
    name = f"value-{modality}-{place}"
    label = tag("label", text(one.label or one.name), title=one.name, **{"for": name})
    seen = tag("small", text("" if _is_listed(one) else one.seen), id=f"{name}-seen")
    told = {
        "id": name,
        "data_of": modality,
        "data_value": one.name,
        "autocomplete": "off",
        "aria_describedby": f"{name}-seen {name}-said",
    }
    unit = NOTHING if one.is_date or not one.unit else tag("span", text(one.unit), "fm-unit")
    control = tag("div", join([_control(one, value, told), unit]), "fm-control")
    said = tag("div", NOTHING, "fm-said", id=f"{name}-said", aria_live="polite")
    head = tag("div", join([label, seen]), "fm-field-head")
    return tag("div", join([head, control, said]), "fm-field")


def _is_listed(one: Expected) -> bool:
    return bool(one.categories) and len(one.categories) <= LISTED


def _control(one: Expected, value: str, told: Mapping[str, str]) -> Html:
    """A list for few categories, else a field to type in; a date as a date."""
    if _is_listed(one):
        words = ["", *one.categories]
        if value and value not in words:
            words.append(value)  # of a case whose value training never had: shown, and refused
        options = [
            tag("option", text(word or UNKNOWN), value=word, selected=word == value)
            for word in words
        ]
        return tag("select", join(options), **told)
    if one.categories:
        own = f"{told['id']}-words"
        words = [tag("option", NOTHING, value=word) for word in one.categories]
        box = _void("input", type="text", value=value, list=own, placeholder=UNKNOWN, **told)
        return join([box, tag("datalist", join(words), id=own)])
    if one.is_date:
        timed = any(end is not None and not float(end).is_integer() for end in (one.low, one.high))
        kind = "datetime-local" if timed else "date"
        return _void("input", type=kind, value=value.replace(" ", "T"), **told)
    return _void(
        "input",
        type="text",
        inputmode="decimal",
        value=value,
        spellcheck="false",
        placeholder=UNKNOWN,
        **told,
    )


def _void(element: str, **attributes: object) -> Html:
    """An element without an end."""
    return Html(tag(element, NOTHING, "", **attributes).removesuffix(f"</{element}>"))


def as_filled(
    expected: Sequence[Expected], values: Mapping[str, str], verdicts: Mapping[str, Verdict]
) -> dict[str, str]:
    """Values as the fields take them: a date as the browser writes it, a category as training did.

    Any other value stays as it was written.
    """
    found = {}
    for one in expected:
        if one.name not in values:
            continue
        verdict = verdicts.get(one.name)
        chosen = one.is_date or bool(one.categories)
        read = verdict.read if verdict is not None and chosen and verdict.usable else ""
        found[one.name] = read or values[one.name]
    return found


def marks(
    verdicts: Mapping[str, Mapping[str, Verdict]], typed: Mapping[str, Mapping[str, str]]
) -> str:
    """What is to be said at each field, as JSON for the browser: of which text, in which tone, and
    what to put in its place."""
    told = []
    for modality, found in verdicts.items():
        for name, verdict in found.items():
            if not (verdict.strange or verdict.remark):
                continue
            tone = "stop" if verdict.refusal else "warning" if verdict.outside else "plain"
            said = verdict.refusal or verdict.outside or verdict.remark
            if verdict.strange and verdict.remark and verdict.read not in said:
                said += f"; {verdict.remark}"
            one = {
                "of": modality,
                "name": name,
                "text": typed[modality][name],
                "tone": tone,
                "said": sentence(said),
            }
            if verdict.offer is not None:
                one |= {"offer": verdict.offer.value, "unit": verdict.offer.into}
            told.append(one)
    return json.dumps(told)


def sentence(said: str) -> str:
    """A verdict as a sentence of its own: 'is given in kg' becomes 'It is given in kg.'"""
    begins = (
        f"It {said}" if said.startswith(("is ", "has ", "was ")) else said[:1].upper() + said[1:]
    )
    return f"{begins}."
