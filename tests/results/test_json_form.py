import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, Literal, TypeVar

import pytest

from fmstudio.errors import InputError
from fmstudio.results.json_form import as_json, from_json
from fmstudio.types import Interval

Part = TypeVar("Part")


@dataclass(frozen=True)
class Bin:
    n: int
    observed: Interval


@dataclass(frozen=True)
class ByLabel(Generic[Part]):
    by_label: Mapping[str, Part]


@dataclass(frozen=True)
class Curve:
    verdict: Literal["helps", "hurts"]
    bins: tuple[Bin, ...]
    span: tuple[float, float] | None
    everyone: tuple[float, ...] = field(metadata={"key": "all"})
    metrics: Mapping[str, Interval] = field(metadata={"inline": True})
    reason: str | None = None


@dataclass(frozen=True)
class Document:
    curve: Curve | ByLabel[Curve]
    answer: float | tuple[float | None, ...]


CURVE = Curve(
    "helps", (Bin(3, Interval(0.5, 0.2, 0.9)),), None, (1.0,), {"auroc": Interval(1, 1, 1)}
)


def test_keys_follow_the_fields_and_come_back_as_the_same_result():
    stored = as_json(Document(CURVE, 0.5))

    assert list(stored["curve"]) == ["verdict", "bins", "span", "all", "auroc"]
    assert stored["curve"]["bins"][0]["observed"] == {"value": 0.5, "low": 0.2, "high": 0.9}
    assert stored["curve"]["span"] is None
    assert from_json(Document, stored) == Document(CURVE, 0.5)


def test_the_member_of_a_union_is_found_by_what_the_value_is():
    by_label = Document(ByLabel({"a": CURVE}), (0.25, None))

    assert from_json(Document, as_json(by_label)) == by_label


def test_a_number_that_is_not_finite_is_null():
    stored = as_json(Bin(0, Interval(math.nan, math.inf, 1.0, prevalence=0.5)))

    assert stored["observed"] == {"value": None, "low": None, "high": 1.0, "prevalence": 0.5}
    read = from_json(Bin, stored).observed
    assert math.isnan(read.value)
    assert (read.high, read.prevalence, read.by_chance) == (1.0, 0.5, None)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda bin: bin["observed"].pop("low"), "'curve.bins[0].observed.low' is missing."),
        (lambda bin: bin.update(extra=1), "'curve.bins[0].extra' is not known here."),
        (lambda bin: bin.update(n="3"), "'curve.bins[0].n' is text, not a whole number."),
        (lambda bin: bin.update(n=True), "'curve.bins[0].n' is true or false, not a whole number."),
        (lambda bin: bin.update(observed=[]), "'curve.bins[0].observed' is a list, not an object."),
    ],
)
def test_a_key_that_does_not_fit_is_named_with_its_path(change, words):
    stored = as_json(Document(CURVE, 0.5))
    change(stored["curve"]["bins"][0])

    with pytest.raises(InputError) as error:
        from_json(Document, stored)

    assert error.value.message == words


def test_a_word_that_is_none_of_the_choices_is_refused():
    stored = as_json(Document(CURVE, 0.5))
    stored["curve"]["verdict"] = "perhaps"

    with pytest.raises(InputError, match=r"curve\.verdict"):
        from_json(Document, stored)
