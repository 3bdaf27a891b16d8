"""What a DICOM header tells of the patient, and the file without it.

Stripping follows the Basic Application Level Confidentiality Profile (PS3.15 Annex E). Where the
profile lists what must go, here it is listed what may stay: the description of the pixels, how they
were acquired, and what the standard demands of a valid file. So an element that a newer edition
adds to the profile's table, or that a vendor invents, goes too. UIDs are replaced (action U),
elements that the file must have are emptied (Z), everything else is removed (X). What is burned
into the pixels stays: the profile leaves it to the Clean Pixel Data Option.
"""

from __future__ import annotations

import hashlib
import io
import warnings
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import (
    UID,
    SecondaryCaptureImageStorage,
)

from pipelines.formats.decoding import decoding
from pipelines.formats.dicom_identity import identifying
from pipelines.formats.dicom_stream import opener, pixel_parts, plain_syntax

# Kept as they are. Group 0028 describes the pixels and stays whole but for names of procedures.
_KEPT = frozenset(
    tuple(
        (
            "SOPClassUID Modality ConversionType ImageType BodyPartExamined ViewPosition "
            "Laterality ImageLaterality PatientOrientation PatientPosition PatientSex PatientAge "
            "SliceThickness SpacingBetweenSlices ImagePositionPatient ImageOrientationPatient "
            "SliceLocation ImagerPixelSpacing InstanceNumber SeriesNumber AcquisitionNumber "
            "NumberOfFrames FrameTime FrameTimeVector RecommendedDisplayFrameRate CineRate "
            "FrameIncrementPointer KVP Exposure ExposureTime XRayTubeCurrent "
            "DistanceSourceToDetector DistanceSourceToPatient "
            "EstimatedRadiographicMagnificationFactor PhotometricInterpretation "
            "SpecificCharacterSet PresentationLUTShape PresentationIntentType Manufacturer "
            "ManufacturerModelName RescaleType EchoTime RepetitionTime MagneticFieldStrength "
            "FlipAngle ScanningSequence SequenceVariant MRAcquisitionType PixelData FloatPixelData "
            "DoubleFloatPixelData SharedFunctionalGroupsSequence PerFrameFunctionalGroupsSequence "
            "PixelMeasuresSequence PlanePositionSequence PlaneOrientationSequence "
            "PixelValueTransformationSequence FrameVOILUTSequence ModalityLUTSequence "
            "VOILUTSequence SequenceOfUltrasoundRegions PhysicalDeltaX PhysicalDeltaY "
            "PhysicalUnitsXDirection PhysicalUnitsYDirection RegionLocationMinX0 "
            "RegionLocationMinY0 RegionLocationMaxX1 RegionLocationMaxY1 RegionSpatialFormat "
            "RegionDataType RegionFlags LUTDescriptor LUTExplanation LUTData StartTrim StopTrim "
            "EffectiveDuration ActualFrameDuration TimeRange FrameContentSequence StackID "
            "InStackPositionNumber DimensionIndexSequence DimensionIndexPointer "
            "FunctionalGroupPointer DimensionIndexValues TemporalPositionIndex "
            "TemporalPositionSequence TemporalPositionTimeOffset CardiacSynchronizationSequence "
            "NominalCardiacTriggerDelayTime TriggerTime TemporalPositionIdentifier "
            "PlanePositionVolumeSequence ImagePositionVolume PlaneOrientationVolumeSequence "
            "ImageOrientationVolume SegmentIdentificationSequence ReferencedSegmentNumber "
            "GridFrameOffsetVector DoseGridScaling SliceVector DetectorInformationSequence"
        ).split()
    )
)
_NEW_UIDS = frozenset(
    ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")
)
_EMPTIED = tuple(
    (
        "PatientName PatientID PatientBirthDate StudyDate StudyTime AccessionNumber "
        "ReferringPhysicianName StudyID"
    ).split()
)
SAID = "BurnedInAnnotation"
_PIXEL_GROUP = 0x0028
_NOT_OF_THE_PIXELS = frozenset(
    (
        "RequestingService",
        "RequestedProcedureDescription",
        "RequestedContrastAgent",
        "StudyComments",
    )
)
# Plate, film and flat detector make one kind of picture (PS3.3 C.7.3.1.1.1).
_ONE_KIND = {"CR": "DX", "RG": "DX", "DR": "DX"}
_UID_ROOT = "2.25."  # PS3.5 B.2: a UUID as a whole number


def header_facts(path: Path) -> dict[str, list[str]]:
    """`identifiers`: names of elements that tell of the patient or the place, `direct` those of
    them that give a name or number; `modality`, `made_by`; `burned_in` where the file says so.

    Raises UnreadableFile if the header cannot be read.
    """
    header = _read(path)
    with warnings.catch_warnings(), decoding(path.name):
        warnings.simplefilter("ignore")
        made_by = " ".join(
            str(header.get(word, "")).strip() for word in ("Manufacturer", "ManufacturerModelName")
        ).strip()
        modality = str(header.get("Modality", "")).strip()
        modality = _ONE_KIND.get(modality, modality)
        direct, other = identifying(header)
        burned = str(header.get("BurnedInAnnotation", "")).strip().upper() == "YES"
        return {
            "identifiers": [*direct, *other],
            "direct": direct,
            "burned_in": [SAID] if burned else [],
            "modality": [modality] if modality else [],
            "made_by": [made_by] if made_by else [],
        }


def without_identity(path: Path) -> bytes:
    """The file as it may be kept: see the head of this file.

    Raises UnreadableFile if it cannot be read or written again.
    """
    with (
        warnings.catch_warnings(),
        decoding(path.name, "Export it again as DICOM."),
        opener(path)() as stream,
    ):
        warnings.simplefilter("ignore")
        stored = pydicom.dcmread(stream, stop_before_pixels=True, force=True)
        pixels_at = stream.tell()
        _strip(stored)
        for word in _EMPTIED:
            setattr(stored, word, "")
        stored.PatientIdentityRemoved = "YES"
        stored.DeidentificationMethod = "DICOM PS3.15 Basic Profile"
        profile = Dataset()
        profile.CodeValue, profile.CodingSchemeDesignator = "113100", "DCM"
        profile.CodeMeaning = "Basic Application Confidentiality Profile"
        stored.DeidentificationMethodCodeSequence = [profile]
        _complete_meta(stored, path.stem)
        for word in (
            "SourceApplicationEntityTitle",
            "PrivateInformation",
            "PrivateInformationCreatorUID",
            "SendingApplicationEntityTitle",
            "ReceivingApplicationEntityTitle",
        ):
            if word in stored.file_meta:
                delattr(stored.file_meta, word)
        stored.preamble = b"\0" * 128
        out = io.BytesIO()
        stored.save_as(out, enforce_file_format=True)
        # The pixels, which may be many, are copied as they lie; what follows them is left out.
        stream.seek(pixels_at)
        for part in pixel_parts(stream, stored, stored.file_meta.TransferSyntaxUID):
            out.write(part)
        return out.getvalue()


def _complete_meta(stored: pydicom.FileDataset, name: str) -> None:
    """The file meta information that PS3.10 7.1 demands, also where the file came without it."""
    if not stored.get("SOPInstanceUID"):
        stored.SOPInstanceUID = _new_uid(name)
    if not stored.get("SOPClassUID"):
        stored.SOPClassUID = SecondaryCaptureImageStorage
    stored.file_meta.MediaStorageSOPInstanceUID = stored.SOPInstanceUID
    stored.file_meta.MediaStorageSOPClassUID = stored.SOPClassUID
    if "TransferSyntaxUID" not in stored.file_meta:
        stored.file_meta.TransferSyntaxUID = UID(plain_syntax(stored))


def _read(path: Path) -> pydicom.FileDataset:
    with warnings.catch_warnings(), decoding(path.name, "Export it again as DICOM."):
        warnings.simplefilter("ignore")
        with opener(path)() as stream:
            return pydicom.dcmread(stream, stop_before_pixels=True, force=True)


def _strip(stored: Dataset) -> None:
    """Remove, in the data set and the sequences that it keeps, all that is not on the list."""
    for element in list(stored):
        keyword = element.keyword
        of_the_pixels = element.tag.group == _PIXEL_GROUP and keyword not in _NOT_OF_THE_PIXELS
        if keyword in _NEW_UIDS:
            element.value = _new_uid(str(element.value))
        elif element.tag.is_private or not (keyword in _KEPT or of_the_pixels):
            del stored[element.tag]
        elif element.VR == "SQ":
            for item in element.value:
                _strip(item)


def _new_uid(uid: str) -> UID:
    """The same new UID for the same old one, so that the slices of a series stay together."""
    digest = hashlib.sha256(f"fmstudio {uid}".encode()).digest()
    return UID(_UID_ROOT + str(int.from_bytes(digest[:16], "big")))
