"""The registry's verbs on adapters, their aliases, and the predictions made with them."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from fmstudio.errors import InputError, NotFound
from fmstudio.records import AdapterRecord, PredictionRecord
from fmstudio.registry.database import Database
from fmstudio.registry.events import log_event
from fmstudio.registry.projects import checked_name, find_project
from fmstudio.registry.tables import Adapter, Alias, HeldOut, Prediction, Run

CHAMPION, CANDIDATE = "champion", "candidate"
_ALIAS = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}")
_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")  # it also names a folder
_SHA256 = re.compile(r"[0-9a-f]{64}")
# Sentences that may name a file or quote a value of a patient.
_NOT_KEPT = ("remarks", "warnings")


class Adapters(Database):
    """Adapters, aliases and predictions."""

    def new_adapter_id(self) -> str:
        """An id for an adapter whose files are about to be put in place, noted in the log.

        The note is how the sweeper knows files whose row never came.
        """
        with self.writing() as session:
            chosen = new_id(session, "adapter")
            log_event(session, "adapter id given", chosen, {})
            return chosen

    def add_adapter(
        self, adapter_id: str, project_id: int, run_id: str | None, name: str,
        card: Mapping[str, Any], sealed: str | None = None,
    ) -> AdapterRecord:  # fmt: skip
        """Register an adapter whose files are in place; `sealed` is the SHA-256 of its manifest.

        Raises InputError if the id is taken.
        """
        with self.writing() as session:
            project = find_project(session, project_id)
            place_adapter(session, adapter_id, project.id, run_id, name, card, sealed)
            return _records(session, [_find(session, adapter_id)])[0]

    def adapter(self, reference: str) -> AdapterRecord:
        """The adapter of this id, or the one that PROJECT/ALIAS points to. Raises NotFound."""
        with self.reading() as session:
            return _records(session, [_find(session, reference)])[0]

    def adapters(self, project_id: int | None = None) -> list[AdapterRecord]:
        """Adapters, the newest first; of one project if given."""
        query = select(Adapter).order_by(Adapter.created_at.desc(), Adapter.id)
        if project_id is not None:
            query = query.where(Adapter.project_id == project_id)
        with self.reading() as session:
            return _records(session, session.scalars(query).all())

    def set_alias(self, adapter_id: str, alias: str) -> AdapterRecord:
        """Let PROJECT/ALIAS point to this adapter; one that had the alias loses it.

        Raises InputError for an alias that cannot be typed as PROJECT/ALIAS.
        """
        if not _ALIAS.fullmatch(alias):
            raise InputError(
                f"'{alias}' cannot be an alias.",
                hint="Use up to 40 letters, digits, dots, hyphens and underscores.",
            )
        with self.writing() as session:
            row = _find(session, adapter_id)
            _point(session, row.project_id, alias, row.id)
            return _records(session, [row])[0]

    def seal_adapter(self, adapter_id: str, sealed: str) -> AdapterRecord:
        """Keep the seal of an adapter whose files were sealed anew or made whole."""
        with self.writing() as session:
            row = _find(session, adapter_id)
            row.sealed = sealed
            log_event(session, "adapter sealed", row.id, {"sha256": sealed})
            return _records(session, [row])[0]

    def keep_held_out(self, adapter_id: str, content: Mapping[str, Any]) -> None:
        """Keep an adapter's answers to held-out cases, in the place of older ones."""
        with self.writing() as session:
            place_held_out(session, _find(session, adapter_id).id, content)

    def held_out(self, adapter_id: str) -> dict[str, Any] | None:
        """An adapter's answers to held-out cases; None where none are kept."""
        with self.reading() as session:
            row = session.get(HeldOut, _find(session, adapter_id).id)
            return None if row is None else dict(row.content)

    def delete_adapter(self, adapter_id: str) -> None:
        """Forget an adapter, its aliases and predictions. Its files are not touched."""
        with self.writing() as session:
            row = _find(session, adapter_id)
            session.execute(delete(Adapter).where(Adapter.id == row.id))
            log_event(session, "adapter deleted", row.id, {"project": row.project_id})

    def add_prediction(
        self, adapter_id: str, case_id: str, inputs: Mapping[str, Sequence[str]],
        output: Mapping[str, Any],
    ) -> PredictionRecord:  # fmt: skip
        """Keep an answer: the SHA-256 of every input by modality, and the output's figures.

        Remarks and warnings are left out, since they may name a file or quote a value.
        """
        for modality, hashes in inputs.items():
            if isinstance(hashes, str) or not all(_SHA256.fullmatch(item) for item in hashes):
                raise TypeError(f"inputs of {modality} are SHA-256 hashes and nothing else")
        kept = {name: value for name, value in output.items() if name not in _NOT_KEPT}
        with self.writing() as session:
            adapter = _find(session, adapter_id)
            sums = {modality: list(items) for modality, items in inputs.items()}
            row = Prediction(adapter_id=adapter.id, case_id=case_id, inputs=sums, output=kept)
            session.add(row)
            session.flush()
            # The log is never rewritten, so it names the row: the case goes with that.
            log_event(session, "prediction made", adapter.id, {"prediction": row.id})
            return row.record()

    def predictions(
        self, adapter_id: str | None = None, limit: int | None = 100
    ) -> list[PredictionRecord]:
        """The newest answers, newest first; of one adapter if given."""
        query = select(Prediction).order_by(Prediction.id.desc()).limit(limit)
        if adapter_id is not None:
            query = query.where(Prediction.adapter_id == adapter_id)
        with self.reading() as session:
            return [row.record() for row in session.scalars(query)]


def new_id(session: Session, noun: str) -> str:
    """Short readable text that no run or adapter has yet, such as "run-7f3a9c"."""
    while True:
        chosen = f"{noun}-{secrets.token_hex(3)}"
        if session.get(Run, chosen) is None and session.get(Adapter, chosen) is None:
            return chosen


def place_adapter(
    session: Session, adapter_id: str, project_id: int, run_id: str | None, name: str,
    card: Mapping[str, Any], sealed: str | None = None,
) -> None:  # fmt: skip
    """Write an adapter's row in the session's transaction. Raises InputError if the id is taken."""
    assert _ID.fullmatch(adapter_id), f"'{adapter_id}' cannot be an adapter's id"
    if session.get(Adapter, adapter_id) is not None:
        raise InputError(
            f"There is already an adapter '{adapter_id}'.", hint="Delete it first, or use it."
        )
    session.add(
        Adapter(
            id=adapter_id, project_id=project_id, run_id=run_id, card=dict(card),
            name=checked_name(name, "adapter"), sealed=sealed,
        )
    )  # fmt: skip
    log_event(session, "adapter added", adapter_id, {"project": project_id, "run": run_id})


def place_held_out(session: Session, adapter_id: str, content: Mapping[str, Any]) -> None:
    """Write an adapter's answers to held-out cases in the session's transaction."""
    row = session.get(HeldOut, adapter_id)
    if row is None:
        session.add(HeldOut(adapter_id=adapter_id, content=dict(content)))
    else:
        row.content = dict(content)
    cases = len(content["test"]["case_ids"])
    log_event(session, "held-out answers kept", adapter_id, {"cases": cases})


def first_alias(session: Session, project_id: int, adapter_id: str) -> None:
    """Champion if the project has none, else candidate."""
    taken = select(Alias.id).where(Alias.project_id == project_id, Alias.name == CHAMPION)
    alias = CHAMPION if session.scalar(taken) is None else CANDIDATE
    _point(session, project_id, alias, adapter_id)


def _point(session: Session, project_id: int, alias: str, adapter_id: str) -> None:
    old = select(Alias).where(Alias.project_id == project_id, Alias.name == alias)
    row = session.scalar(old)
    if row is None:
        session.add(Alias(project_id=project_id, name=alias, adapter_id=adapter_id))
    else:
        row.adapter_id = adapter_id
    log_event(session, "adapter alias set", adapter_id, {"project": project_id, "alias": alias})


def _find(session: Session, reference: str) -> Adapter:
    row = session.get(Adapter, reference)
    project, _, alias = reference.rpartition("/")
    if row is None and project:
        owner = find_project(session, project)
        row = session.scalar(
            select(Adapter)
            .join(Alias, Alias.adapter_id == Adapter.id)
            .where(Alias.project_id == owner.id, Alias.name == alias)
        )
    if row is None:
        raise NotFound(
            f"There is no adapter '{reference}'.",
            hint="`adapter list` names the adapters there are. Give an id, or PROJECT/ALIAS.",
        )
    return row


def _records(session: Session, rows: Sequence[Adapter]) -> list[AdapterRecord]:
    """The rows as records, with their aliases."""
    names: dict[str, list[str]] = {row.id: [] for row in rows}
    session.flush()
    for alias in session.scalars(select(Alias).order_by(Alias.name)):
        if alias.adapter_id in names:
            names[alias.adapter_id].append(alias.name)
    return [row.record(tuple(names[row.id])) for row in rows]
