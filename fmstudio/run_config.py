"""The settings of a fine-tuning run: one frozen dataclass, read by page and command line alike.

Each field's metadata says how to show it: `label`, `help`, `group`, and `low`/`high` or `choices`;
`idle` are conditions that say why it does not act with other settings, a task's kind or a cohort;
`searched` marks where a search starts from, `off` is the value that means none, `step` that of a
widget.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import Field, asdict, dataclass, field, fields, replace
from typing import Any

from fmstudio.errors import InputError

# The models of the ladder, as others know them.
BOOSTING, PROBE, LORA = "baseline: gradient boosting on table", "probe", "lora"
SCOPES = ("upper trunk", "trunk", "trunk and encoders")
PRESETS: Mapping[str, Mapping[str, Any]] = {
    "quick": {
        "scope": "trunk",
        "rank": 8,
        "epochs": 12,
        "patience": 4,
        "folds": 1,
        "seeds": 1,
        "search_minutes": 0.0,
    },
    "balanced": {
        "scope": "trunk",
        "rank": 8,
        "epochs": 40,
        "patience": 8,
        "folds": 5,
        "seeds": 1,
        "search_minutes": 0.0,
    },
    "thorough": {
        "scope": "trunk and encoders",
        "rank": 16,
        "epochs": 40,
        "patience": 8,
        "folds": 5,
        "seeds": 3,
        "search_minutes": 15.0,
    },
}
# As many times as it would without its group a case may count where groups are balanced. Without a
# bound three patients among a thousand would count 160-fold, and the model would learn them by
# heart. Weights are commonly trimmed at three to five times the mean (Potter 1990, "A study of
# procedures to identify and trim extreme sampling weights").
GROUP_CAP = 5.0
BATCH = 16  # cases per step, where memory allows
ADAPTER, TRAINING, JUDGING = "What is adapted", "How it learns", "How it is selected and evaluated"
GROUPS = (ADAPTER, TRAINING, JUDGING)


def _shown(default: Any, label: str, help: str, **limits: Any) -> Any:
    return field(default=default, metadata={"label": label, "help": help, **limits})


def _needs_lora(values: Mapping[str, Any], task: str) -> str:
    kept = {"boosting": "boosting", "probe": "the probe"}.get(values["keep"])
    return f"no LoRA is trained where {kept} is to be kept" if kept else ""


def _needs_seeds(values: Mapping[str, Any], task: str) -> str:
    return "there is one seed" if values["seeds"] == 1 else ""


def _needs_depth(values: Mapping[str, Any], task: str) -> str:
    return "there is no lesser depth to begin with" if values["scope"] == SCOPES[0] else ""


def _needs_classes(values: Mapping[str, Any], task: str) -> str:
    return "a number is predicted, so there are no classes" if task == "regression" else ""


def _needs_groups(values: Mapping[str, Any], task: str) -> str:
    return "" if values["group_columns"] else "the cohort has no group column"


def _needs_several(values: Mapping[str, Any], task: str) -> str:
    return "there is one modality, which always stays" if len(values["modalities"]) == 1 else ""


def why_idle(item: Field[Any], values: Mapping[str, Any], task: str) -> str:
    """Why a setting does not act with these values of all and this kind of task; "" if it acts.

    Beside the settings, `values` has the cohort's `group_columns`.
    """
    conditions = item.metadata.get("idle", ())
    return next(filter(None, (condition(values, task) for condition in conditions)), "")


def expected(item: Field[Any], value: Any) -> str:
    """What a value should be, such as 'between 1 and 128', where it is not; "" where it is."""
    known = item.metadata
    if "choices" in known and value not in known["choices"]:
        return "one of " + ", ".join(known["choices"])
    if "low" in known and not known["low"] <= value <= known["high"]:
        return f"between {known['low']} and {known['high']}"
    return ""


def check_ranges(config: Any) -> None:
    """Raises InputError for a field of a config whose value is out of its range."""
    for item in fields(config):
        value = getattr(config, item.name)
        problem = expected(item, value)
        if problem:
            raise InputError(
                f"{item.metadata['label']} is {value}.", hint=f"Give a value {problem}."
            )


@dataclass(frozen=True)
class RunConfig:
    """Everything needed to repeat a run on the same cohort.

    Raises InputError for a value out of its range, naming field and value.
    """

    base: str = _shown("embedded", "Base model", "The pretrained model that the adapter is for.")
    modalities: tuple[str, ...] = _shown(
        (), "Modalities", "What the model may look at. Empty means everything in the cohort."
    )
    encoders: Mapping[str, str] = field(
        default_factory=dict,
        metadata={
            "label": "Encoders",
            "help": "A kept checkpoint in place of the base's own encoder, by modality.",
        },
    )
    preset: str = _shown(
        "quick", "Preset", "Sets the fields below to sensible values.", choices=tuple(PRESETS)
    )
    rank: int = _shown(
        8,
        "LoRA rank",
        "Size of the adapter. More fits more, and overfits sooner.",
        low=1,
        high=128,
        group=ADAPTER,
        idle=(_needs_lora,),
        searched=True,
    )
    alpha: float = _shown(
        16.0,
        "LoRA alpha",
        "How strongly the adapter acts: its scale is alpha / rank.",
        low=1.0,
        high=512.0,
        group=ADAPTER,
        idle=(_needs_lora,),
    )
    lora_dropout: float = _shown(
        0.0,
        "LoRA dropout",
        "Share of adapter inputs dropped in training.",
        low=0.0,
        high=0.8,
        step=0.05,
        group=ADAPTER,
        idle=(_needs_lora,),
    )
    scope: str = _shown(
        "upper trunk",
        "How deep LoRA goes",
        "The trunk alone is fast, for the encoders run once; its upper half faster still. "
        "Adapting the encoders too costs several times as much and pays on larger cohorts.",
        choices=SCOPES,
        group=ADAPTER,
        idle=(_needs_lora,),
        searched=True,
    )
    ladder: bool = _shown(
        True,
        "Climb to that depth",
        "Trains at every lesser depth first, so that a deeper adapter has to beat a simpler one.",
        group=ADAPTER,
        idle=(_needs_lora, _needs_depth),
    )
    keep: str = _shown(
        "simplest",
        "Which model is kept",
        "The simplest within one standard error of the best on validation patients; or boosting on "
        "the table, the probe or LoRA, whatever the figures say.",
        choices=("simplest", "boosting", "probe", "lora"),
        group=JUDGING,
    )
    learning_rate: float = _shown(
        3e-4,
        "Learning rate",
        "Largest step size; it warms up and then decays.",
        low=1e-6,
        high=1e-1,
        step=1e-4,
        group=TRAINING,
        idle=(_needs_lora,),
        searched=True,
    )
    weight_decay: float = _shown(
        0.01,
        "Weight decay",
        "Pull of weights to zero.",
        low=0.0,
        high=1.0,
        step=0.01,
        group=TRAINING,
        idle=(_needs_lora,),
    )
    epochs: int = _shown(
        12,
        "Epochs",
        "Passes over the training patients.",
        low=1,
        high=1000,
        group=TRAINING,
        idle=(_needs_lora,),
    )
    batch_size: int = _shown(
        0,
        "Batch size",
        f"Cases per step. 0 stands for {BATCH}, or for as many as free memory has room for.",
        low=0,
        high=512,
        group=TRAINING,
        idle=(_needs_lora,),
    )
    patience: int = _shown(
        4,
        "Patience",
        "Stop after so many epochs without a better validation score.",
        low=1,
        high=1000,
        group=TRAINING,
        idle=(_needs_lora,),
    )
    modality_dropout: float = _shown(
        0.2,
        "Modality dropout",
        "Probability that a modality is hidden from a training case, so that the model learns to "
        "do without it.",
        low=0.0,
        high=0.9,
        step=0.05,
        group=TRAINING,
        searched=True,
        idle=(_needs_lora, _needs_several),
    )
    balance: bool = _shown(
        True,
        "Balance classes",
        "Weigh cases so that rare classes count as much as common ones.",
        group=TRAINING,
        idle=(_needs_classes,),
    )
    balance_by: str = _shown(
        "",
        "Balance groups of",
        "Weigh cases so that within each class every group of this column, such as sex or site, "
        f"counts as much as the others; no case counts more than {GROUP_CAP:g}-fold for it.",
        off="",
        group=TRAINING,
        idle=(_needs_groups,),
    )
    folds: int = _shown(
        1,
        "Folds",
        "With 2 or more, the probe is also evaluated by cross-validation over all patients: a "
        "steadier figure than one held-out split of a small cohort.",
        low=1,
        high=20,
        off=1,
        group=JUDGING,
    )
    seeds: int = _shown(
        1,
        "Seeds",
        "With 2 or more, LoRA is trained from so many seeds and the trained weights are averaged; "
        "the average is kept only where it is no worse on validation patients than the best one.",
        low=1,
        high=10,
        group=JUDGING,
        idle=(_needs_lora,),
    )
    fold_ensemble: bool = _shown(
        False,
        "Ensemble of folds",
        "Each seed learns without another fold of the training patients, as many folds as seeds, "
        "so that the averaged models differ more.",
        group=JUDGING,
        idle=(_needs_lora, _needs_seeds),
    )
    search_minutes: float = _shown(
        0.0,
        "Minutes of search",
        "Tries other ranks, learning rates, modality dropouts and depths for so long, compared on "
        "validation patients; the best is trained. 0 means none.",
        low=0.0,
        high=1440.0,
        off=0.0,
        step=5,
        group=JUDGING,
        idle=(_needs_lora,),
    )
    seed: int = _shown(
        0, "Seed", "Same seed, same data: same result.", low=0, high=2**31 - 1, group=JUDGING
    )

    def __post_init__(self) -> None:
        object.__setattr__(self, "modalities", tuple(self.modalities))
        object.__setattr__(self, "encoders", dict(self.encoders))
        check_ranges(self)

    @property
    def cases_per_step(self) -> int:
        """The batch size."""
        return self.batch_size or BATCH

    @property
    def scopes(self) -> tuple[str, ...]:
        """How deep LoRA goes in each model that trains, least first; none if none is asked for."""
        if self.keep in ("boosting", "probe"):
            return ()
        return SCOPES[: SCOPES.index(self.scope) + 1] if self.ladder else (self.scope,)

    @property
    def encoders_frozen(self) -> bool:
        """True if encoders stay as they are, so that they need to run only once per input."""
        return self.scope != "trunk and encoders"

    @classmethod
    def from_preset(cls, preset: str, **changes: Any) -> RunConfig:
        """The preset's values with `changes` on top; None means no change."""
        if preset not in PRESETS:
            raise InputError(
                f"There is no preset '{preset}'.", hint=f"Use one of: {', '.join(PRESETS)}."
            )
        given = {name: value for name, value in changes.items() if value is not None}
        return cls(**{"preset": preset, **PRESETS[preset], **given})

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> RunConfig:
        """The config that `as_dict` wrote."""
        return cls(**values)

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self) | {"modalities": list(self.modalities)}

    def with_encoders(self, encoders: Mapping[str, str]) -> RunConfig:
        """The same config with other encoders."""
        return replace(self, encoders=encoders)

    def at_scope(self, scope: str) -> RunConfig:
        """The same config for a candidate model that goes so deep."""
        return replace(self, scope=scope)

    def with_modalities(self, modalities: tuple[str, ...]) -> RunConfig:
        """The same config with `modalities` filled in."""
        return replace(self, modalities=modalities)
