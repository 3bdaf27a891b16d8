"""What each column of a manifest is, proposed from its name and its content.

Modalities are whatever `pipelines()` offers; their words and file endings decide, nothing here
knows them by name. Every proposal comes with its reason, for a person to confirm or change.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from fmstudio.cohort.cells import name_words
from fmstudio.cohort.columns import Column, Kinds, describe
from fmstudio.cohort.labels import choose_labels, gives_away, is_label_name
from fmstudio.cohort.manifest import Manifest
from fmstudio.cohort.paths import Files
from fmstudio.cohort.splits import SPLIT_NAMES, patients_in_several_splits
from fmstudio.contracts import pipelines
from fmstudio.errors import InputError

FIXED_ROLES = ("case_id", "patient_id", "label", "group", "time", "split", "ignore")
SINGLE_ROLES = ("case_id", "patient_id", "time", "split")

_CASE_NAMES = tuple(
    (
        "case_id case id caseid record_id study_id exam_id sample_id encounter_id visit_id stay_id "
        "admission_id hadm_id"
    ).split()
)
_PATIENT_NAMES = tuple(
    (
        "patient_id patient patientid subject_id subject subjectid person_id person participant_id "
        "participant pid mrn"
    ).split()
)
_LEAKING_WORDS = frozenset(("leaky", "outcome", "meta"))
_LEAKING_CAPITALS = frozenset(("SCORE", "OUT"))  # in capitals only: apgar_score is an input
_AFTERWARDS = frozenset(("survival", "survived", "death", "died", "deceased", "mortality"))
_ORIGIN_WORDS = frozenset(("license", "licence", "source", "url", "provenance", "filename"))
_PLACE_WORDS = frozenset(
    ("site", "hospital", "centre", "center", "clinic", "ward", "scanner", "vendor", "manufacturer")
)
_BAND_WORDS = frozenset(("band", "group", "bracket", "bin"))
_MOST_GROUPS = 20
_PERSON_WORDS = frozenset(
    ("surname", "firstname", "lastname", "forename", "phone", "email", "address", "ssn", "mrn")
)
_IDENTIFIER_WORDS = frozenset(("id", "identifier", "uid", "uuid", "accession"))
_TIME_NAMES = ("date", "time", "datetime", "timestamp")
_TIME_OF = frozenset(("case", "study", "visit", "admission", "exam", "acquisition", "scan"))


@dataclass(frozen=True)
class ColumnRole:
    """The proposed role of one column, and why.

    `filled` and `distinct` count cells; `examples` are up to three of them; `modality` is the role
    again where it is a modality, else None.
    """

    column: str
    role: str
    reason: str
    examples: tuple[str, ...]
    filled: int
    distinct: int
    modality: str | None = None


def propose_roles(
    manifest: Manifest, label: str | Sequence[str] | None = None, kind: str | None = None
) -> list[ColumnRole]:
    """A role for every column, in the manifest's order.

    `label` names the outcome's column (several for multilabel); without it, the names and the
    task's `kind` decide. Raises InputError if `label` names no column.
    """
    given = [label] if isinstance(label, str) else list(label or ())
    for name in given:
        manifest.check_column(name)
    kinds, files = Kinds.of(pipelines().values()), Files(manifest.folder)
    columns = [describe(name, manifest, kinds, files) for name in manifest.columns]
    labels = dict.fromkeys(given, "named as the outcome") or choose_labels(columns, kind)
    rules = _Rules(manifest, kinds, labels, {}, [c for c in columns if c.name in labels])
    found: list[ColumnRole] = []
    for column in columns:
        role, reason = rules.role(column)
        if role in SINGLE_ROLES:
            rules.taken[role] = column.name
        found.append(
            ColumnRole(
                column.name,
                role,
                reason,
                column.examples,
                column.filled,
                column.distinct,
                role if role in pipelines() else None,
            )
        )
    return found


@dataclass
class _Rules:
    """The rules, most certain first; each gives (role, reason) or None."""

    manifest: Manifest
    kinds: Kinds
    labels: Mapping[str, str]
    taken: dict[str, str]
    label_columns: Sequence[Column]

    def role(self, column: Column) -> tuple[str, str]:
        rules: tuple[Callable[[Column], tuple[str, str] | None], ...] = (
            self._label,
            self._empty,
            self._patient,
            self._case,
            self._leaking,
            self._split,
            self._other_label,
            self._files,
            self._person,
            self._text,
            self._identifier,
            self._gives_label,
            self._time,
            self._constant,
            self._group,
        )
        for rule in rules:
            found = rule(column)
            if found is not None:
                return found
        if self.kinds.table is None:
            return "ignore", "There is no modality for table values."
        return self.kinds.table, f"Table value: {column.content}."

    def _label(self, column: Column) -> tuple[str, str] | None:
        if column.name in self.labels:
            return "label", f"Outcome: {self.labels[column.name]}; {column.content}."
        return None

    def _empty(self, column: Column) -> tuple[str, str] | None:
        return ("ignore", "No cell is filled.") if column.filled == 0 else None

    def _case(self, column: Column) -> tuple[str, str] | None:
        key = "_".join(column.words)
        unique = column.distinct == column.rows
        if "case_id" in self.taken or key not in _CASE_NAMES or not (unique or key == "case_id"):
            return None
        return "case_id", "Its name, and a different value in every row."

    def _patient(self, column: Column) -> tuple[str, str] | None:
        if "patient_id" in self.taken or "_".join(column.words) not in _PATIENT_NAMES:
            return None
        return "patient_id", f"Its name; {column.distinct} patients in {column.rows} rows."

    def _leaking(self, column: Column) -> tuple[str, str] | None:
        known = "" if is_label_name(column) else known_afterwards(column.name)
        if known:
            return "ignore", known
        if set(column.words) & _ORIGIN_WORDS and not column.modality:
            return "ignore", "It names where the data came from, which can leak the outcome."
        return None

    def _split(self, column: Column) -> tuple[str, str] | None:
        if "split" not in column.words or "split" in self.taken:
            return None
        if not all(
            value.strip().lower() in SPLIT_NAMES for value in column.values if value.strip()
        ):
            return "ignore", "Named as a split, but with values other than train, validation, test."
        patients = self.taken.get("patient_id")
        if patients is None:
            patients = next((n for n in _PATIENT_NAMES if n in self.manifest.columns), None)
        torn = patients_in_several_splits(self.manifest, column.name, patients) if patients else []
        if torn:
            return "ignore", (
                f"A given split, but {len(torn)} patients are in more than one part of it; "
                "patients are split anew."
            )
        return "split", "A given split into train, validation and test."

    def _other_label(self, column: Column) -> tuple[str, str] | None:
        if not is_label_name(column):
            return None
        return "ignore", f"Another outcome; the one to predict is {', '.join(self.labels)}."

    def _files(self, column: Column) -> tuple[str, str] | None:
        return None if column.modality is None else (column.modality or "ignore", column.why)

    def _text(self, column: Column) -> tuple[str, str] | None:
        if self.kinds.text is None or not column.free_text:
            return None
        return self.kinds.text, f"Free text, {column.content}."

    def _person(self, column: Column) -> tuple[str, str] | None:
        if names_person(column.name):
            return "ignore", "It names a person, and is no input."
        return None

    def _identifier(self, column: Column) -> tuple[str, str] | None:
        if column.identifier or _IDENTIFIER_WORDS & set(column.words[-1:]):
            return "ignore", f"An identifier: {column.distinct} values in {column.filled} cells."
        return None

    def _gives_label(self, column: Column) -> tuple[str, str] | None:
        for label in self.label_columns:
            if gives_away(column, label):
                return "ignore", f"It gives {label.name} away: each of its values has one outcome."
        return None

    def _time(self, column: Column) -> tuple[str, str] | None:
        words = column.words
        fits = words[-1:] and words[-1] in _TIME_NAMES
        if "time" in self.taken or not fits or not column.dates:
            return None
        if len(words) > 1 and not _TIME_OF & set(words):
            return None
        return "time", "When the case happened: dates, and its name."

    def _constant(self, column: Column) -> tuple[str, str] | None:
        if column.distinct == 1 and column.filled == column.rows:
            return "ignore", "The same value in every row."
        return None

    def _group(self, column: Column) -> tuple[str, str] | None:
        """Where a patient was seen says more of who was sent there than of the illness."""
        words = column.words
        if column.distinct > _MOST_GROUPS:
            return None
        if set(words[-1:]) & _PLACE_WORDS:
            return "group", f"Where it was recorded, to compare by; no input: {column.content}."
        whole = "_".join(words[:-1])
        if set(words[-1:]) & _BAND_WORDS and whole in self.manifest.columns:
            return "group", f"'{whole}' in bands, to compare by; '{whole}' itself is the input."
        return None


def known_afterwards(name: str) -> str:
    """Why the name of a column says that it was known only after the outcome, or ""."""
    words, capitals = set(name_words(name)), set(name.replace("-", "_").split("_"))
    if words & _LEAKING_WORDS or capitals & _LEAKING_CAPITALS:
        return "Its name says that it was made from, or known after, the outcome."
    if words & _AFTERWARDS:
        return "Its name says what became of the patient, not what was known before."
    return ""


def names_person(name: str) -> bool:
    """True if the name of a column says that it tells who the patient is."""
    words = name_words(name)
    named = "name" in words and set(words) & {"patient", "first", "last", "family", "full"}
    return bool(set(words) & _PERSON_WORDS or named or words == ("name",))


def names_origin(name: str) -> bool:
    """True if the name of a column says where or how a case was recorded."""
    words = name_words(name)
    return bool(set(words) & _ORIGIN_WORDS or set(words[-1:]) & _PLACE_WORDS)


def split_role(role: str) -> tuple[str, ...]:
    """The roles that a column has: "group,ROLE" is both a group and an input."""
    return tuple(part.strip() for part in role.split(",") if part.strip())


def check_roles(manifest: Manifest, roles: Mapping[str, str]) -> None:
    """Raises InputError for an unknown column or role, or a second column of a single role."""
    known = (*pipelines(), *FIXED_ROLES)
    for column, role in roles.items():
        manifest.check_column(column)
        unknown = [part for part in split_role(role) if part not in known] or (
            [] if split_role(role) else [role]
        )
        if unknown:
            raise InputError(
                f"Column '{column}' cannot have the role '{unknown[0]}'.",
                hint=f"Roles are: {', '.join(known)}.",
            )
    for single in SINGLE_ROLES:
        holders = columns_of(roles, single)
        if len(holders) > 1:
            raise InputError(
                f"Columns {', '.join(holders)} all have the role {single}.",
                hint=f"Give the role {single} to one of them and 'ignore' to the others.",
            )


def columns_of(roles: Mapping[str, str], role: str) -> list[str]:
    """The columns that have a role, in the order of `roles`."""
    return [column for column, given in roles.items() if role in split_role(given)]
