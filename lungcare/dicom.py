"""A DICOM file -> grey pixels, from the elements that lungcare/elements.py finds in it.

Pixels that are not compressed are decoded by pydicom, streams by lungcare/codecs.py.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from lungcare import levels
from lungcare.codestream import Codestream, jpeg2000_header, jpeg_header
from lungcare.elements import (
    BITS_ALLOCATED,
    BITS_STORED,
    BODY_PART,
    CENTRE,
    CODE_VALUE,
    COLUMNS,
    FRAMES,
    HIGH_BIT,
    INTERCEPT,
    LUT_DATA,
    LUT_DESCRIPTOR,
    MODALITY,
    MODALITY_LUT,
    NATIVE,
    PADDING,
    PADDING_LIMIT,
    PHOTOMETRIC,
    PIXELS,
    PLANAR,
    ROWS,
    SAMPLES,
    SIGNED,
    SLOPE,
    TRANSFER_SYNTAXES,
    VIEW_CODE_SEQUENCE,
    VIEW_POSITION,
    VOI_FUNCTION,
    VOI_LUT,
    WIDTH,
    Elements,
    read_elements,
)
from lungcare.reading import FilmError

_RLE = "1.2.840.10008.1.2.5"
_JPEG_DCT = ("1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51")
_JPEG_LOSSLESS = ("1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70")
_LOSSY = {f"1.2.840.10008.1.2.4.{end}" for end in (50, 51, 81, 91, 203)}
_JPEGLS = ("1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81")
_JPEG2000 = ("1.2.840.10008.1.2.4.9", "1.2.840.10008.1.2.4.20")


def _terms(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Of what says which film it is, only what the standard defines is judged (and named in a refusal): free text may hold
# anything, a name too.
OTHER_MODALITIES = _terms(
    """
    AR ASMT AU BDUS BI BMD CT CTPROTOCOL DG DMS DOC ECG EEG EMG EOG EPS ES FID GM HC HD IO IVOCT IVUS KER KO LEN
    LS M3D MG MR NM OAM OCT OP OPM OPT OPTBSV OPTENF OPV OSS PA PLAN POS PR PT PX REG RESP RTDOSE RTIMAGE
    RTINTENT RTPLAN RTRAD RTRECORD RTSEGANN RTSTRUCT RWV SEG SM SMR SR SRF STAIN TEXTUREMAP TG US VA XA
    XAPROTOCOL XC
    """
)
OTHER_PARTS = _terms(
    """
    ABDOMEN ABDOMENPELVIS ACJOINT ANKLE ARM BILEDUCT BLADDER BRAIN BREAST BUTTOCK CALCANEUS CALF CAROTID
    CEREBELLUM CERVIX CHEEK CHOROIDPLEXUS CLAVICLE COCCYX COLON CSPINE CTSPINE EAR ELBOW EXTREMITY EYE EYELID
    FACE FEMUR FINGER FOOT FOREARM GALLBLADDER HAND HEAD HEADNECK HIP HUMERUS ILIUM JAW KIDNEY KNEE LARYNX LEG
    LIVER LSPINE LSSPINE MANDIBLE MAXILLA MOUTH NECK NOSE ORBIT OVARY PANCREAS PAROTID PATELLA PELVIS PENIS
    PHARYNX PROSTATE RADIUS RADIUSULNA RECTUM SACRUM SCALP SCAPULA SCROTUM SELLA SHOULDER SIJOINT SINUS SKULL
    SPINE SPLEEN STOMACH TAILBONE TESTIS THIGH THUMB THYROID TIBIA TIBIAFIBULA TLSPINE TMJ TOE TONGUE TSPINE
    ULNA URETER URETHRA UTERUS VAGINA VULVA WHOLEBODY WRIST ZYGOMA
    """
)
OTHER_VIEWS = {
    "LL": "left lateral",
    "RL": "right lateral",
    "LAT": "lateral",
    "LATERAL": "lateral",
    "LLAT": "left lateral",
    "RLAT": "right lateral",
    "LLD": "left lateral decubitus",
    "RLD": "right lateral decubitus",
    "LLO": "left lateral oblique",
    "RLO": "right lateral oblique",
    "LAO": "left anterior oblique",
    "RAO": "right anterior oblique",
    "LPO": "left posterior oblique",
    "RPO": "right posterior oblique",
    "OBLIQUE": "oblique",
}
# The same by the codes of SNOMED CT and RT (context group 4010).
OTHER_VIEW_CODES = {
    "399173006": "left lateral",
    "R-10236": "left lateral",
    "399198007": "right lateral",
    "R-10232": "right lateral",
    "399067008": "lateral",
    "R-102CD": "lateral",
    "30730003": "sagittal",
    "G-A145": "sagittal",
    "399135007": "left anterior oblique",
    "R-10220": "left anterior oblique",
    "399356000": "right anterior oblique",
    "R-40985": "right anterior oblique",
    "399006002": "left posterior oblique",
    "R-10212": "left posterior oblique",
    "399038007": "right posterior oblique",
    "R-10210": "right posterior oblique",
    "399184004": "left oblique",
    "R-10238": "left oblique",
    "399236003": "right oblique",
    "R-10234": "right oblique",
    "399182000": "oblique",
    "R-102C1": "oblique",
}

GREY = ("MONOCHROME1", "MONOCHROME2")
OTHER_COLOUR = ("PALETTE COLOR", "ARGB", "CMYK", "HSV")
COLOUR = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")
# Share of the limit of pixels that a stream may have: its decoder holds so much more than the pixels.
_SHARE_OF_COLOUR = 0.25
_SHARE_OF_JPEG2000 = 0.5


def decode_dicom(data: bytes, max_pixels: int, check_size: Callable[[int, int, float], None]) -> np.ndarray:
    """Decode the one film in a DICOM file: float32 (rows, columns), grey, 0 (black) to 1 (white) as it is displayed.

    max_pixels: width times height that is accepted; it bounds what deflated files may inflate to as well.
    check_size: called with width, height and the share of the limit of pixels that counts here, before anything is
    decoded; raises FilmError.

    Stored values go through the modality LUT or the rescale slope and intercept, then through the VOI LUT or the first
    window; without either, 8 bits and fewer are taken by their range, and more are stretched between their 0.5 and 99.5
    percentiles. MONOCHROME1 is inverted; pixel padding becomes black; overlays and bits above and below those stored
    are left out. Colour of 8 bits becomes its luma.
    Raises FilmError with what is wrong; anything else that it raises comes from damaged bytes.
    """
    data, syntax, elements = read_elements(data, max_pixels)
    _check_kind(elements)
    frames = elements.integer(FRAMES, 1)
    if PIXELS not in elements.places:
        raise FilmError("no_image")
    if syntax not in TRANSFER_SYNTAXES:
        raise FilmError("unsupported_pixels", what=_known_name(syntax))
    if frames > 1:
        raise FilmError("several_images", count=frames)
    image = _Image.of(elements)
    check_size(image.columns, image.rows, _share(syntax, image))
    pixels = elements.pixels(syntax)
    precision = image.allocated
    if syntax not in NATIVE and syntax != _RLE:
        stream = _header(syntax, pixels)
        _check_stream(stream, image, check_size, _share(syntax, image))
        precision = stream.precision
        if syntax in _JPEG_DCT and image.photometric == "RGB" and stream.is_ycbcr:
            # Decoders go by the marks of the stream, and so did who wrote it.
            image = replace(image, photometric="YBR_FULL")
    stored = _decoded(pixels, syntax, image, elements)
    # A stream of no more bits than are stored has none below them, whatever the header says.
    shift = min(image.shift, precision - image.stored)
    if shift > 0:
        stored = stored >> shift
    if syntax in _LOSSY and not image.is_signed:
        # The loss may go beyond the bits stored; the least change is to the nearest value that they hold.
        np.minimum(stored, (1 << image.stored) - 1, out=stored)
    if image.samples == 3:
        return _luma(stored, image, syntax)
    return _displayed(stored, image, elements)


def _check_kind(elements: Elements) -> None:
    """Refuse what the file itself says to be no frontal film of a chest."""
    if (modality := elements.text(MODALITY)) in OTHER_MODALITIES:
        raise FilmError("wrong_modality", modality=modality)
    part = elements.text(BODY_PART).replace(" ", "").replace("_", "")
    if part in OTHER_PARTS:
        raise FilmError("wrong_body_part", part=part)
    view = OTHER_VIEWS.get(elements.text(VIEW_POSITION))
    if view is None and VIEW_CODE_SEQUENCE in elements.items:
        view = OTHER_VIEW_CODES.get(elements.items[VIEW_CODE_SEQUENCE].text(CODE_VALUE))
    if view is not None:
        raise FilmError("wrong_view", view=view)


def _known_name(syntax: str) -> str:
    """The name of a transfer syntax that is not read, if it is one of the standard's."""
    from pydicom.uid import UID_dictionary

    return UID_dictionary[syntax][0] if syntax in UID_dictionary else "DICOM"


@dataclass(frozen=True)
class _Image:
    """What the header says of the pixels, checked.

    allocated, stored: bits of a sample. shift: bits below those stored. samples: 1 (grey) or 3 (colour, of 8 bits).
    """

    rows: int
    columns: int
    samples: int
    photometric: str
    planar: int
    allocated: int
    stored: int
    shift: int
    is_signed: bool

    @classmethod
    def of(cls, elements: Elements) -> "_Image":
        """Raises FilmError for kinds of pixels that are not read, ValueError for sizes that cannot be."""
        photometric = elements.text(PHOTOMETRIC) or GREY[1]
        samples = elements.short(SAMPLES, 1)
        allocated = elements.short(BITS_ALLOCATED, 16)
        stored = elements.short(BITS_STORED, allocated)
        high = elements.short(HIGH_BIT, stored - 1)
        rows, columns = elements.short(ROWS, 0), elements.short(COLUMNS, 0)
        if not (rows and columns and 0 < stored <= allocated):
            raise ValueError("impossible header of the pixels")
        is_grey = photometric in GREY and samples == 1 and allocated in (8, 16, 32) and stored <= 16
        is_colour = photometric in COLOUR and samples == 3 and allocated == stored == 8
        if not (is_grey or is_colour):
            known = f"{photometric}, " if photometric in (*GREY, *COLOUR, *OTHER_COLOUR) else ""
            raise FilmError("unsupported_pixels", what=f"{known}{samples} x {stored} bit")
        return cls(
            rows,
            columns,
            samples,
            photometric,
            elements.short(PLANAR, 0),
            allocated,
            stored,
            max(0, high + 1 - stored) if high < allocated else 0,
            bool(elements.short(SIGNED, 0)),
        )


def _share(syntax: str, image: _Image) -> float:
    """The share of the limit of pixels that counts for such an image."""
    share = _SHARE_OF_JPEG2000 if syntax.startswith(_JPEG2000) else 1.0
    return share * (_SHARE_OF_COLOUR if image.samples == 3 else 1.0)


def _header(syntax: str, stream: bytes) -> Codestream:
    return (jpeg2000_header if syntax.startswith(_JPEG2000) else jpeg_header)(stream)


def _check_stream(stream: Codestream, image: _Image, check_size: Callable, share: float) -> None:
    """The stream has to hold what the file says: a decoder believes the stream."""
    check_size(stream.width, stream.height, share)
    if (stream.width, stream.height, stream.components) != (image.columns, image.rows, image.samples):
        raise ValueError("stream and header are of different sizes")
    if stream.precision > image.allocated:
        raise ValueError("stream and header are of different depths")


def _decoded(pixels: bytes | memoryview, syntax: str, image: _Image, elements: Elements) -> np.ndarray:
    """Stored values, not yet of any meaning: unsigned (rows, columns), or uint8 (rows, columns, 3).

    Bits above and below those stored may hold anything. Colour is RGB, or YCbCr whose first channel is the luma.
    """
    if syntax in NATIVE:
        return _native(pixels, syntax, image, elements.places[PIXELS].vr)
    from lungcare import codecs

    is_ybr = image.samples == 3 and image.photometric.startswith("YBR")
    if syntax == _RLE:
        array = codecs.rle(pixels, image.rows, image.columns, image.samples, image.allocated)
    elif syntax.startswith(_JPEG2000):
        array = codecs.jpeg2000(pixels)
    elif syntax in _JPEGLS:
        array = codecs.jpegls(pixels)
    elif image.samples == 3 and (syntax in _JPEG_LOSSLESS or not is_ybr):
        array = codecs.jpeg_as_it_is(pixels)
    else:
        array = codecs.jpeg(pixels, is_luma=is_ybr)
    if array.shape[:2] != (image.rows, image.columns):
        raise ValueError("the stream holds other pixels than its header says")
    if image.stored > 8 and array.dtype.itemsize == 1:
        array = array.astype(np.int16)  # the stream is of fewer bits than the header says
    return array.view(f"u{array.dtype.itemsize}")


def _native(pixels: bytes | memoryview, syntax: str, image: _Image, vr: bytes) -> np.ndarray:
    """Pixels that are not compressed, by pydicom."""
    from pydicom.pixels import get_decoder

    if image.photometric != "YBR_FULL_422":
        # What is left over behind the pixels is nothing to warn of.
        length = image.rows * image.columns * image.samples * image.allocated // 8
        pixels = pixels[: length + length % 2]
    array, _ = get_decoder(syntax).as_array(
        pixels,
        index=0,
        raw=True,
        view_only=True,
        rows=image.rows,
        columns=image.columns,
        samples_per_pixel=image.samples,
        photometric_interpretation=image.photometric,
        planar_configuration=image.planar,
        bits_allocated=image.allocated,
        bits_stored=image.stored,
        pixel_representation=0,
        number_of_frames=1,
        pixel_keyword="PixelData",
        pixel_vr="OB" if vr == b"OB" else "OW",
        correct_unused_bits=False,
    )
    return array


def _luma(stored: np.ndarray, image: _Image, syntax: str) -> np.ndarray:
    """Colour of 8 bits -> float32 (rows, columns), 0 to 1."""
    # Of JPEG 2000, the decoder itself takes back these two transforms.
    is_rgb = image.photometric == "RGB" or (
        syntax.startswith(_JPEG2000) and image.photometric in ("YBR_ICT", "YBR_RCT")
    )
    if stored.ndim == 3 and not is_rgb:
        stored = stored[..., 0]
    elif stored.ndim == 3:
        stored = np.asarray(Image.fromarray(np.ascontiguousarray(stored)).convert("L"))
    return stored.astype(np.float32) / np.float32(255)


def _displayed(stored: np.ndarray, image: _Image, elements: Elements) -> np.ndarray:
    """Stored values -> float32, 0 to 1, as a viewer displays them."""
    mask = (1 << image.stored) - 1
    indices = np.arange(mask + 1)
    signed = np.where(indices > mask >> 1, indices - mask - 1, indices) if image.is_signed else indices
    values = _modality(signed.astype(np.float64), elements)
    padded = _padded(signed, image, elements)
    shown = _windowed(values, elements)
    if shown is None and image.stored <= 8:
        shown = levels.stretched(values, values.min(), values.max())
    elif shown is None:
        occurrences = levels.counts(stored, mask)
        occurrences[padded] = 0
        shown = levels.stretched(values, *levels.spanned(values, occurrences))
    if image.photometric == GREY[0]:
        shown = 1 - shown
    shown[padded] = 0
    return levels.looked_up(stored, shown.astype(np.float32))


def _modality(values: np.ndarray, elements: Elements) -> np.ndarray:
    """Stored values -> values of the modality, by the table or the straight line that the file gives."""
    if MODALITY_LUT in elements.items:
        table = _table(elements.items[MODALITY_LUT], values.min() < 0)
        if table is not None:
            first, entries, _ = table
            return entries[np.clip(values - first, 0, entries.size - 1).astype(int)]
    slope, intercept = elements.real(SLOPE), elements.real(INTERCEPT)
    return values * (1 if slope is None or slope == 0 else slope) + (intercept or 0)


def _windowed(values: np.ndarray, elements: Elements) -> np.ndarray | None:
    """Values of the modality -> 0 to 1 by the file's VOI LUT or its first window; None where it gives neither."""
    if VOI_LUT in elements.items:
        table = _table(elements.items[VOI_LUT], values.min() < 0)
        if table is not None:
            first, entries, top = table
            inside = np.clip(np.trunc(values) - first, 0, entries.size - 1).astype(int)
            return np.clip(entries[inside] / top, 0, 1)
    centre, width = elements.real(CENTRE), elements.real(WIDTH)
    if centre is None or width is None:
        return None
    function = elements.text(VOI_FUNCTION)
    if function == "SIGMOID" and width > 0:
        return 1 / (1 + np.exp(np.clip(-4 * (values - centre) / width, -700, 700)))
    if function == "LINEAR_EXACT" and width > 0:
        return np.clip((values - centre) / width + 0.5, 0, 1)
    if width > 1:
        return np.clip((values - (centre - 0.5)) / (width - 1) + 0.5, 0, 1)
    return (values > centre - 0.5).astype(np.float64) if width == 1 else None


def _table(item: Elements, is_signed: bool) -> tuple[int, np.ndarray, int] | None:
    """A look-up table: the value that its first entry stands for, its entries as float64, and the largest one can be.

    None where it is none.
    """
    descriptor = item.shorts(LUT_DESCRIPTOR)
    place = item.places.get(LUT_DATA)
    if descriptor.size != 3 or place is None or not 8 <= descriptor[2] <= 16:
        return None
    count = int(descriptor[0]) or 1 << 16
    first = int(descriptor[1].astype(np.int16)) if is_signed else int(descriptor[1])
    entries = item.shorts(LUT_DATA)
    if entries.size < count and descriptor[2] == 8 and place.length >= count:
        entries = np.frombuffer(item.value(LUT_DATA), np.uint8)
    if entries.size < count:
        return None
    return first, entries[:count].astype(np.float64), (1 << int(descriptor[2])) - 1


def _padded(signed: np.ndarray, image: _Image, elements: Elements) -> np.ndarray:
    """Which stored values are padding and nothing of the film: bool, one for each level."""
    if PADDING not in elements.places or not elements.value(PADDING):
        return np.zeros(signed.shape, bool)

    def number(tag: int, otherwise: int) -> int:
        value = elements.short(tag, otherwise & 0xFFFF)
        return value - 65536 if image.is_signed and value > 32767 else value

    first = number(PADDING, 0)
    last = number(PADDING_LIMIT, first)
    return (signed >= min(first, last)) & (signed <= max(first, last))
