"""What a run's page tells of its search and its seeds."""

from __future__ import annotations

from fmstudio.cli.run_text import result_text
from fmstudio.run_config import RunConfig
from fmstudio.training.search import Found, Trial
from fmstudio.training.weight_averaging import AveragedWeights
from fmstudio.ui.search_results import tried

TRIALS = (
    Trial(0, {"rank": 8, "scope": "trunk"}, 0.61, 30.0),
    Trial(1, {"rank": 32, "scope": "upper trunk"}, 0.58, 31.0),
    Trial(2, {"rank": 2, "scope": "trunk"}, None, 29.0),
)
RESULT = {
    "search": Found(RunConfig(), TRIALS).as_dict(),
    "seeds": {
        "lora": AveragedWeights({}, 0.55, (0.58, 0.6), 0.55, True).as_dict(),
        "lora: trunk": AveragedWeights({}, 0.57, (0.57, 0.6), 0.63, False).as_dict(),
    },
}


def test_every_trial_is_shown_with_the_one_that_was_used():
    shown = tried(RESULT)

    assert "3 sets of settings in 1 min 30 s" in shown
    assert shown.count("Used") == 1
    assert shown.index("upper trunk") < shown.index("Used") < shown.index("29 s")
    assert "–" in shown  # the loss of the trial that gave no number


def test_each_depth_says_what_became_of_its_seeds():
    shown = tried(RESULT)

    assert "0.580 to 0.600" in shown
    assert shown.index("the average") < shown.index("the best seed")


def test_a_run_without_search_and_seeds_says_nothing_of_them():
    assert tried({}) == ""
    assert tried({"search": None, "seeds": None}) == ""
    assert "Search" not in result_text({"metrics": {}})


def test_the_command_line_tells_them_in_a_line_each():
    lines = result_text({"metrics": {}, **RESULT}).splitlines()

    assert (
        "Search: 3 sets of settings tried, used: rank 32, scope upper trunk (loss 0.580)" in lines
    )
    assert "Seeds of lora: the average of 2 kept (loss 0.550, alone 0.580 to 0.600)" in lines
    assert (
        "Seeds of lora: trunk: the best of 2 kept (loss 0.630 averaged, alone 0.570 to 0.600)"
        in (lines)
    )
