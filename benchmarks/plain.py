"""The fine-tuning that a competent user would write: transformers.Trainer and peft, plainly.

    python -m benchmarks.plain HOME PROJECT EPOCHS ANSWER.json

The same shared model, base, LoRA settings, cases, batch size, learning rate and epochs as the
quick preset. Inputs are prepared beforehand and held in memory; the collator pads them; encoders
run in every step, as they do when a model is handed to a Trainer.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from peft import LoraConfig, get_peft_model
from transformers import Trainer, TrainingArguments, set_seed

from benchmarks.inside import newest_cohort
from fmstudio.adapters.lora import targets
from fmstudio.encoders.batching import collate
from fmstudio.features.inputs import Preparation
from fmstudio.model.load import load_base, task_config
from fmstudio.run_config import RunConfig
from fmstudio.sandbox import Reader
from fmstudio.settings import load_settings


class Cases(torch.utils.data.Dataset):
    """Prepared cases of one split, in memory."""

    def __init__(self, prepared: Any, cases: Any) -> None:
        cases = [case for case in cases if prepared.keys[case.case_id]]
        self.ids = [case.case_id for case in cases]
        self.items = [(prepared.load(case.case_id), float(case.target)) for case in cases]

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> Any:
        return self.items[index]


def batch_of(items: list[Any]) -> dict[str, Any]:
    """Cases to the model's arguments."""
    labels = torch.tensor([label for _, label in items])
    return {"inputs": collate([case for case, _ in items]), "labels": labels}


def main(home: str, project: str, epochs: int) -> dict[str, Any]:
    """Seconds to prepare and to train, cases per second of training, and the logit of each test
    case by its id."""
    config = RunConfig.from_preset("quick", epochs=epochs)
    settings = load_settings(home)
    cohort = newest_cohort(settings, project)

    set_seed(config.seed)
    started = time.perf_counter()
    shape = task_config(config.base, cohort.modalities, cohort.task.outputs, settings)
    model = load_base(shape, settings)
    with tempfile.TemporaryDirectory() as own, Reader(settings.limits, workers=2) as reader:
        # A cache of its own, so that nothing that the studio prepared is found.
        preparation = Preparation(reader, load_settings(own))
        processors = preparation.fit(model, cohort.split("train"))
        prepared = preparation.run(model, processors, cohort.cases, frozen=False)
        train = Cases(prepared, cohort.split("train"))
        validation = Cases(prepared, cohort.split("validation"))
        test = Cases(prepared, cohort.split("test"))
    seconds = {"prepare": time.perf_counter() - started}

    lora = LoraConfig(
        r=config.rank,
        lora_alpha=config.alpha,
        lora_dropout=config.lora_dropout,
        target_modules=targets(config.scope, model.config.depth),
        modules_to_save=["task_head"],
        task_type="SEQ_CLS",
    )
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(
            model=get_peft_model(model, lora),
            args=TrainingArguments(
                output_dir=folder,
                num_train_epochs=epochs,
                per_device_train_batch_size=config.cases_per_step,
                per_device_eval_batch_size=32,
                learning_rate=config.learning_rate,
                weight_decay=config.weight_decay,
                lr_scheduler_type="cosine",
                warmup_steps=0.1,
                eval_strategy="epoch",
                save_strategy="epoch",
                save_total_limit=1,
                remove_unused_columns=False,
                label_names=["labels"],
                report_to=[],
                dataloader_pin_memory=False,
                disable_tqdm=True,
                seed=config.seed,
            ),
            train_dataset=train,
            eval_dataset=validation,
            data_collator=batch_of,
        )
        started = time.perf_counter()
        trainer.train()
        seconds["train"] = time.perf_counter() - started
        logits = trainer.predict(test).predictions.ravel().tolist()
    answers = dict(zip(test.ids, logits, strict=True))
    speed = epochs * len(train) / seconds["train"]
    return seconds | {"cases_per_second": speed, "answers": answers}


if __name__ == "__main__":
    found = main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
    Path(sys.argv[4]).write_text(json.dumps(found), encoding="utf-8")
