"""The settings of a fine-tuning run: one frozen dataclass, read by page and command line alike.

Each field's metadata says how to show it: `label`, `help`, and `low`/`high` or `choices`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from fmstudio.errors import InputError

SCOPES = ("upper trunk", "trunk", "trunk and encoders")
PRESETS: Mapping[str, Mapping[str, Any]] = {
    "quick": {"rank": 8, "epochs": 12, "patience": 4, "scope": "trunk"},
    "balanced": {"rank": 8, "epochs": 40, "patience": 8, "scope": "trunk", "folds": 5},
    "thorough": {
        "rank": 16,
        "epochs": 40,
        "patience": 8,
        "scope": "trunk and encoders",
        "folds": 5,
    },
}


def _shown(default: Any, label: str, help: str, **limits: Any) -> Any:
    return field(default=default, metadata={"label": label, "help": help, **limits})


def check_ranges(config: Any) -> None:
    """Raises InputError for a field of a config whose value is out of its range."""
    for item in fields(config):
        value, known = getattr(config, item.name), item.metadata
        wrong = "choices" in known and value not in known["choices"]
        wrong |= "low" in known and not known["low"] <= value <= known["high"]
        if wrong:
            expected = (
                "one of " + ", ".join(known["choices"])
                if "choices" in known
                else f"between {known['low']} and {known['high']}"
            )
            raise InputError(f"{known['label']} is {value}.", hint=f"Give a value {expected}.")


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
        8, "LoRA rank", "Size of the adapter. More fits more, and overfits sooner.", low=1, high=128
    )
    alpha: float = _shown(
        16.0, "LoRA alpha", "How strongly the adapter acts: its scale is alpha / rank.",
        low=1.0, high=512.0,
    )  # fmt: skip
    lora_dropout: float = _shown(
        0.0, "LoRA dropout", "Share of adapter inputs dropped in training.", low=0.0, high=0.8
    )
    scope: str = _shown(
        "upper trunk", "How deep LoRA goes",
        "The trunk alone is fast, for the encoders run once; its upper half faster still. "
        "Adapting the encoders too costs several times as much and pays on larger cohorts.",
        choices=SCOPES,
    )  # fmt: skip
    ladder: bool = _shown(
        True, "Climb to that depth",
        "Trains at every lesser depth first, so that a deeper adapter has to beat a simpler one.",
    )  # fmt: skip
    keep: str = _shown(
        "simplest", "Which model is kept",
        "The simplest within one standard error of the best on validation patients; or boosting on "
        "the table, the probe or LoRA, whatever the figures say.",
        choices=("simplest", "boosting", "probe", "lora"),
    )  # fmt: skip
    learning_rate: float = _shown(
        3e-4, "Learning rate", "Largest step size; it warms up and then decays.",
        low=1e-6, high=1e-1,
    )  # fmt: skip
    weight_decay: float = _shown(
        0.01, "Weight decay", "Pull of weights to zero.", low=0.0, high=1.0
    )
    epochs: int = _shown(12, "Epochs", "Passes over the training patients.", low=1, high=1000)
    batch_size: int = _shown(16, "Batch size", "Cases per step.", low=1, high=512)
    patience: int = _shown(
        4, "Patience", "Stop after so many epochs without a better validation score.",
        low=1, high=1000,
    )  # fmt: skip
    modality_dropout: float = _shown(
        0.2, "Modality dropout",
        "Chance that a modality is hidden from a training case, so that the model learns to do "
        "without.",
        low=0.0, high=0.9,
    )  # fmt: skip
    balance: bool = _shown(
        True, "Balance classes", "Weigh cases so that rare classes count as much as common ones."
    )
    folds: int = _shown(
        1, "Folds",
        "With 2 or more, the probe is also judged by cross-validation over all patients: a "
        "steadier figure than one held-out split of a small cohort.",
        low=1, high=20,
    )  # fmt: skip
    seed: int = _shown(0, "Seed", "Same seed, same data: same result.", low=0, high=2**31 - 1)

    def __post_init__(self) -> None:
        object.__setattr__(self, "modalities", tuple(self.modalities))
        object.__setattr__(self, "encoders", dict(self.encoders))
        check_ranges(self)

    @property
    def scopes(self) -> tuple[str, ...]:
        """How deep LoRA goes on each rung that trains, least first; none if none is asked for."""
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
        """The same config for a rung that goes so deep."""
        return replace(self, scope=scope)

    def with_modalities(self, modalities: tuple[str, ...]) -> RunConfig:
        """The same config with `modalities` filled in."""
        return replace(self, modalities=modalities)
