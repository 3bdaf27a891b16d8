"""How one modality's inputs are prepared for an adapter: stored in `processors/`, read back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from fmstudio.contracts import Preparer, discover
from fmstudio.model.bases import base_folder
from fmstudio.settings import Settings


@dataclass(frozen=True)
class Processor:
    """One modality's encoder family, its config and the state fitted on training inputs."""

    modality: str
    family: str
    config: Mapping[str, Any]
    state: Mapping[str, Any] = field(default_factory=dict)

    def preparer(self, base: str, settings: Settings) -> Preparer:
        """The preparer itself, with the base's tokenizer and processor files."""
        family = discover("fmstudio.encoders", "ENCODER")[self.family]
        return family.preparer(self.config, base_folder(base, settings), self.state)


def write_processors(folder: Path, processors: Mapping[str, Processor]) -> None:
    """Writes `folder`/processors/MODALITY.json, one a modality."""
    (folder / "processors").mkdir()
    for name, processor in processors.items():
        text = json.dumps(asdict(processor), indent=1, ensure_ascii=False)
        (folder / "processors" / f"{name}.json").write_text(text, encoding="utf-8")


def read_processors(folder: Path) -> dict[str, Processor]:
    """The processors of an adapter folder, by modality."""
    stored = sorted((folder / "processors").glob("*.json"))
    found = [Processor(**json.loads(path.read_text(encoding="utf-8"))) for path in stored]
    return {processor.modality: processor for processor in found}
