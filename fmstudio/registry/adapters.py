"""The registry's verbs on adapters, their aliases, and the predictions made with them."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Select, delete, func, select
from sqlalchemy.orm import Session

from fmstudio.errors import InputError, NotFound
from fmstudio.records import AdapterName, AdapterRecord, AdapterSummary, PredictionRecord
from fmstudio.registry.database import Database
from fmstudio.registry.events import log_event
from fmstudio.registry.projects import checked_name, find_project
from fmstudio.registry.tables import Adapter, Alias, HeldOut, ModelUse, Prediction, Run, within

CHAMPION, CANDIDATE = "champion", "candidate"
_ALIAS = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}")
_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")  # it also names a folder
_SHA256 = re.compile(r"[0-9a-f]{64}")
_NEWEST = (Adapter.created_at.desc(), Adapter.id.desc())
# As AdapterSummary has them, of the long card only what a list shows.
_SUMMARY = (
    Adapter.id,
    Adapter.project_id,
    Adapter.name,
    Adapter.created_at,
    within(Adapter.card, "metrics").label("metrics"),
    within(Adapter.card, "n", "test").label("test_cases"),
)
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
        self,
        adapter_id: str,
        project_id: int,
        run_id: str | None,
        name: str,
        card: Mapping[str, Any],
        sealed: str | None = None,
    ) -> AdapterRecord:
        """Register an adapter whose files are in place; `sealed` is the SHA-256 of its manifest.

        Raises InputError if the id is taken.
        """
        with self.writing() as session:
            project = find_project(session, project_id)
            place_adapter(session, adapter_id, project.id, run_id, name, card, sealed)
            return _record(session, _find(session, adapter_id))

    def adapter(self, reference: str) -> AdapterRecord:
        """The adapter of this id, or the one that PROJECT/ALIAS points to. Raises NotFound."""
        with self.reading() as session:
            return _record(session, _find(session, reference))

    def adapters(
        self,
        project_id: int | None = None,
        alias: str | None = None,
        sealed: str | None = None,
        limit: int | None = None,
        skip: int = 0,
    ) -> list[AdapterRecord]:
        """Adapters, newest first: at most `limit` after `skip` of them; where given, those of one
        project, of an alias, of a seal."""
        few = _chosen(select(Adapter.id), project_id, alias, sealed)
        few = few.order_by(*_NEWEST).limit(limit).offset(skip)  # of an index: cards are long
        with self.reading() as session:
            query = select(Adapter).where(Adapter.id.in_(few)).order_by(*_NEWEST)
            aliases = _aliases(session, few)
            return [row.record(aliases.get(row.id, ())) for row in session.scalars(query)]

    def adapter_names(
        self, project_id: int | None = None, alias: str | None = None, limit: int | None = None
    ) -> list[AdapterName]:
        """Adapters without their cards, newest first, at most `limit`; where given, those of one
        project, of an alias."""
        few = _chosen(select(Adapter.id), project_id, alias).order_by(*_NEWEST).limit(limit)
        query = select(Adapter.id, Adapter.project_id, Adapter.name, Adapter.sealed)
        query = query.where(Adapter.id.in_(few))
        with self.reading() as session:
            aliases = _aliases(session, few)
            rows = session.execute(query.order_by(*_NEWEST))
            return [AdapterName(*row, aliases.get(row.id, ())) for row in rows]

    def adapter_summaries(
        self, project_id: int | None = None, limit: int | None = None, skip: int = 0
    ) -> list[AdapterSummary]:
        """Adapters as lines of a list, newest first: at most `limit` after `skip` of them; of one
        project if given."""
        few = _chosen(select(Adapter.id), project_id).order_by(*_NEWEST).limit(limit).offset(skip)
        with self.reading() as session:
            return _summaries(session, few)

    def made_with(self, model: str, limit: int | None = None) -> list[AdapterSummary]:
        """The adapters made with a base (by its name) or an encoder (by its SHA-256), newest first,
        at most `limit`."""
        few = select(ModelUse.adapter_id).where(ModelUse.model == model)
        with self.reading() as session:
            return _summaries(session, few.order_by(ModelUse.id.desc()).limit(limit))

    def count_adapters(self, project_id: int | None = None) -> int:
        """How many adapters there are; of one project if given."""
        query = _chosen(select(func.count()).select_from(Adapter), project_id)
        with self.reading() as session:
            return session.scalar(query) or 0

    def count_uses(self) -> dict[str, int]:
        """How many adapters were made with each model: a base by its name, an encoder by its
        SHA-256."""
        query = select(ModelUse.model, func.count().label("adapters")).group_by(ModelUse.model)
        with self.reading() as session:
            return {row.model: row.adapters for row in session.execute(query)}

    def adapter_ids(self, project_id: int | None = None) -> list[str]:
        """The ids of all adapters; of one project if given."""
        with self.reading() as session:
            return list(session.scalars(_chosen(select(Adapter.id), project_id)))

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
            return _record(session, row)

    def seal_adapter(self, adapter_id: str, sealed: str) -> AdapterRecord:
        """Keep the seal of an adapter whose files were sealed anew or made whole."""
        with self.writing() as session:
            row = _find(session, adapter_id)
            row.sealed = sealed
            log_event(session, "adapter sealed", row.id, {"sha256": sealed})
            return _record(session, row)

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
        self,
        adapter_id: str,
        case_id: str,
        inputs: Mapping[str, Sequence[str]],
        output: Mapping[str, Any],
    ) -> PredictionRecord:
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
        self, adapter_id: str | None = None, limit: int = 100, before: int | None = None
    ) -> list[PredictionRecord]:
        """The newest answers, newest first; where given, of one adapter and before an answer."""
        query = select(Prediction).order_by(Prediction.id.desc()).limit(limit)
        if adapter_id is not None:
            query = query.where(Prediction.adapter_id == adapter_id)
        if before is not None:
            query = query.where(Prediction.id < before)
        with self.reading() as session:
            return [row.record() for row in session.scalars(query)]


def new_id(session: Session, noun: str) -> str:
    """Short readable text that no run or adapter has yet, such as "run-7f3a9c"."""
    while True:
        chosen = f"{noun}-{secrets.token_hex(3)}"
        if session.get(Run, chosen) is None and session.get(Adapter, chosen) is None:
            return chosen


def place_adapter(
    session: Session,
    adapter_id: str,
    project_id: int,
    run_id: str | None,
    name: str,
    card: Mapping[str, Any],
    sealed: str | None = None,
) -> None:
    """Write an adapter's row in the session's transaction. Raises InputError if the id is taken."""
    assert _ID.fullmatch(adapter_id), f"'{adapter_id}' cannot be an adapter's id"
    if session.get(Adapter, adapter_id) is not None:
        raise InputError(
            f"There is already an adapter '{adapter_id}'.", hint="Delete it first, or use it."
        )
    session.add(
        Adapter(
            id=adapter_id,
            project_id=project_id,
            run_id=run_id,
            card=dict(card),
            name=checked_name(name, "adapter"),
            sealed=sealed,
        )
    )
    session.flush()
    session.add_all(ModelUse(adapter_id=adapter_id, model=model) for model in _models(card))
    log_event(session, "adapter added", adapter_id, {"project": project_id, "run": run_id})


def _models(card: Mapping[str, Any]) -> list[str]:
    """What an adapter was made with, each once: its base's name, its checkpoints' SHA-256."""
    checkpoints = [one["sha256"] for one in card.get("checkpoints") or ()]
    return list(dict.fromkeys(model for model in (card.get("base"), *checkpoints) if model))


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


def _chosen(
    query: Select[Any], project_id: int | None, alias: str | None = None, sealed: str | None = None
) -> Select[Any]:
    if project_id is not None:
        query = query.where(Adapter.project_id == project_id)
    if alias is not None:
        query = query.where(Adapter.id.in_(select(Alias.adapter_id).where(Alias.name == alias)))
    if sealed is not None:
        query = query.where(Adapter.sealed == sealed)
    return query


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


def _record(session: Session, row: Adapter) -> AdapterRecord:
    """The row as a record, with its aliases."""
    session.flush()
    return row.record(_aliases(session, [row.id]).get(row.id, ()))


def _summaries(session: Session, few: Select[Any]) -> list[AdapterSummary]:
    aliases = _aliases(session, few)
    rows = session.execute(select(*_SUMMARY).where(Adapter.id.in_(few)).order_by(*_NEWEST))
    return [
        AdapterSummary(
            **row._asdict() | {"metrics": row.metrics or {}}, aliases=aliases.get(row.id, ())
        )
        for row in rows
    ]


def _aliases(
    session: Session, adapters: Sequence[str] | Select[tuple[str]]
) -> dict[str, tuple[str, ...]]:
    """The aliases, by name, of those of these adapters that have any."""
    query = select(Alias).where(Alias.adapter_id.in_(adapters)).order_by(Alias.name)
    names: dict[str, tuple[str, ...]] = {}
    for alias in session.scalars(query):
        names[alias.adapter_id] = (*names.get(alias.adapter_id, ()), alias.name)
    return names
