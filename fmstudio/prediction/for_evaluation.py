"""An adapter asked about labelled cases: what it is judged by."""

from __future__ import annotations

from fmstudio.contracts import in_words
from fmstudio.errors import InputError
from fmstudio.evaluation.labelled_predictions import HeldOut
from fmstudio.features.cache import Cache
from fmstudio.features.held_out import Asked, held_out
from fmstudio.features.inputs import Preparation
from fmstudio.features.threads import one_thread
from fmstudio.prediction.predictor import Predictor
from fmstudio.run_config import RunConfig
from fmstudio.types import Cohort


def judge(predictor: Predictor, cohort: Cohort, cache: Cache | None = None) -> HeldOut:
    """The adapter's answers to the test cases of `cohort`, and to its validation cases if any.

    Prepared inputs are kept in `cache`, the home's unless another is given. The rivals of fusion
    are the adapter itself shown one modality. Raises InputError if no test case has anything that
    the adapter can use.
    """
    preparation = Preparation(predictor.reader, predictor.settings, cache=cache)
    frozen = RunConfig.from_dict(predictor.card["config"]).encoders_frozen
    wanted = [case for case in cohort.cases if case.split != "train"]
    with one_thread():  # encoders take one case at a time
        prepared = preparation.run(predictor.model, predictor.processors, wanted, frozen)
    cases = {
        split: [case for case in cohort.split(split) if prepared.keys[case.case_id]]
        for split in ("validation", "test")
    }
    if not cases["test"]:
        raise InputError(
            "No case has anything that the adapter can use.",
            hint=f"Give at least one of: {in_words(predictor.reads, 'or')}.",
        )
    asked = Asked(predictor.task, predictor.model, predictor.readout, prepared)
    return held_out(asked, cases)
