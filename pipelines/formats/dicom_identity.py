"""What of a DICOM header tells who the patient is: names and numbers apart from dates and places.

Elements are told by their names, and by what stands in them: "Anonymous" is nobody, and a private
element or a description counts where it repeats the patient's name or number, or reads as one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pydicom.dataset import Dataset, FileDataset

from fmstudio.identity import is_nobody, kinds_in, may_identify, names_somebody

# Of PS3.15 Table E.1-1 what is found filled in practice. Names of persons,
NAMES = tuple(
    (
        "PatientName OtherPatientNames PatientBirthName PatientMotherBirthName "
        "ReferringPhysicianName PerformingPhysicianName NameOfPhysiciansReadingStudy OperatorsName "
        "RequestingPhysician PhysiciansOfRecord ResponsiblePerson PersonName VerifyingObserverName "
        "HumanPerformerName ScheduledPerformingPhysicianName NamesOfIntendedRecipientsOfResults "
        "ContentCreatorName ReviewerName"
    ).split()
)
# numbers and what else belongs to one person,
NUMBERS = tuple(
    (
        "PatientID OtherPatientIDs AccessionNumber MedicalRecordLocator AdmissionID "
        "PatientBirthDate PatientAddress PatientTelephoneNumbers MilitaryRank StudyID "
        "ReferringPhysicianAddress ReferringPhysicianTelephoneNumbers IssuerOfPatientID "
        "CurrentPatientLocation CountryOfResidence RegionOfResidence"
    ).split()
)
# words that somebody typed,
WORDS = tuple(
    (
        "PatientComments AdditionalPatientHistory ImageComments StudyComments "
        "RequestAttributesComments CommentsOnThePerformedProcedureStep VisitComments "
        "InterpretationText TextValue UnformattedTextValue RequestedProcedureComments "
        "FrameComments AcquisitionComments ReasonForStudy Occupation"
    ).split()
)
# and when and where: none of these alone tells who somebody is.
PLACES = tuple(
    (
        "InstitutionName InstitutionAddress InstitutionalDepartmentName StationName "
        "DeviceSerialNumber StudyDate SeriesDate AcquisitionDate ContentDate PatientBirthTime "
        "EthnicGroup"
    ).split()
)
IDENTIFIERS = (*NAMES, *NUMBERS, *WORDS, *PLACES)
# Numbers that only tell somebody apart within a file's own study.
_NEVER_ALONE = ("StudyID", "IssuerOfPatientID", "CountryOfResidence", "RegionOfResidence")
_MACHINES = frozenset(("Manufacturer", "ManufacturerModelName", "SoftwareVersions"))
_TITLES = (
    "SourceApplicationEntityTitle",
    "SendingApplicationEntityTitle",
    "ReceivingApplicationEntityTitle",
)
_TEXTS = frozenset(("LO", "LT", "SH", "ST", "UT", "UC", "PN", "CS", "AE", "UN", "OB"))
_MOST_ELEMENTS = 20_000
_LONGEST = 4_000  # characters of one value that are looked at
_OVERLAYS, _CURVES = 0x6000, 0x5000
_DATE_IN_UID = re.compile(r"\.(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])")
_FROM_UUID = "2.25."  # drawn numbers (PS3.5 B.2): what looks like a date is luck
_TIFF = (b"II*\0", b"MM\0*")


def identifying(header: FileDataset) -> tuple[list[str], list[str]]:
    """(direct, other): names of elements that name or number a person, and that tell when or where.

    Elements within sequences count too, private ones under their numbers.
    """
    direct: dict[str, None] = {}
    other: dict[str, None] = {}
    known = _own_words(header)
    pseudonym = str(header.get("PatientIdentityRemoved", "")).strip().upper() == "YES"
    for name, vr, value, private in _elements(header):
        if name in NAMES:
            kind = direct if names_somebody(value) else None
        elif name in NUMBERS:
            replaced = pseudonym and name in ("PatientID", "AccessionNumber")
            kind = None if is_nobody(value) or replaced else direct
            kind = other if kind is direct and name in _NEVER_ALONE else kind
        elif name in WORDS:
            kind = direct if may_identify(value) else other
        elif name in PLACES:
            kind = None if is_nobody(value) else other
        elif vr == "UI":
            kind = _of_uid(value, known, other)
        elif vr in _TEXTS and (private or vr != "CS") and name not in _MACHINES:
            kind = direct if _repeats(value, known) or _reads_as_person(value, vr) else None
        else:
            kind = None
        if kind is not None:
            kind[name] = None
    _beside(header, direct, other)
    return list(direct), [name for name in other if name not in direct]


def _own_words(header: Dataset) -> list[str]:
    """Parts of the patient's name and number that other elements may repeat."""
    words: set[str] = set()
    for keyword in ("PatientName", "PatientID", "PatientBirthDate", "AccessionNumber"):
        value = str(header.get(keyword, "") or "")
        if not is_nobody(value):
            words |= {part.lower() for part in re.split(r"[\s^=,]+", value) if len(part) > 3}
    return sorted(words)


def _elements(header: Dataset) -> Iterator[tuple[str, str, str, bool]]:
    """(name, value representation, value as text, private) of what is filled."""
    for number, element in enumerate(header.iterall()):
        if number >= _MOST_ELEMENTS:
            return
        if element.VR == "SQ" or element.tag.group in (0x7FE0, 0x5400):
            continue
        value = element.value
        if isinstance(value, bytes):
            if element.VR == "OB" and not element.tag.is_private:
                continue
            text = value[:_LONGEST].decode("latin-1")
            printable = sum(letter.isprintable() for letter in text)
            value = text if printable > 0.9 * len(text) else ""
        text = str(value)[:_LONGEST].strip() if value is not None else ""
        if text and text != "[]":
            name = (
                element.keyword
                or f"private element ({element.tag.group:04x},{element.tag.element:04x})"
            )
            yield name, element.VR, text, element.tag.is_private


def _repeats(value: str, known: list[str]) -> bool:
    plain = value.lower()
    return any(word in plain for word in known)


def _reads_as_person(value: str, vr: str) -> bool:
    """True for a name as DICOM writes it (family^given), or a pattern that tells of a person."""
    parts = [part for part in value.split("^") if part.strip()]
    named = vr == "PN" or (len(parts) in (2, 3) and all(part.strip().isalpha() for part in parts))
    return (named and all(map(names_somebody, parts))) or bool(kinds_in(value))


def _of_uid(value: str, known: list[str], other: dict[str, None]) -> dict[str, None] | None:
    """A UID with the patient's number in it counts under its own name, one with a date as that."""
    numbers = [word for word in known if word.isdigit() and len(word) > 4]
    if any(number in value for number in numbers):
        return other
    if _DATE_IN_UID.search(value) and not value.startswith(_FROM_UUID):
        other["dates in UIDs"] = None
    return None


def _beside(header: FileDataset, direct: dict[str, None], other: dict[str, None]) -> None:
    """The preamble, titles of application entities, overlays and curves."""
    preamble = bytes(getattr(header, "preamble", None) or b"")
    said = preamble.strip(b"\0 ").decode("latin-1")
    if len(said) > 3 and not preamble.startswith(_TIFF):
        (direct if may_identify(said) else other)["preamble"] = None
    meta = getattr(header, "file_meta", None) or Dataset()
    for keyword in _TITLES:
        if str(meta.get(keyword, "") or "").strip():
            other[keyword] = None
    for element in header:
        if element.tag.group & 0xFF00 == _OVERLAYS and element.tag.element == 0x3000:
            other["overlay plane"] = None
        elif element.tag.group & 0xFF00 == _CURVES:
            other["curve"] = None
