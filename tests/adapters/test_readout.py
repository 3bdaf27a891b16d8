"""Logits are read by temperature and shift, and an older readout reads as it did."""

import numpy as np
import pytest
from scipy.special import expit

from fmstudio.adapters.readout import Readout
from fmstudio.types import TaskSpec

BINARY = TaskSpec("binary", ("ill",), ("no", "yes"), "yes")


def test_a_shift_is_added_after_the_temperature_has_divided():
    logits = np.array([[-2.0], [0.0], [3.0]])
    read = Readout(temperature=2.0, shift=0.5).outputs(BINARY, logits)

    assert read == pytest.approx(expit(logits[:, 0] / 2 + 0.5))


def test_a_readout_without_a_shift_reads_as_it_did():
    stored = Readout(temperature=2.0).as_dict()
    del stored["shift"]

    assert Readout.from_dict(stored) == Readout(temperature=2.0)
