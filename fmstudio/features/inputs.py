"""Cases made ready for the model once: read, prepared, and run through frozen encoders.

Files are read in the sandbox, inputs prepared by their encoder's preparer, and what a frozen
encoder makes of them kept in the cache by content; an epoch then reads small files of tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import torch

from fmstudio.adapters.processor import Processor
from fmstudio.contracts import discover
from fmstudio.encoders.batching import collate
from fmstudio.errors import StudioError
from fmstudio.features.cache import Cache, content_key
from fmstudio.features.keys import source_key
from fmstudio.model.shared import SharedModel
from fmstudio.sandbox import Reader, pack, unpack
from fmstudio.settings import Settings
from fmstudio.types import BESIDE, ModalityInput, PatientCase, Prepared


@dataclass
class PreparedCases:
    """Where every case's tokens (or prepared arrays) lie in the cache.

    `keys`: {case id: {modality: cache key}}; `unreadable`: {case id: {modality: reason}}.
    """

    cache: Cache
    keys: dict[str, dict[str, str]]
    unreadable: dict[str, dict[str, str]] = field(default_factory=dict)

    def load(self, case_id: str, hidden: Iterable[str] = ()) -> dict[str, Prepared]:
        """One case's modalities, without the hidden ones."""
        return {
            modality: Prepared(self.cache.read(key))
            for modality, key in self.keys[case_id].items()
            if modality not in hidden
        }


class Preparation:
    """Makes cases ready for one model. `report` gets the share done, in [0, 1].

    What is made is kept in `cache`, the home's unless another is given.
    """

    def __init__(
        self,
        reader: Reader,
        settings: Settings,
        report: Callable[[float], None] = lambda share: None,
        cache: Cache | None = None,
    ) -> None:
        self.reader, self.settings, self.report = reader, settings, report
        self.cache = Cache.of(settings) if cache is None else cache
        self.unreadable: dict[str, dict[str, str]] = {}

    def fit(self, model: SharedModel, train: Sequence[PatientCase]) -> dict[str, Processor]:
        """A processor per modality, with what its encoder learns from the training inputs."""
        families = discover("fmstudio.encoders", "ENCODER")
        processors = {}
        for modality, key in model.config.routes.items():
            chosen = model.config.encoders[key]
            family = families[chosen["family"]]
            state = {}
            if family.fits:
                state = family.fit(given for _, given in self.inputs(modality, train, keep=True))
            processors[modality] = Processor(
                modality, chosen["family"], chosen["config"], state, chosen.get("checkpoint")
            )
        return processors

    def inputs(
        self, modality: str, cases: Iterable[PatientCase], keep: bool
    ) -> Iterator[tuple[PatientCase, ModalityInput]]:
        """The inputs of all cases that have the modality and can be read; `keep` them for later."""
        given = {c.case_id: c for c in cases if c.sources.get(modality)}
        keys = {i: self._input_key(modality, c) for i, c in given.items()}
        ready = [i for i, key in keys.items() if keep and key in self.cache]
        unread = [i for i in given if i not in set(ready)]
        jobs = ((i, modality, given[i].sources[modality]) for i in unread)
        for case_id in ready:
            yield given[case_id], unpack(self.cache.read_bytes(keys[case_id]))
        for case_id, read in self.reader.read_many(jobs):
            if isinstance(read, StudioError):
                self.unreadable.setdefault(case_id, {})[modality] = read.message
            elif not read.empty:
                if keep:
                    self.cache.write_bytes(keys[case_id], pack(read))
                yield given[case_id], read

    def _input_key(self, modality: str, case: PatientCase) -> str:
        return content_key("input", source_key(modality, case.sources[modality]))

    def run(
        self,
        model: SharedModel,
        processors: Mapping[str, Processor],
        cases: Sequence[PatientCase],
        frozen: bool,
    ) -> PreparedCases:
        """Prepares all cases; where encoders are frozen, also runs them."""
        families = discover("fmstudio.encoders", "ENCODER")
        keys: dict[str, dict[str, str]] = {case.case_id: {} for case in cases}
        for done, (modality, processor) in enumerate(processors.items()):
            preparer = processor.preparer(model.config.base, self.settings)
            # A checkpoint's tokens are the same under every base, and before every bridge.
            weights = (processor.checkpoint or {}).get("sha256", model.config.base_sha256)
            made_by = [preparer.key, weights if frozen else "prepared"]
            wanted = {
                case.case_id: content_key(
                    "tokens",
                    source_key(modality, case.sources[modality]),
                    made_by,
                    model.config.routes[modality],
                )
                for case in cases
                if case.sources.get(modality)
            }
            # One case for each key: what two cases share is prepared once.
            first = {wanted[c.case_id]: c for c in reversed(cases) if c.case_id in wanted}
            missing = [case for key, case in first.items() if key not in self.cache][::-1]
            keep = families[processor.family].fits
            for number, (case, given) in enumerate(self.inputs(modality, missing, keep)):
                prepared = preparer.prepare(given)
                if prepared.length:
                    ready = encode(model, modality, prepared) if frozen else prepared
                    self.cache.write(wanted[case.case_id], ready.arrays)
                self.report((done + number / len(missing)) / len(processors))
            for case_id, key in wanted.items():
                if key in self.cache:
                    keys[case_id][modality] = key
        return PreparedCases(self.cache, keys, self.unreadable)


@torch.inference_mode()
def encode(model: SharedModel, modality: str, prepared: Prepared) -> Prepared:
    """What its encoder makes of one prepared input, before any bridge: tokens (T, its width).

    One at a time, because the last bit of a result depends on the padding of its batch, and a
    case must give the same tokens today, after a resumed run and at prediction.
    """
    given = collate([{modality: prepared}], model.device).modalities[modality]
    tokens = model.encode(modality, given)
    kept = {name: prepared.arrays[name] for name in BESIDE if name in prepared.arrays}
    return Prepared({"tokens": tokens.values[tokens.mask].float().cpu().numpy(), **kept})
