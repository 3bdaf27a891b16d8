"""The layout of the features: parts that follow one another, each as long as its longest."""

from __future__ import annotations

from fmstudio.baselines.tree_arrays import ByTrees
from fmstudio.model.config import SharedModelConfig
from fmstudio.model.feature_layout import FeatureLayout, feature_groups

CONFIG = SharedModelConfig(
    width=4,
    readings=12,
    whole=2,
    encoders={
        "one": {"family": "a", "config": {"whole": 1}, "readings": {"first": 9, "second": 2}},
        "two": {"family": "b", "config": {}},
    },
    routes={"x": "one", "y": "two"},
    sketches={"y": 3},
    columns={"x": 5, "y": 2},
)


def test_parts_follow_one_another_and_the_columns_come_last():
    layout = FeatureLayout.of(CONFIG)

    parts = list(vars(layout).values())
    assert [part.stop - part.start for part in parts] == [3, 12, 8, 4, 4, 4, 5]
    assert [part.start for part in parts] == [0, *(part.stop for part in parts[:-1])]
    assert (layout.before_trunk, layout.features, layout.with_columns) == (31, 35, 40)


def test_the_probe_reads_of_a_modality_what_its_own_encoder_fills():
    assert feature_groups(CONFIG, "x") == [
        [slice(3, 14), slice(23, 31)],  # two readings are no group of their own
        [slice(15, 19)],
        ByTrees(slice(35, 40)),
    ]
    assert feature_groups(CONFIG, "y") == [
        [slice(23, 31)],
        [slice(0, 3)],
        ByTrees(slice(35, 37)),
    ]
