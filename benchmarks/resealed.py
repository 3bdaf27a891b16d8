"""Bundles that were changed and sealed again: how many are refused, how many get through.

Two forgers try: one makes the hashes of manifest.json right again; the other the seal on the
weights as well. What passes all checks of the files goes on to the replay of the stored probes. The
second forger can change what no stored answer depends on, such as a sentence of the card: only a
signature shows that.
"""

from __future__ import annotations

import copy
import hashlib
import json
import random
import tempfile
import zipfile
from argparse import Namespace
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from fmstudio.errors import StudioError

TITLE = "Bundles changed and sealed again"
WEIGHTS, PROBES = "adapter/adapter_model.safetensors", "probes.safetensors"
CARDS = 200
INSTEAD = (b"null", b"{}", b"[]", b"3", b'"x"')

Files = dict[str, bytes]


def sealed_again(files: Mapping[str, bytes], changes: Files, bound: bool) -> Files:
    """The files of a bundle with changes, its manifest made right again, and the seal on the
    weights too if `bound`."""
    from fmstudio.adapters.contents import MEANING, meaning
    from fmstudio.adapters.tensors import with_metadata

    made = {**files, **changes}
    if bound:
        with suppress(StudioError):  # what cannot be parsed is refused for that
            made[WEIGHTS] = with_metadata(WEIGHTS, made[WEIGHTS], {MEANING: meaning(made)})
    if "manifest.json" not in changes:
        manifest = json.loads(made["manifest.json"])
        manifest["files"] = {
            name: hashlib.sha256(content).hexdigest()
            for name, content in made.items()
            if name != "manifest.json"
        }
        made["manifest.json"] = json.dumps(manifest).encode()
    return made


def mutated_cards(card: Mapping[str, Any], count: int = CARDS) -> Iterator[tuple[str, bytes]]:
    """(what was done, card.json) of so many different cards, each with one change at a random
    place."""
    draw, seen = random.Random(0), {json.dumps(card)}
    while len(seen) <= count:
        changed = copy.deepcopy(dict(card))
        place, parent, key = _place(changed, draw)
        what, change = draw.choice(_CHANGES)
        try:
            change(parent, key, draw)
        except (TypeError, ValueError, IndexError):
            continue
        text = json.dumps(changed)
        if text not in seen:
            seen.add(text)
            yield f"{place}: {what}", text.encode()


def _place(value: Any, draw: random.Random) -> tuple[str, Any, Any]:
    """A random place of a JSON value: its path, what holds it, and its key there."""
    path, parent, key = "", value, draw.choice(list(value))
    while True:
        path += f".{key}"
        inner = parent[key]
        if not isinstance(inner, dict | list) or not inner or draw.random() < 0.25:
            return path[1:], parent, key
        parent, key = (
            inner,
            draw.choice(list(inner) if isinstance(inner, dict) else list(range(len(inner)))),
        )


def _put(value: Any) -> Callable[[Any, Any, random.Random], None]:
    def change(parent: Any, key: Any, draw: random.Random) -> None:
        parent[key] = copy.deepcopy(value)

    return change


def _drop(parent: Any, key: Any, draw: random.Random) -> None:
    del parent[key]


def _rename(parent: Any, key: Any, draw: random.Random) -> None:
    parent[f"{key}_"] = parent.pop(key)


def _reverse(parent: Any, key: Any, draw: random.Random) -> None:
    parent[key] = parent[key][::-1]


def _double(parent: Any, key: Any, draw: random.Random) -> None:
    parent[key] = parent[key] + parent[key]


def _scale(parent: Any, key: Any, draw: random.Random) -> None:
    if isinstance(parent[key], bool):
        raise TypeError
    parent[key] = parent[key] * 1000 + 1


def _negate(parent: Any, key: Any, draw: random.Random) -> None:
    parent[key] = not parent[key] if isinstance(parent[key], bool) else -parent[key] - 1


_CHANGES: list[tuple[str, Callable[[Any, Any, random.Random], None]]] = [
    ("null", _put(None)),
    ("a number", _put(-7)),
    ("a text", _put("x")),
    ("a list", _put([[]])),
    ("an object", _put({"x": {"y": 1}})),
    ("true", _put(True)),
    ("dropped", _drop),
    ("renamed", _rename),
    ("reversed", _reverse),
    ("twice", _double),
    ("scaled", _scale),
    ("negated", _negate),
    ("a huge number", _put(1e300)),
    ("a long text", _put("x" * 50_000)),
]


def other_json(files: Mapping[str, bytes]) -> Iterator[tuple[str, Files]]:
    """Every JSON file replaced by each of INSTEAD."""
    for name in sorted(files):
        if name.endswith(".json"):
            for content in INSTEAD:
                yield f"{name} = {content.decode()}", {name: content}


def other_tensors(files: Mapping[str, bytes]) -> Iterator[tuple[str, Files]]:
    """Every tensor of weights and probes dropped, reshaped, renamed, or with one NaN in it."""
    import numpy as np
    from safetensors.numpy import load, save

    for name in (WEIGHTS, PROBES):
        held = load(files[name])
        for tensor, value in held.items():
            rest = {key: one for key, one in held.items() if key != tensor}
            made = {
                "dropped": rest,
                "renamed": {**rest, f"{tensor}x": value},
                "reshaped": {**rest, tensor: value[None]},
            }
            if value.dtype.kind == "f":
                wrong = value.copy()
                wrong.flat[0] = np.nan
                made["NaN"] = {**rest, tensor: wrong}
            for what, tensors in made.items():
                yield f"{tensor} {what}", {name: save(tensors)}


def other_meaning(files: Mapping[str, bytes]) -> Iterator[tuple[str, Files]]:
    """Changes that turn or scale answers, each made in all files that have to agree about it."""
    card, calibration = (json.loads(files[n]) for n in ("card.json", "calibration.json"))
    processors = {n: json.loads(files[n]) for n in files if n.startswith("processors/")}
    labels, probes = card["task"]["labels"][::-1], json.loads(files["probes.json"])
    turned = card | {"task": card["task"] | {"labels": labels, "positive": labels[-1]}}
    for one in probes["answers"]:
        one["answer"] = {label: one["answer"][label] for label in labels}
    yield "labels reversed", _json({"card.json": turned, "probes.json": probes})
    for name, value in (("temperature", 3.0), ("shift", -calibration["shift"] - 1)):
        yield f"{name} changed", _json({"calibration.json": calibration | {name: value}})
    for file, stored in processors.items():
        yield from _other_state(file, stored, card)


def _other_state(file: str, stored: dict[str, Any], card: dict[str, Any]) -> Iterator[Any]:
    """Other units, other words, other columns of one processor."""

    def with_features(change: Callable[[dict[str, Any]], Any]) -> Files:
        other, shown = copy.deepcopy(stored), copy.deepcopy(card)
        features = other["state"]["features"]
        other["state"]["features"] = {name: change(one) for name, one in features.items()}
        shown["table_columns"][other["modality"]] = other["state"]["features"]
        return _json({file: other, "card.json": shown})

    def unit(one: dict[str, Any]) -> Any:
        return (
            one | {"quantiles": [q * 88.4 for q in one["quantiles"]]} if "quantiles" in one else one
        )

    def words(one: dict[str, Any]) -> Any:
        return (
            one | {"categories": [f"{w}?" for w in one["categories"]]}
            if "categories" in one
            else one
        )

    state = stored["state"]
    if "features" in state:
        yield f"{file} in another unit", with_features(unit)
        yield f"{file} with other categories", with_features(words)
    if "channels" in state:
        scaled = {
            n: {"centre": c["centre"] * 1.8 + 32, "spread": c["spread"] * 1.8}
            for n, c in state["channels"].items()
        }
        yield (
            f"{file} in another unit",
            _json({file: stored | {"state": state | {"channels": scaled}}}),
        )
    if "columns" in state:
        turned = stored | {"state": state | {"columns": state["columns"][::-1]}}
        yield f"{file} with its columns reversed", _json({file: turned})


def _json(values: Mapping[str, Any]) -> Files:
    return {name: json.dumps(value).encode() for name, value in values.items()}


def attempts(files: Mapping[str, bytes]) -> Iterator[tuple[str, str, Files]]:
    """(kind, what was done, the changed files) of everything that is tried."""
    for what, card in mutated_cards(json.loads(files["card.json"])):
        yield "cards", what, {"card.json": card}
    for kind, made in (
        ("JSON files", other_json(files)),
        ("tensors", other_tensors(files)),
        ("meanings", other_meaning(files)),
    ):
        yield from ((kind, what, changes) for what, changes in made)


def tried(
    files: Mapping[str, bytes], bound: bool, replayed: Callable[[Files], None]
) -> dict[str, Counter[str]]:
    """How each kind of change ended: refused, accepted (with what was done), or as a fault."""
    from fmstudio.adapters.contents import judged

    found: dict[str, Counter[str]] = {}
    for kind, what, changes in attempts(files):
        made = sealed_again(files, changes, bound)
        counts = found.setdefault(kind, Counter())
        try:
            judged(made)
            replayed(made)
            counts[f"accepted: {what}"] += 1
        except StudioError:
            counts["refused"] += 1
        except Exception as fault:
            counts[f"fault: {what}: {type(fault).__name__}"] += 1
    return found


def measure(options: Namespace, before: Mapping[str, Any]) -> dict[str, Any]:
    """Both forgers on the sample's bundle, with the replay."""
    from fmstudio.adapters import archive
    from fmstudio.adapters.probes import replay
    from fmstudio.settings import load_settings
    from fmstudio.studio.sample import BUNDLE

    with tempfile.TemporaryDirectory(dir=options.work) as place:
        settings = load_settings(Path(place) / "home")

        def replayed(made: Files) -> None:
            with tempfile.TemporaryDirectory(dir=place) as temp:
                folder = Path(temp) / "bundle"
                archive.write_folder(made, folder)
                replay(folder, settings)

        with zipfile.ZipFile(BUNDLE) as bundle:
            files = {name: bundle.read(name) for name in bundle.namelist()}
        return {
            forger: {kind: dict(counts) for kind, counts in tried(files, bound, replayed).items()}
            for forger, bound in (("manifest", False), ("manifest and weights", True))
        }


def section(found: Mapping[str, Any]) -> str:
    """The page's part."""
    lines = [
        "| sealed again | what was changed | tried | refused | faults | accepted |",
        "|---|---|---|---|---|---|",
    ]
    for forger, kinds in found.items():
        for kind, counts in kinds.items():
            faults = sum(n for what, n in counts.items() if what.startswith("fault"))
            through = sum(n for what, n in counts.items() if what.startswith("accepted"))
            tries = sum(counts.values())
            lines.append(
                f"| {forger} | {kind} | {tries} | {counts.get('refused', 0)} | {faults} | "
                f"{through} |"
            )
    return "\n".join(lines)
