"""Metrics with their intervals as people read them."""

from __future__ import annotations

from fmstudio.present.values import interval
from fmstudio.types import Interval


def test_an_interval_is_written_where_there_is_one():
    assert interval({"value": 0.87, "low": 0.8, "high": 0.9}) == "0.870 (0.800 to 0.900)"
    assert interval({"value": 0.87, "low": 0.8, "high": 0.9}, 2) == "0.87 (0.80 to 0.90)"
    assert interval({"value": 0.87, "low": None, "high": None}) == "0.870"
    assert interval(Interval(float("nan"), float("nan"), float("nan")).as_dict()) == "–"
    assert interval(0.25) == "0.250"
    assert interval(None) == "–"


def test_what_a_metric_is_held_against_stands_beside_it():
    area = {"value": 0.6, "low": 0.5, "high": 0.7, "prevalence": 0.31}
    assert interval(area) == "0.600 (0.500 to 0.700) (prevalence 0.310)"
    error = {"value": 0.08, "low": None, "high": None, "by_chance": 0.12}
    assert interval(error) == "0.080 (by chance up to 0.120)"
