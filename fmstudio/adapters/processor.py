"""How one modality's inputs are prepared for an adapter: stored in `processors/`, read back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from fmstudio.checkpoints.store import checkpoint_folder, checkpoint_of
from fmstudio.contracts import Preparer, discover
from fmstudio.model.bases import base_folder
from fmstudio.settings import Settings


@dataclass(frozen=True)
class Processor:
    """One modality's encoder family, its config and the state fitted on training inputs.

    `checkpoint` says which kept checkpoint it is: its tokenizer and processor files are part of
    that checkpoint's hash. None for an encoder of the base.
    """

    modality: str
    family: str
    config: Mapping[str, Any]
    state: Mapping[str, Any] = field(default_factory=dict)
    checkpoint: Mapping[str, Any] | None = None

    def preparer(self, base: str, settings: Settings) -> Preparer:
        """The preparer itself, with the tokenizer and processor files of base or checkpoint.

        Raises BundleError if the checkpoint is not kept here.
        """
        family = discover("fmstudio.encoders", "ENCODER")[self.family]
        folder = base_folder(base, settings)
        if self.checkpoint:
            kept = checkpoint_of(self.checkpoint, settings)
            folder = checkpoint_folder(kept.name, settings)
        return family.preparer(self.config, folder, self.state)

    def as_dict(self) -> dict[str, Any]:
        """As JSON; a checkpoint only where there is one."""
        found = asdict(self)
        return found if self.checkpoint else {k: v for k, v in found.items() if k != "checkpoint"}


def write_processors(folder: Path, processors: Mapping[str, Processor]) -> None:
    """Writes `folder`/processors/MODALITY.json, one a modality."""
    (folder / "processors").mkdir()
    for name, processor in processors.items():
        text = json.dumps(processor.as_dict(), indent=1, ensure_ascii=False)
        (folder / "processors" / f"{name}.json").write_text(text, encoding="utf-8")


def read_processors(folder: Path) -> dict[str, Processor]:
    """The processors of an adapter folder, by modality."""
    stored = sorted((folder / "processors").glob("*.json"))
    found = [Processor(**json.loads(path.read_text(encoding="utf-8"))) for path in stored]
    return {processor.modality: processor for processor in found}
