from __future__ import annotations

from fmstudio.contracts import pipelines
from fmstudio.training.config import RunConfig
from fmstudio.training.estimate import estimate

SUMMARY = {
    "cases": 300,
    "modalities": dict.fromkeys(pipelines(), 300),
    "splits": {"train": 180, "validation": 60, "test": 60},
}


def test_more_epochs_cases_and_adapted_encoders_take_longer():
    quick = estimate(RunConfig(epochs=10), SUMMARY)
    longer = estimate(RunConfig(epochs=40), SUMMARY)
    deeper = estimate(RunConfig(epochs=10, scope="trunk and encoders"), SUMMARY)
    double = {
        "cases": 600,
        "modalities": dict.fromkeys(pipelines(), 600),
        "splits": {"train": 360},
    }

    assert quick.seconds < longer.seconds
    assert quick.seconds < deeper.seconds
    assert quick.memory_mb < deeper.memory_mb
    assert quick.seconds < estimate(RunConfig(epochs=10), double).seconds


def test_fewer_modalities_take_less():
    one = estimate(RunConfig(modalities=tuple(pipelines())[:1]), SUMMARY)

    assert one.seconds < estimate(RunConfig(), SUMMARY).seconds
