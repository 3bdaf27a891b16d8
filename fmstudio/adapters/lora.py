"""LoRA on the shared model (Hu et al. 2021, arXiv 2106.09685): the only file that imports peft."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from peft import (
    LoraConfig,
    PeftModel,
    get_peft_model,
    get_peft_model_state_dict,
    set_peft_model_state_dict,
)
from peft.utils import ModulesToSaveWrapper
from safetensors.torch import load_file
from torch import Tensor

from fmstudio.contracts import discover
from fmstudio.errors import BundleError
from fmstudio.model.head import TaskHead
from fmstudio.model.load import load_base
from fmstudio.model.shared import SharedModel
from fmstudio.run_config import RunConfig
from fmstudio.settings import Settings

Adapted = PeftModel  # a SharedModel with an adapter attached, as other files know it


def targets(scope: str, depth: int, checkpoints: Mapping[str, str] | None = None) -> str:
    """A pattern of the layers that get an adapter, for a trunk of `depth` blocks.

    `checkpoints`: {key of an encoder: its family's own pattern}. Anchored on full paths: a bare
    "q_proj" would also catch encoders that come with a checkpoint.
    """
    layers = r"(q_proj|v_proj)"
    if scope == "upper trunk":
        upper = "|".join(str(block) for block in range(depth // 2, depth))
        return rf"trunk\.blocks\.({upper})\.{layers}"
    if scope == "trunk":
        return rf"trunk\.blocks\.\d+\.{layers}"
    own = rf"(trunk|encoders\.\w+\.stack)\.blocks\.\d+\.{layers}"
    foreign = (rf"encoders\.{key}\.({names})" for key, names in (checkpoints or {}).items())
    return "|".join([own, *foreign])


def attach(model: SharedModel, config: RunConfig) -> Adapted:
    """The model with a fresh adapter that changes nothing yet; adapter, task head and the bridges
    of checkpoints train."""
    families = discover("fmstudio.encoders", "ENCODER")
    chosen = {key: model.config.encoders[key] for key in model.checkpoints}
    foreign = {k: families[one["family"]].targets(one["config"]) for k, one in chosen.items()}
    lora = LoraConfig(
        r=config.rank,
        lora_alpha=config.alpha,
        lora_dropout=config.lora_dropout,
        target_modules=targets(config.scope, model.config.depth, foreign),
        modules_to_save=["task_head", *(f"bridges.{key}" for key in chosen)],
        task_type="SEQ_CLS",
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        adapted = get_peft_model(model, lora)
    # PEFT takes the name from the model, where a model built in code has none.
    adapted.peft_config["default"].base_model_name_or_path = model.config.base
    return adapted


def detach(adapted: Adapted) -> SharedModel:
    """The model as it was before `attach`; what the adapter learned is gone."""
    before = {
        name.removeprefix("base_model.model."): wrapped.original_module
        for name, wrapped in adapted.named_modules()
        if isinstance(wrapped, ModulesToSaveWrapper)
    }
    model: SharedModel = adapted.unload()
    for name, module in before.items():
        model.set_submodule(name, module)
    return model


def shared_model(adapted: Adapted) -> SharedModel:
    """The shared model inside, with the adapter at work."""
    return adapted.base_model.model


def task_head(adapted: Adapted) -> TaskHead:
    """The task head that trains with the adapter."""
    return shared_model(adapted).task_head.modules_to_save["default"]


def trained_state(adapted: Adapted) -> dict[str, Tensor]:
    """Adapter weights, bridges and the whole task head, its buffers included, by name; copies."""
    parameters = dict(adapted.named_parameters())
    return {
        name: value.detach().clone().contiguous()
        for name, value in adapted.state_dict().items()
        if "modules_to_save" in name or (name in parameters and parameters[name].requires_grad)
    }


def load_trained_state(adapted: Adapted, state: Mapping[str, Tensor]) -> None:
    """Puts back what `trained_state` took."""
    own = adapted.state_dict()
    with torch.no_grad():
        for name, value in state.items():
            own[name].copy_(value)


def save(adapted: Adapted, folder: Path) -> None:
    """Writes adapter_config.json and adapter_model.safetensors as stock PEFT does."""
    # Without this PEFT looks the base's name up on a hub, to see whether its vocabulary grew.
    adapted.save_pretrained(str(folder), safe_serialization=True, save_embedding_layers=False)
    # PEFT adds a model card of its own, which knows nothing of patients: ours lies one folder up.
    (folder / "README.md").unlink(missing_ok=True)
    path = folder / "adapter_config.json"
    config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    # Names a Python module to import on loading: nothing of ours needs it, and verify refuses it.
    config["auto_mapping"] = None
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + os.linesep, encoding="utf-8")


def load(folder: Path, settings: Settings) -> SharedModel:
    """The model of an adapter folder (laid out as a bundle), adapter merged, ready to predict.

    Raises BundleError if the base or a checkpoint on this machine is another one, a tensor is
    missing, unknown or of another shape than the model's, or the trees of the task head point at
    what is not there.
    """
    base = load_base(folder / "config.json", settings)
    lora = LoraConfig.from_pretrained(str(folder / "adapter"))
    lora.base_model_name_or_path = None  # PEFT compares it with a name that our models do not have
    with torch.random.fork_rng(devices=[]):
        adapted = get_peft_model(base, lora)
    tensors = load_file(folder / "adapter" / "adapter_model.safetensors")
    _check_tensors(get_peft_model_state_dict(adapted, save_embedding_layers=False), tensors)
    set_peft_model_state_dict(adapted, tensors)
    model: SharedModel = adapted.merge_and_unload().eval()
    for name in model.config.trees:
        grown = model.task_head.trees[str(model.modalities.index(name))]
        if not grown.trees.check(model.config.columns.get(name, 0)):
            raise BundleError(
                f"The trees of the adapter in '{folder.name}' point at what is not there.",
                hint="The bundle is damaged: ask for it again.",
            )
    return model


def _check_tensors(wanted: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> None:
    """Raises BundleError, naming the first tensor that does not fit the model."""
    for name in sorted(wanted.keys() | found.keys()):
        if name not in found:
            problem = "is missing"
        elif name not in wanted:
            problem = "is none of this model's"
        elif wanted[name].shape != found[name].shape:
            problem = f"has the shape {list(found[name].shape)}, not {list(wanted[name].shape)}"
        else:
            continue
        raise BundleError(
            f"'adapter/adapter_model.safetensors': the tensor '{name[:120]}' {problem}.",
            hint="The adapter is damaged or was made by another version: ask for it again.",
        )
