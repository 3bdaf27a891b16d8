"""Makes the embedded base from its recipe: corpora in, `assets/base` out.

    python -m fmstudio pretrain --recipe FILE --data FOLDER_OF_COHORTS --work FOLDER [--stage NAME]

A recipe is a list of stages, each of which trains some parts of the model on what earlier stages
left. A stage that was broken off goes on from its last checkpoint; stages that train different
encoders may run side by side. What is stored are weights, a tokenizer's subwords and the card: no
case, no value of a case.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from fmstudio.contracts import embedded_encoders, pipeline, pipelines
from fmstudio.errors import InputError
from fmstudio.features.inputs import Preparation
from fmstudio.files import replacing
from fmstudio.model.config import SharedModelConfig
from fmstudio.model.shared import SharedModel
from fmstudio.pretraining.base_folder import (
    CARD,
    TOKENIZER,
    WEIGHTS,
    ends,
    write_json,
    write_weights,
)
from fmstudio.pretraining.corpora import Corpora
from fmstudio.pretraining.embedding_initialisation import start_from_words
from fmstudio.pretraining.engine import Engine, Plan
from fmstudio.pretraining.linear_readouts import fit_readings
from fmstudio.pretraining.stream import Mixture
from fmstudio.pretraining.teacher import Teacher, checked_folder, packaged_folder
from fmstudio.records import Point, Progress
from fmstudio.sandbox import Reader
from fmstudio.settings import Settings

log = logging.getLogger(__name__)
Say = Callable[[str], object]
HOME = Path(__file__).resolve().parents[2] / "assets" / "base"
READINGS = "readings.json"
READ_FROM = 4000  # examples on which the readings are fitted


@dataclass(frozen=True)
class Told:
    """A reporter that tells a line at every look and never asks for a stop."""

    say: Say
    began: float = field(default_factory=time.monotonic)

    def progress(self, progress: Progress) -> None:
        """Where it stands."""
        passed = time.monotonic() - self.began
        self.say(f"step {progress.epoch} of {progress.epochs}, after {passed:.0f} s")

    def points(self, points: Sequence[Point]) -> None:
        """The last value of each curve."""
        last = {point.name: point.value for point in points}
        self.say(", ".join(f"{name} {value:.3f}" for name, value in last.items()))

    def should_stop(self) -> bool:
        """Never: a stage is ended from outside and goes on from its checkpoint."""
        return False


def train_tokenizer(texts: Sequence[str], words: int, path: Path) -> None:
    """Byte-level pair encoding of the texts in small letters; every byte is in it, so every script
    can be read."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=words, initial_alphabet=alphabet, min_frequency=1, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.save(str(path))


def whole_config(
    recipe: Mapping[str, Any], readings: Mapping[str, Mapping[str, int]] | None = None
) -> SharedModelConfig:
    """The base with every embedded encoder and every modality; `readings`: sizes of the groups of
    each encoder's readings."""
    families = embedded_encoders()
    encoders = {
        kind: {"family": family.name, "config": family.default()}
        for kind, family in sorted(families.items())
    }
    routes = {name: one.kind for name, one in pipelines().items()}
    for kind, sizes in (readings or {}).items():
        encoders[kind]["readings"] = sizes
    most = max((sum(sizes.values()) for sizes in (readings or {}).values()), default=0)
    whole = max(one["config"].get("whole", 0) for one in encoders.values())
    shape = {name: recipe[name] for name in ("width", "heads", "depth")}
    return SharedModelConfig(**shape, readings=most, whole=whole, encoders=encoders, routes=routes)


def start_model(
    recipe: Mapping[str, Any],
    work: Path,
    before: Sequence[str],
    readings: Mapping[str, Mapping[str, int]] | None = None,
) -> SharedModel:
    """Random weights from the recipe's seed, and on them what the stages `before` trained."""
    torch.manual_seed(recipe["seed"])
    model = SharedModel(whole_config(recipe, readings))
    for name in before:
        if (work / name / WEIGHTS).is_file():
            model.load_state_dict(load_file(work / name / WEIGHTS), strict=False)
    return model


@dataclass(frozen=True)
class Bench:
    """What one stage works on: the model narrowed to its modalities, and its stream of cases."""

    stage: Mapping[str, Any]
    model: SharedModel
    mixture: Mixture
    folder: Path

    @property
    def trains_encoders(self) -> bool:
        """False for a stage of the trunk alone."""
        return bool(self.stage.get("encoders", True))


def set_up(
    recipe: Mapping[str, Any], stage: Mapping[str, Any], corpora: Corpora, work: Path, say: Say
) -> Bench:
    """The stage's model, with what earlier stages trained, and its sources."""
    names = [one["name"] for one in recipe["stages"]]
    model = start_model(recipe, work, names[: names.index(stage["name"]) + 1])
    modalities = [name for name in pipelines() if pipeline(name).kind in stage["kinds"]]
    for key in list(model.encoders):
        if key not in stage["kinds"]:
            del model.encoders[key], model.bridges[key]
    model.config.routes = {name: pipeline(name).kind for name in modalities}
    model.config.modalities = modalities
    mixture = Mixture(
        corpora.sources(modalities, whole=stage.get("whole", False)),
        recipe["seed"],
        stage.get("most_cases", 64),
        stage.get("most_items", 2048),
        stage.get("longest", 128),
        {m: model.encoders[pipeline(m).kind].window or 1 for m in modalities},
    )
    for source in mixture.sources:
        say(f"{source.name}: {len(source)} cases, weight {source.weight}")
    return Bench(stage, model, mixture, work / stage["name"])


def train_stage(bench: Bench, corpora: Corpora, say: Say) -> None:
    """Trains one stage to its end and stores the parts that it trained."""
    stage, model, mixture = bench.stage, bench.model, bench.mixture
    plan = Plan(
        objectives=tuple(stage["objectives"]),
        steps=stage["steps"],
        learning_rate=stage.get("learning_rate", 1e-3),
        look_every=stage.get("look_every", 250),
        encoders=bench.trains_encoders,
    )
    watches = corpora.watches(model.modalities) if plan.encoders else []

    def watch(model: SharedModel) -> dict[str, float]:
        return {name: value for one in watches for name, value in one(model).items()}

    if "text" in model.encoders and plan.encoders and corpora.teacher:
        start_from_words(model.encoders["text"], corpora.folder / TOKENIZER, corpora.teacher)
    engine = Engine(model, mixture, plan, bench.folder, Told(say), watch)
    state = engine.run()
    parts = tuple(f"{name}." for name in engine.learning if name != "heads")
    trained = {k: v for k, v in model.state_dict().items() if k.startswith(parts)}
    save_file({k: v.contiguous() for k, v in trained.items()}, bench.folder / WEIGHTS)
    history = {
        "steps": state.step,
        "seconds": round(state.seconds),
        "objectives": list(plan.objectives),
        "sources": {source.name: len(source) for source in mixture.sources},
        "curves": ends(state),
    }
    (bench.folder / "history.json").write_text(json.dumps(history), encoding="utf-8")


def read_stage(bench: Bench) -> None:
    """Fits the readings of the encoders that have learned, and stores them beside the weights."""
    weights, facts = load_file(bench.folder / WEIGHTS), {}
    sample = bench.mixture.sample(READ_FROM)
    for key in bench.stage["kinds"]:
        found = fit_readings(bench.model.eval(), key, sample)
        if found is not None:
            weights[f"readings.{key}.weight"] = torch.from_numpy(found.weight)
            weights[f"readings.{key}.bias"] = torch.from_numpy(found.bias)
            facts[key] = {"names": found.names, "read": found.read}
    save_file(weights, bench.folder / WEIGHTS)
    (bench.folder / READINGS).write_text(json.dumps(facts, indent=1), encoding="utf-8")


def run_stage(
    recipe: Mapping[str, Any], stage: Mapping[str, Any], corpora: Corpora, work: Path, say: Say
) -> None:
    """What is still to be done of a stage: its training, and the readings of its encoders."""
    trained = (work / stage["name"] / WEIGHTS).is_file()
    read = (work / stage["name"] / READINGS).is_file() or not stage.get("encoders", True)
    if trained and read:
        return
    bench = set_up(recipe, stage, corpora, work, say)
    if not trained:
        train_stage(bench, corpora, say)
    if not read:
        read_stage(bench)


def _readings(recipe: Mapping[str, Any], work: Path) -> dict[str, dict[str, Any]]:
    """The names of all readings by encoder and group, and how well each is read."""
    found: dict[str, dict[str, Any]] = {}
    for stage in recipe["stages"]:
        path = work / stage["name"] / READINGS
        if path.is_file():
            found |= json.loads(path.read_text(encoding="utf-8"))
    return found


def assemble(recipe: Mapping[str, Any], work: Path, out: Path) -> dict[str, Any]:
    """The trained parts of all stages as a base: weights, config and card, which it gives."""
    names = [stage["name"] for stage in recipe["stages"]]
    readings = _readings(recipe, work)
    sizes = {
        key: {group: len(found) for group, found in facts["names"].items()}
        for key, facts in readings.items()
    }
    model = start_model(recipe, work, names, sizes)
    config = {name: recipe[name] for name in ("width", "heads", "depth")}
    config |= {name: getattr(model.config, name) for name in ("readings", "whole", "encoders")}
    facts = write_weights(out, model.state_dict(), config, work / TOKENIZER)
    histories = {
        name: json.loads((work / name / "history.json").read_text(encoding="utf-8"))
        for name in names
        if (work / name / "history.json").is_file()
    }
    card = {
        "name": recipe["name"],
        "title": recipe["title"],
        **facts,
        "licence": recipe["licence"],
        "description": recipe["description"],
        "limits": recipe["limits"],
        "trained_on": _trained_on(recipe, histories),
        "taught_by": recipe.get("teacher"),
        "readings": readings,
        "stages": histories,
    }
    write_json(out / CARD, card)
    return card


def _trained_on(
    recipe: Mapping[str, Any], histories: Mapping[str, Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Every source of every stage once, with the most cases that a stage drew it from."""
    rows = {row["folder"]: row for row in recipe["cohorts"]}
    sizes: dict[str, int] = {}
    for history in histories.values():
        for name, size in history["sources"].items():
            sizes[name] = max(size, sizes.get(name, 0))
    found = []
    for name, size in sizes.items():
        row = rows.get(name, recipe["drawings"])
        found.append({"name": name, "cases": size, **{k: row[k] for k in ("licence", "source")}})
    return found


def teacher_of(recipe: Mapping[str, Any], folder: Path | None) -> Teacher | None:
    """The recipe's teacher, from the package that carries it or from a folder."""
    named = recipe.get("teacher")
    if not named:
        return None
    if folder is not None:
        return Teacher(checked_folder(folder, named["sha256"]))
    return Teacher(packaged_folder(named["package"], named["sha256"]))


def make_base(
    path: Path,
    data: Path,
    work: Path,
    out: Path = HOME,
    stages: Sequence[str] = (),
    teacher: Path | None = None,
    say: Say = log.info,
) -> dict[str, Any]:
    """Trains what is not done yet of the recipe at `path`, and writes the base to `out`.

    `data` holds the recipe's cohorts; `work` keeps stages and caches. With `stages` only those are
    trained and nothing is written. Gives the card, or {"stages": done} while some are left.
    Raises InputError for a recipe, a cohort or a teacher that is not there.
    """
    if not path.is_file() or not data.is_dir():
        missing = path if not path.is_file() else data
        raise InputError(f"There is no '{missing.name}'.", hint="Check its name and folder.")
    recipe = json.loads(path.read_text(encoding="utf-8"))
    names = [stage["name"] for stage in recipe["stages"]]
    for name in stages:
        if name not in names:
            raise InputError(f"There is no stage '{name}'.", hint=f"Use: {', '.join(names)}.")
    work.mkdir(parents=True, exist_ok=True)
    settings = Settings(work / "home")
    with Reader(settings.limits) as reader:
        taught_by = teacher_of(recipe, teacher)
        corpora = Corpora(recipe, data, work, Preparation(reader, settings), taught_by)
        if not (work / TOKENIZER).is_file():
            with replacing(work / TOKENIZER) as temporary:
                train_tokenizer(corpora.texts(), recipe["vocabulary"], temporary)
        for stage in recipe["stages"]:
            if not stages or stage["name"] in stages:
                run_stage(recipe, stage, corpora, work, say)
    if stages:
        return {"stages": [name for name in names if (work / name / WEIGHTS).is_file()]}
    return assemble(recipe, work, out)
