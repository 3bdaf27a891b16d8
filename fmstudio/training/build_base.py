"""Makes the embedded base from its recipe: unlabelled training patients in, `assets/base` out.

    python -m fmstudio.training.build_base --data FOLDER_OF_COHORTS [--minutes 15]

Labels decide which patients are training patients and are looked at for nothing else. What is
stored are weights, a tokenizer's subwords and the card: no case, no value of a case.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from data_samples.generate import generate
from fmstudio.cohort import build_cohort, make_task, propose_roles, read_manifest
from fmstudio.contracts import embedded_encoders, pipeline, pipelines
from fmstudio.errors import StudioError
from fmstudio.model.shared import SharedModel, SharedModelConfig
from fmstudio.sandbox import Reader
from fmstudio.settings import Limits
from fmstudio.training.pretrain import pretrain_encoder, pretrain_trunk
from fmstudio.types import Cohort, ModalityInput, Prepared

log = logging.getLogger(__name__)
HOME = Path(__file__).resolve().parents[2] / "assets" / "base"
VOCABULARY = 8192
TRUNK_SHARE = 0.15  # of the time; the rest is shared evenly by the encoders


@dataclass
class Corpus:
    """Inputs of one cohort's training patients: {case id: {modality: input}}."""

    name: str
    cases: dict[str, dict[str, ModalityInput]] = field(default_factory=dict)

    def of_kind(self, kind: str) -> list[ModalityInput]:
        """All inputs of a kind."""
        return [g for case in self.cases.values() for g in case.values() if g.kind == kind]


def read_corpus(cohort: Cohort, reader: Reader) -> Corpus:
    """Reads the training patients of a cohort; files that cannot be read are left out."""
    corpus = Corpus(cohort.name)
    jobs = (
        ((case.case_id, modality), modality, sources)
        for case in cohort.split("train")
        for modality, sources in case.sources.items()
    )
    for (case_id, modality), read in reader.read_many(jobs):
        if not isinstance(read, StudioError) and not read.empty:
            corpus.cases.setdefault(case_id, {})[modality] = read
    return corpus


def open_cohort(manifest_path: Path, label: str, kind: str = "binary") -> Cohort:
    """A cohort with the roles that the studio proposes."""
    manifest = read_manifest(manifest_path)
    roles = {c.column: c.role for c in propose_roles(manifest, label=label, kind=kind)}
    task = make_task(manifest, roles, kind)
    return build_cohort(manifest, roles, task, manifest_path.parent.name)


def train_tokenizer(texts: Sequence[str], path: Path) -> None:
    """Byte-level pair encoding of the texts; every byte is in it, so every script can be read."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY, initial_alphabet=alphabet, min_frequency=3, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.save(str(path))


def prepare_corpora(corpora: Sequence[Corpus], families: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every case of every corpus prepared, scales fitted corpus by corpus."""
    prepared: list[dict[str, Prepared]] = []
    for corpus in corpora:
        preparers = {}
        for modality in pipelines():
            family = families[pipeline(modality).kind]
            inputs = [case[modality] for case in corpus.cases.values() if modality in case]
            state = family.fit(inputs) if inputs else {}
            preparers[modality] = family.preparer(family.default(), HOME, state)
        for case in corpus.cases.values():
            made = {name: preparers[name].prepare(given) for name, given in case.items()}
            prepared.append({name: one for name, one in made.items() if one.length})
    return prepared


def build(data: Path, minutes: float) -> None:
    """Reads the recipe's cohorts below `data`, trains, and writes the base."""
    recipe = json.loads((HOME / "recipe.json").read_text(encoding="utf-8"))
    families = embedded_encoders()
    with Reader(Limits(), workers=2) as reader, tempfile.TemporaryDirectory() as folder:
        made = generate(Path(folder), recipe["generated_cases"], seed=90_001, workers=2)
        corpora = [read_corpus(open_cohort(made, "label_deterioration"), reader)]
        corpora[0].name = "generated cases"
        for source in recipe["cohorts"]:
            path = data / source["folder"] / "manifest.csv"
            cohort = open_cohort(path, source["label"], source.get("kind", "binary"))
            corpora.append(read_corpus(cohort, reader))
            log.info("%s: %d cases", corpora[-1].name, len(corpora[-1].cases))
    texts = [str(given.values) for corpus in corpora for given in corpus.of_kind("text")]
    train_tokenizer(texts, HOME / "tokenizer.json")
    cases = prepare_corpora(corpora, families)
    model, losses = train(recipe, families, cases, minutes)
    counts = {corpus.name: len(corpus.cases) for corpus in corpora}
    write(recipe, model, losses, counts, minutes)


def train(
    recipe: Mapping[str, Any],
    families: Mapping[str, Any],
    cases: Sequence[Mapping[str, Prepared]],
    minutes: float,
) -> tuple[SharedModel, dict[str, list[float]]]:
    """Encoders one by one, then the trunk over them; the mean loss at the start and at the end."""
    torch.manual_seed(recipe["seed"])
    encoders = {
        kind: {"family": family.name, "config": family.default()}
        for kind, family in sorted(families.items())
    }
    routes = {name: one.kind for name, one in pipelines().items()}
    shape = {name: recipe[name] for name in ("width", "heads", "depth")}
    model = SharedModel(SharedModelConfig(**shape, encoders=encoders, routes=routes))
    seconds = 60 * minutes * (1 - TRUNK_SHARE) / len(encoders)
    losses: dict[str, list[float]] = {}
    for kind in encoders:
        inputs = [one for case in cases for name, one in case.items() if routes[name] == kind]
        words = VOCABULARY if kind == "text" else None
        lost = pretrain_encoder(model.encoders[kind], inputs, words, seconds, recipe["seed"])
        losses[kind] = [float(np.mean(lost[:20])), float(np.mean(lost[-50:])), len(lost)]
        log.info("%s: %d inputs, %s", kind, len(inputs), losses[kind])
    lost = pretrain_trunk(model.eval(), cases, 60 * minutes * TRUNK_SHARE, recipe["seed"])
    losses["trunk"] = [float(np.mean(lost[:20])), float(np.mean(lost[-50:])), len(lost)]
    log.info("trunk: %s", losses["trunk"])
    return model, losses


def write(
    recipe: Mapping[str, Any],
    model: SharedModel,
    losses: Mapping[str, list[float]],
    counts: Mapping[str, int],
    minutes: float,
) -> None:
    """Weights in half precision, config and data card."""
    weights = {
        name: value.half().contiguous()
        for name, value in model.state_dict().items()
        if not name.startswith("task_head.")
    }
    save_file(weights, HOME / "model.safetensors")
    config = {name: recipe[name] for name in ("width", "heads", "depth")}
    config["encoders"] = model.config.encoders
    size = (HOME / "model.safetensors").stat().st_size
    parameters = sum(value.numel() for value in weights.values())
    licences = {source["folder"]: source for source in recipe["cohorts"]}
    card = {
        "name": recipe["name"],
        "title": recipe["title"],
        "sha256": hashlib.sha256((HOME / "model.safetensors").read_bytes()).hexdigest(),
        "parameters": parameters,
        "size_mb": round(size / 2**20, 1),
        "licence": recipe["licence"],
        "description": (
            f"{parameters / 1e6:.0f} million weights, pretrained by itself for {minutes:.0f} "
            f"minutes on {sum(counts.values())} unlabelled cases. Works offline."
        ),
        "limits": recipe["limits"],
        "trained_on": [
            {
                "name": name,
                "cases": cases,
                "licence": licences.get(name, {}).get("licence", "made for this project"),
                "source": licences.get(name, {}).get("source", "data_samples/generate.py"),
            }
            for name, cases in counts.items()
        ],
        "objectives": {
            part: {"first_loss": lost[0], "last_loss": lost[1], "steps": lost[2]}
            for part, lost in losses.items()
        },
    }
    for name, value in (("config", config), ("card", card)):
        text = json.dumps(value, indent=1, ensure_ascii=False) + "\n"
        (HOME / f"{name}.json").write_text(text, encoding="utf-8")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the recipe's cohorts")
    parser.add_argument("--minutes", type=float, default=15.0, help="training time")
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    build(given.data, given.minutes)


if __name__ == "__main__":
    main()
