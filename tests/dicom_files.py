"""DICOM files for tests, written with pydicom and with the encoders that are installed."""

import io
from collections.abc import Callable

import imagecodecs
import numpy as np
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels.encoders import RLELosslessEncoder
from pydicom.sequence import Sequence

NATIVE = (
    uid.ImplicitVRLittleEndian,
    uid.ExplicitVRLittleEndian,
    uid.DeflatedExplicitVRLittleEndian,
    uid.ExplicitVRBigEndian,
)
# What names a person, a place or a day, in elements of every kind.
PRIVATE = {
    "PatientName": "PLANTED^NAME",
    "PatientID": "PLANTED-ID-47114711",
    "PatientBirthDate": "19010203",
    "StudyDate": "19040506",
    "InstitutionName": "PLANTED HOSPITAL",
    "ReferringPhysicianName": "PLANTED^PHYSICIAN",
    "AccessionNumber": "PLANTED-ACC",
    "StudyDescription": "PLANTED DESCRIPTION",
    "ImageComments": "PLANTED COMMENT",
    "SpecificCharacterSet": "PLANTED CHARSET",
}
MARKS = ("PLANTED", "47114711", "19010203", "19040506", "1.2.3.47114711")


def write(levels: np.ndarray, syntax: str = uid.ExplicitVRLittleEndian, preamble: bool = True, **tags: object) -> bytes:
    """A DICOM file of one film.

    levels: stored values, (rows, columns) or (rows, columns, 3) uint8, integers; signed when their type is.
    tags: elements by their keyword, which stand beside or in place of what the levels give; None leaves one out.
    Two are no tags: `elements` (tag, VR and value of more elements) and `encode` (levels and bits -> stream, in place
    of the encoder that is usual for the syntax).
    """
    encode, elements = tags.pop("encode", None), tags.pop("elements", ())
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = uid.UID(syntax)
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = uid.DigitalXRayImageStorageForPresentation
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = "1.2.3.47114711"
    bits = 8 * levels.dtype.itemsize
    settings = {
        "Modality": "DX",
        "Rows": levels.shape[0],
        "Columns": levels.shape[1],
        "SamplesPerPixel": 1 if levels.ndim == 2 else 3,
        "PhotometricInterpretation": "MONOCHROME2" if levels.ndim == 2 else "RGB",
        "BitsAllocated": bits,
        "BitsStored": bits,
        "HighBit": tags.get("BitsStored", bits) - 1,
        "PixelRepresentation": int(np.issubdtype(levels.dtype, np.signedinteger)),
        **({"PlanarConfiguration": 0} if levels.ndim == 3 else {}),
        **tags,
    }
    for keyword, value in settings.items():
        if value is not None:
            setattr(dataset, keyword, value)
    for element in elements:
        dataset.add_new(*element)
    native = syntax in NATIVE
    order = ">" if syntax == uid.ExplicitVRBigEndian else "<"
    if "PixelData" not in tags:
        if native:
            pixels = levels.astype(levels.dtype.newbyteorder(order)).tobytes()
            dataset.PixelData = pixels + b"\0" * (len(pixels) % 2)
        else:
            dataset.PixelData = encapsulate([(encode or ENCODERS[syntax])(levels, settings["BitsStored"])])
        dataset["PixelData"].VR = "OW" if native and bits > 8 else "OB"
    stream = io.BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    data = stream.getvalue()
    if not preamble:
        whole = io.BytesIO()
        del dataset.file_meta
        dataset.save_as(whole, implicit_vr=syntax == uid.ImplicitVRLittleEndian, little_endian=order == "<")
        data = whole.getvalue()
    return data


def table(keyword: str, entries: np.ndarray, first: int = 0, bits: int = 16) -> dict[str, Sequence]:
    """The tags of a look-up table. keyword: ModalityLUTSequence or VOILUTSequence."""
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [len(entries) % 65536, first, bits])
    item.add_new("LUTData", "US", [int(entry) for entry in entries])
    return {keyword: Sequence([item])}


def view_code(value: str) -> dict[str, Sequence]:
    """The tags that say the view by its code."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "SCT", "PLANTED MEANING"
    return {"ViewCodeSequence": Sequence([item])}


def named(**tags: object) -> dict[str, object]:
    """Tags that name a person, on every level."""
    inner = Dataset()
    inner.PatientName, inner.PatientID = "PLANTED^INNER", "PLANTED-INNER"
    inner.RequestAttributesSequence = Sequence([Dataset()])
    return {**PRIVATE, "StudyInstanceUID": "1.2.3.47114711.1", "ReferencedStudySequence": Sequence([inner]), **tags}


def _jpeg(lossless: bool, **options: object) -> Callable[[np.ndarray, int], bytes]:
    def encode(levels: np.ndarray, bits: int) -> bytes:
        return imagecodecs.jpeg8_encode(_unsigned(levels, bits), lossless=lossless, bitspersample=bits, **options)

    return encode


def _jpegls(level: int) -> Callable[[np.ndarray, int], bytes]:
    return lambda levels, bits: imagecodecs.jpegls_encode(_unsigned(levels, bits), level=level)


def _jpeg2000(**options: object) -> Callable[[np.ndarray, int], bytes]:
    def encode(levels: np.ndarray, bits: int) -> bytes:
        return imagecodecs.jpeg2k_encode(
            _unsigned(levels, bits), codecformat="j2k", bitspersample=bits, mct=levels.ndim == 3, **options
        )

    return encode


def _unsigned(levels: np.ndarray, bits: int) -> np.ndarray:
    """Signed values as their two's complement of that many bits, as streams hold them."""
    unsigned = levels.view(f"u{levels.dtype.itemsize}")
    return np.ascontiguousarray(unsigned & unsigned.dtype.type((1 << bits) - 1))


def _rle(levels: np.ndarray, bits: int) -> bytes:
    return RLELosslessEncoder.encode(
        levels,
        rows=levels.shape[0],
        columns=levels.shape[1],
        samples_per_pixel=1 if levels.ndim == 2 else 3,
        bits_allocated=8 * levels.dtype.itemsize,
        bits_stored=8 * levels.dtype.itemsize,
        pixel_representation=int(np.issubdtype(levels.dtype, np.signedinteger)),
        photometric_interpretation="MONOCHROME2" if levels.ndim == 2 else "RGB",
        number_of_frames=1,
        planar_configuration=0,
    )


ENCODERS: dict[str, Callable[[np.ndarray, int], bytes]] = {
    uid.RLELossless: _rle,
    uid.JPEGBaseline8Bit: _jpeg(False, level=95),
    uid.JPEGExtended12Bit: _jpeg(False, level=98),
    uid.JPEGLossless: _jpeg(True, predictor=4),
    uid.JPEGLosslessSV1: _jpeg(True, predictor=1),
    uid.JPEGLSLossless: _jpegls(0),
    uid.JPEGLSNearLossless: _jpegls(2),
    uid.JPEG2000Lossless: _jpeg2000(reversible=True),
    uid.JPEG2000: _jpeg2000(level=60),
    uid.HTJ2KLossless: lambda levels, bits: imagecodecs.htj2k_encode(_unsigned(levels, bits), reversible=True),
    uid.HTJ2KLosslessRPCL: lambda levels, bits: imagecodecs.htj2k_encode(_unsigned(levels, bits), reversible=True),
    uid.HTJ2K: lambda levels, bits: imagecodecs.htj2k_encode(_unsigned(levels, bits), level=0.0005),
}
