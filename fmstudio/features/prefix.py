"""What frozen layers make of cases, computed once and kept in memory within a bound.

Each case goes through them alone: the last bit of a result depends on what else is in its batch,
and what is kept must be what would be computed again, today or after a resumed run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from fmstudio.encoders.batching import collate
from fmstudio.encoders.blocks import Places
from fmstudio.features.inputs import PreparedCases
from fmstudio.features.outputs import autocast
from fmstudio.model.shared import SharedModel, Started

MOST_MB = 128.0  # kept; what comes when it is full is computed each time


def frozen_depth(model: SharedModel) -> int | None:
    """How many of the trunk's first blocks do not train; None if something below them does."""
    below = (model.encoders, model.bridges, model.readings, model.modality_name)
    if any(weight.requires_grad for part in below for weight in part.parameters()):
        return None
    trains = [any(w.requires_grad for w in block.parameters()) for block in model.trunk.blocks]
    return trains.index(True) if True in trains else len(trains)


class Prefix:
    """Cases after the first `depth` blocks of a model whose encoders and lower trunk are frozen."""

    def __init__(self, model: SharedModel, cases: PreparedCases, depth: int) -> None:
        self.model, self.cases, self.depth = model, cases, depth
        self._kept: dict[tuple[str, frozenset[str]], Started] = {}
        self._left = MOST_MB * 2**20

    def batch(self, ids: Sequence[str], hidden: Sequence[set[str]]) -> Started:
        """Cases, each without its hidden modalities."""
        pairs = zip(ids, hidden, strict=True)
        return together([self._case(case_id, frozenset(own)) for case_id, own in pairs])

    @torch.no_grad()
    def _case(self, case_id: str, hidden: frozenset[str]) -> Started:
        if (case_id, hidden) in self._kept:
            return self._kept[case_id, hidden]
        whole = self._whole(case_id)
        started = self._without(whole, hidden)
        if self.depth:
            places = Places(started.lengths, started.items.device)
            with autocast(self.model.device):
                items = self.model.trunk.lower(started.items, places, self.depth)
            started = replace(started, items=items, depth=self.depth)
        if started is not whole:
            self._keep((case_id, hidden), started, started.items.nbytes)
        return started

    def _whole(self, case_id: str) -> Started:
        """A case with all that it has, where the trunk begins."""
        # The name of no modality: a place of its own beside what is hidden.
        place = case_id, frozenset([""]) if self.depth else frozenset()
        if place in self._kept:
            return self._kept[place]
        with autocast(self.model.device):
            started = self.model.start(collate([self.cases.load(case_id)], self.model.device))
        self._keep(place, started, started.items.nbytes + started.before.nbytes)
        return started

    def _without(self, whole: Started, hidden: frozenset[str]) -> Started:
        """The same case, some modalities hidden; what it has in `before` is shared."""
        if not hidden:
            return whole
        shown = torch.tensor([m not in hidden for m in self.model.modalities])
        shown = shown.to(whole.items.device)
        rows = shown[whole.owner].nonzero().squeeze(1)
        return replace(
            whole,
            items=whole.items[rows],
            owner=whole.owner[rows],
            present=whole.present * shown,
            lengths=[len(rows)],
        )

    def _keep(self, place: tuple[str, frozenset[str]], started: Started, size: int) -> None:
        # What came first stays: epochs go through all cases in turn, and a place taken from the
        # case that was not used for longest is taken from the one that is needed soonest.
        if size <= self._left:
            self._left -= size
            self._kept[place] = started


def together(cases: Sequence[Started]) -> Started:
    """Single cases as one batch, in their order."""
    order = sorted(range(len(cases)), key=lambda row: cases[row].lengths[0])
    count = cases[0].present.shape[1]
    return Started(
        torch.cat([cases[row].items for row in order]),
        torch.cat([cases[row].owner + row * count for row in order]),
        torch.cat([one.before for one in cases]),
        torch.cat([one.columns for one in cases]),
        torch.cat([one.present for one in cases]),
        [cases[row].lengths[0] for row in order],
        cases[0].depth,
    )
