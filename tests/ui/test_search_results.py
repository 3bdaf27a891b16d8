"""What a run's page tells of its search and its seeds."""

from __future__ import annotations

import json
import math

from fmstudio.cli.run_text import result_text
from fmstudio.results.json_form import as_json
from fmstudio.results.search import Trial, Tried, read_tried
from fmstudio.run_config import RunConfig
from fmstudio.training.search import Found
from fmstudio.training.weight_averaging import AveragedWeights
from fmstudio.ui.search_results import tried

TRIALS = (
    Trial(0, {"rank": 8, "scope": "trunk"}, 0.61, 30.0),
    Trial(1, {"rank": 32, "scope": "upper trunk"}, 0.58, 31.0),
    Trial(2, {"rank": 2, "scope": "trunk"}, None, 29.0),
)
TRIED = Tried(
    Found(RunConfig(), TRIALS).result,
    {
        "lora": AveragedWeights({}, 0.55, (0.58, 0.6), 0.55, True).result,
        "lora: trunk": AveragedWeights({}, 0.57, (0.57, 0.6), 0.63, False).result,
    },
)


def test_every_trial_is_shown_with_the_one_that_was_used():
    shown = tried(TRIED)

    assert "3 sets of settings in 1 min 30 s" in shown
    assert shown.count("Used") == 1
    assert shown.index("upper trunk") < shown.index("Used") < shown.index("29 s")
    assert "–" in shown  # the loss of the trial that gave no number


def test_each_depth_says_what_became_of_its_seeds():
    shown = tried(TRIED)

    assert "0.580 to 0.600" in shown
    assert shown.index("the average") < shown.index("the best seed")


def test_what_was_tried_is_the_same_after_it_was_kept():
    kept = json.loads(json.dumps(as_json(TRIED), allow_nan=False))

    assert read_tried({"metrics": {}, **kept}) == TRIED
    assert kept["search"]["best"] == 1


def test_the_loss_of_an_average_that_is_no_number_is_not_there():
    averaged = AveragedWeights({}, 0.57, (0.57, 0.6), math.nan, False)

    assert as_json(averaged.result) == {
        "losses": [0.57, 0.6],
        "averaged_loss": None,
        "averaged": False,
    }


def test_a_run_without_search_and_seeds_says_nothing_of_them():
    assert tried(read_tried({})) == ""
    assert "Search" not in result_text({"metrics": {}})


def test_the_command_line_tells_them_in_a_line_each():
    lines = result_text({"metrics": {}, **as_json(TRIED)}).splitlines()

    assert (
        "Search: 3 sets of settings tried, used: rank 32, scope upper trunk (loss 0.580)" in lines
    )
    assert "Seeds of lora: the average of 2 kept (loss 0.550, alone 0.580 to 0.600)" in lines
    assert (
        "Seeds of lora: trunk: the best of 2 kept (loss 0.630 averaged, alone 0.570 to 0.600)"
        in (lines)
    )
