"""The table of formats: each kind of file that is read, with the grey image that it has to give, and each refused.

tests/test_formats.py holds the decoder to it, and docs/FORMATS.md is written from it: python -m tests.formats
"""

import functools
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import imagecodecs
import numpy as np
from PIL import Image
from pydicom import uid

from lungcare.elements import TRANSFER_SYNTAXES
from lungcare.film import MAX_PIXELS, MIN_SIDE
from lungcare.reading import STATUS_BY_CODE, CorrectionCode
from lungcare.settings import Settings
from lungcare.words import sentences
from tests import phantom
from tests.dicom_files import ENCODERS, NATIVE, table, view_code, write

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "FORMATS.md"

CHEST = phantom.chest(height=150, width=131)
BYTES = np.round(CHEST * 255).astype(np.uint8)
TWELVE = np.round(CHEST * 4095).astype(np.uint16)
SIGNED = (TWELVE.astype(np.int32) - 2048).astype(np.int16)
DEEP = np.round(CHEST * 60000).astype(np.uint16) + np.uint16(2000)
EXACT = 1e-6


@dataclass(frozen=True)
class Read:
    """A file that is read. expected: (height, width), 0 to 1. tolerance: the largest difference that may be."""

    section: str
    name: str
    make: Callable[[], bytes]
    expected: np.ndarray
    tolerance: float = EXACT
    about: str = ""


@dataclass(frozen=True)
class Refused:
    """A file that is refused with `code`; values: what its sentence names."""

    name: str
    make: Callable[[], bytes]
    code: str
    values: dict[str, object]


def stretched(levels: np.ndarray, among: np.ndarray | None = None) -> np.ndarray:
    """0 to 1 between the percentiles, as numpy has them. among: the levels that count, else all."""
    low, high = np.percentile(levels if among is None else among, (0.5, 99.5))
    return np.clip((levels - low) / (high - low), 0, 1)


def windowed(levels: np.ndarray, centre: float, width: float) -> np.ndarray:
    """The linear window of the standard (PS3.3 C.11.2.1.2.1)."""
    return np.clip((levels - (centre - 0.5)) / (width - 1) + 0.5, 0, 1)


def picture(levels: np.ndarray, kind: str, mode: str | None = None, **options: object) -> Callable[[], bytes]:
    """Makes a file with Pillow. mode: converted to it first."""

    def make() -> bytes:
        image = Image.fromarray(levels)
        stream = io.BytesIO()
        (image.convert(mode) if mode else image).save(stream, kind, **options)
        return stream.getvalue()

    return make


def pages(kind: str, count: int) -> Callable[[], bytes]:
    """Makes a file of several pages."""

    def make() -> bytes:
        stream = io.BytesIO()
        first, *rest = [Image.fromarray(np.roll(BYTES, 5 * page)) for page in range(count)]
        first.save(stream, kind, save_all=True, append_images=rest)
        return stream.getvalue()

    return make


def turned(orientation: int) -> Image.Exif:
    """EXIF with an orientation."""
    exif = Image.Exif()
    exif[0x112] = orientation
    return exif


def white_is_zero() -> bytes:
    """A TIFF of 16 bits in which white is 0."""
    data = bytearray(picture(65535 - DEEP, "TIFF")())
    entry = data.index((262).to_bytes(2, "little") + (3).to_bytes(2, "little"))
    data[entry + 8 : entry + 10] = (0).to_bytes(2, "little")
    return bytes(data)


def adobe(levels: np.ndarray) -> bytes:
    """A JPEG in YCbCr that says so by Adobe's mark, in place of that of JFIF."""
    data = imagecodecs.jpeg8_encode(levels, level=95)
    end = 4 + int.from_bytes(data[4:6], "big")
    return b"\xff\xd8\xff\xee\0\x0eAdobe\0\x64\0\0\0\0\1" + data[end:]


def dicom(levels: np.ndarray, syntax: str = uid.ExplicitVRLittleEndian, **tags: object) -> Callable[[], bytes]:
    """Makes a DICOM file."""
    return lambda: write(levels, syntax, **tags)


def _pictures() -> list[Read]:
    by_255 = BYTES / 255
    cases = []

    def add(name: str, make: Callable[[], bytes], expected=by_255, tolerance=EXACT, about="levels by 255"):
        cases.append(Read("pictures", name, make, expected, tolerance, about))

    for kind, options in (("PNG", {}), ("TIFF", {}), ("BMP", {}), ("WEBP", {"lossless": True})):
        modes = {"PNG": "L RGB RGBA LA P", "TIFF": "L RGB RGBA LA P CMYK", "BMP": "L RGB P", "WEBP": "RGB RGBA"}[kind]
        for mode in modes.split():
            tolerance = 1.01 / 255 if mode == "CMYK" else EXACT
            add(f"{kind}, 8 bits, {_MODES[mode]}", picture(BYTES, kind, mode, **options), tolerance=tolerance)
    for mode in ("L", "RGB", "CMYK"):
        add(f"JPEG, {_MODES[mode]}", picture(BYTES, "JPEG", mode, quality=95), tolerance=0.05)
    add("JPEG, progressive", picture(BYTES, "JPEG", "L", quality=95, progressive=True), tolerance=0.05)
    add("WEBP, lossy", picture(BYTES, "WEBP", "RGB", quality=95), tolerance=0.08)
    for name in ("tiff_lzw", "tiff_adobe_deflate", "packbits"):
        add(f"TIFF, 8 bits, {name.removeprefix('tiff_')}", picture(BYTES, "TIFF", compression=name))
    add("TIFF, JPEG inside", picture(BYTES, "TIFF", compression="jpeg", quality=95), tolerance=0.05)
    one_bit = (BYTES >= 128).astype(float)
    for kind in ("PNG", "TIFF", "BMP"):
        make = picture(np.where(BYTES >= 128, 255, 0).astype(np.uint8), kind, "1")
        add(f"{kind}, 1 bit", make, one_bit, about="black and white")
    deep = stretched(DEEP.astype(float))
    about = "stretched between the 0.5 and 99.5 percentiles"
    add("PNG, 16 bits, grey", picture(DEEP, "PNG"), deep, about=about)
    add("TIFF, 16 bits, grey", picture(DEEP, "TIFF"), deep, about=about)
    add("TIFF, 16 bits, big endian", picture(DEEP.astype(">u2"), "TIFF"), deep, about=about)
    add("TIFF, 16 bits, white is 0", white_is_zero, deep, about=about)
    add("TIFF, 32 bits", picture(DEEP.astype(np.int32), "TIFF"), deep, about=about)
    add("TIFF, 32 bits, floating point", picture(CHEST, "TIFF"), stretched(CHEST), about=about)
    for kind, encode in (("PNG", imagecodecs.png_encode), ("TIFF", imagecodecs.tiff_encode)):
        for mode, levels in (("RGB", [DEEP] * 3), ("RGBA", [DEEP] * 3 + [np.full_like(DEEP, 65535)])):
            make = functools.partial(encode, np.stack(levels, axis=-1))
            add(f"{kind}, 16 bits, {mode}", make, deep, 0.01, f"the upper 8 bits, {about}")
    for kind in ("PNG", "JPEG", "WEBP", "TIFF"):
        options = {"quality": 95} if kind == "JPEG" else {"lossless": True} if kind == "WEBP" else {}
        make = picture(BYTES, kind, "RGB", exif=turned(6), **options)
        tolerance = 0.05 if kind == "JPEG" else EXACT
        add(f"{kind}, turned by EXIF", make, np.rot90(by_255, -1), tolerance, "set upright")
    return cases


_MODES = {
    "L": "grey",
    "RGB": "RGB",
    "RGBA": "RGBA",
    "LA": "grey with alpha",
    "P": "palette",
    "CMYK": "CMYK",
}
# Of the encoders that lose something: how far the grey image may be off.
_LOSSY = {uid.JPEGBaseline8Bit: 0.04, uid.JPEGExtended12Bit: 0.02, uid.JPEGLSNearLossless: 0.01}
_LOSSY |= {uid.JPEG2000: 0.012, uid.HTJ2K: 0.02}


def _syntaxes() -> list[Read]:
    cases = []
    for syntax, name in TRANSFER_SYNTAXES.items():
        tolerance = _LOSSY.get(syntax, EXACT)
        cases.append(Read("syntaxes", f"{name}, 8 bits", dicom(BYTES, syntax), BYTES / 255, tolerance, syntax))
        if syntax != uid.JPEGBaseline8Bit:
            make = dicom(TWELVE, syntax, BitsStored=12)
            cases.append(
                Read("syntaxes", f"{name}, 12 bits in 16", make, stretched(TWELVE.astype(float)), tolerance, syntax)
            )
        if syntax in (*NATIVE, uid.RLELossless, uid.JPEG2000Lossless, uid.JPEGLSLossless, uid.JPEGLosslessSV1):
            make = dicom(SIGNED, syntax, BitsStored=12)
            cases.append(Read("syntaxes", f"{name}, signed", make, stretched(SIGNED.astype(float)), tolerance, syntax))
    return cases


def _of_8_bits(syntax: str) -> Callable[[], bytes]:
    """Makes a DICOM file whose header says 12 bits in 16 and whose stream has 8."""
    return dicom(TWELVE, syntax, BitsStored=12, encode=lambda levels, bits: ENCODERS[syntax](BYTES, 8))


def _pixels() -> list[Read]:
    cases = []
    twelve = TWELVE.astype(float)
    even = stretched(twelve)
    eight = stretched(BYTES.astype(float))

    def add(name: str, make: Callable[[], bytes], expected: np.ndarray, about: str, tolerance: float = EXACT):
        cases.append(Read("pixels", name, make, expected, tolerance, about))

    def stored(**tags: object) -> Callable[[], bytes]:
        return dicom(TWELVE, BitsStored=12, **tags)

    add("no preamble", lambda: write(TWELVE, BitsStored=12, preamble=False), even, "recognised by its first element")
    implicit = uid.ImplicitVRLittleEndian
    add("no preamble, implicit VR", lambda: write(TWELVE, implicit, False, BitsStored=12), even, "the same")
    add("no modality", stored(Modality=None), even, "taken for a radiograph")
    add("MONOCHROME1", stored(PhotometricInterpretation="MONOCHROME1"), 1 - even, "inverted")
    add("MONOCHROME1, 8 bits", dicom(BYTES, PhotometricInterpretation="MONOCHROME1"), 1 - BYTES / 255, "inverted")
    add("window", stored(WindowCenter=2000, WindowWidth=3000), windowed(twelve, 2000, 3000), "the window, linear")
    several = stored(WindowCenter=[1500, 900], WindowWidth=[2000, 100])
    add("several windows", several, windowed(twelve, 1500, 2000), "the first one")
    exact = stored(WindowCenter=2000, WindowWidth=3000, VOILUTFunction="LINEAR_EXACT")
    add("window, LINEAR_EXACT", exact, np.clip((twelve - 2000) / 3000 + 0.5, 0, 1), "the window, exactly linear")
    sigmoid = stored(WindowCenter=2000, WindowWidth=1500, VOILUTFunction="SIGMOID")
    add("window, SIGMOID", sigmoid, 1 / (1 + np.exp(-4 * (twelve - 2000) / 1500)), "the window, S-shaped")
    impossible = stored(WindowCenter=2000, WindowWidth=0)
    add("window of width 0", impossible, even, "counts as none")
    rescaled = stored(RescaleSlope=2, RescaleIntercept=-1000, WindowCenter=3000, WindowWidth=4000)
    add("rescale and window", rescaled, windowed(2 * twelve - 1000, 3000, 4000), "rescaled, then windowed")
    add("negative slope", stored(RescaleSlope=-1, RescaleIntercept=4095), 1 - even, "rescaled, then stretched")
    signed = dicom(SIGNED, BitsStored=12, WindowCenter=100, WindowWidth=3000)
    add("signed, window", signed, windowed(SIGNED.astype(float), 100, 3000), "the window")
    curve = np.round(65535 * (np.arange(4096) / 4095) ** 2).astype(np.uint16)
    voi = table("VOILUTSequence", curve)
    add("VOI LUT", stored(**voi), curve[TWELVE] / 65535, "by the table")
    add("VOI LUT and window", stored(WindowCenter=9, WindowWidth=9, **voi), curve[TWELVE] / 65535, "by the table")
    part = table("VOILUTSequence", curve[1000:3000], first=1000)
    inside = curve[1000:3000][np.clip(TWELVE.astype(int) - 1000, 0, 1999)]
    add("VOI LUT of a part", stored(**part), inside / 65535, "by the table, its ends beyond it")
    modality = table("ModalityLUTSequence", curve[::-1])
    add(
        "modality LUT", stored(**modality), stretched(curve[::-1][TWELVE].astype(float)), "by the table, then stretched"
    )
    dirty = TWELVE | np.uint16(0xA000)
    add("overlay in the upper bits", dicom(dirty, BitsStored=12), even, "bits above those stored are left out")
    overlay = [(0x60000010, "US", 150), (0x60000011, "US", 131), (0x60003000, "OW", b"\xff" * 2458)]
    add("overlay of its own", stored(elements=overlay), even, "left out")
    padded = np.minimum(TWELVE, 3900)
    padded[:20], padded[-20:] = 4000, 4001
    is_film = padded < 4000
    grey = stretched(padded.astype(float), padded[is_film].astype(float))
    padding = {"PixelPaddingValue": 4000, "PixelPaddingRangeLimit": 4001, "BitsStored": 12}
    add("pixel padding", dicom(padded, **padding), grey * is_film, "black, and left out of the stretching")
    make = dicom(padded, PhotometricInterpretation="MONOCHROME1", **padding)
    add("pixel padding, MONOCHROME1", make, (1 - grey) * is_film, "black, too")
    add("32 bits allocated", dicom(TWELVE.astype(np.uint32), BitsStored=12), even, "as in 16")
    add("10 bits in 16", dicom(TWELVE >> 2, BitsStored=10), stretched((TWELVE >> 2).astype(float)), "stretched")
    high = {"BitsStored": 12, "HighBit": 15}
    below = TWELVE << 4 | np.uint16(5)
    for syntax in (uid.ExplicitVRLittleEndian, uid.ExplicitVRBigEndian, uid.RLELossless):
        name = f"the upper 12 bits of 16, {TRANSFER_SYNTAXES[syntax]}"
        add(name, dicom(below, syntax, **high), even, "bits below those stored are left out")
    for syntax in (uid.JPEGLSLossless, uid.JPEG2000Lossless):
        name, encode = f"the upper 12 bits of 16, {TRANSFER_SYNTAXES[syntax]}", ENCODERS[syntax]
        make = dicom(below, syntax, **high, encode=lambda levels, bits, encode=encode: encode(levels, 16))
        add(name, make, even, "bits below those stored are left out")
    add("signed, the upper 12 bits of 16", dicom(SIGNED << 4, **high), stretched(SIGNED.astype(float)), "stretched")
    name = "a stream of 12 bits under a header that says that they are the upper ones of 16"
    add(name, dicom(TWELVE, uid.JPEG2000Lossless, **high), even, "stretched")
    add("a highest bit beyond those allocated", stored(HighBit=16), even, "counts as none")
    for syntax in (uid.JPEGExtended12Bit, uid.JPEGLosslessSV1, uid.JPEGLSLossless, uid.JPEG2000Lossless):
        name, tolerance = TRANSFER_SYNTAXES[syntax], _LOSSY.get(syntax, EXACT)
        add(f"8 bits under a header of 12, {name}", _of_8_bits(syntax), eight, "stretched", tolerance)
    colour = np.stack([BYTES] * 3, axis=-1)
    add("RGB", dicom(colour), BYTES / 255, "luma")
    planes = dicom(np.ascontiguousarray(np.moveaxis(colour, -1, 0)).reshape(150, 131, 3), PlanarConfiguration=1)
    add("RGB in planes", planes, BYTES / 255, "luma")
    ybr = np.stack([BYTES, np.full_like(BYTES, 128), np.full_like(BYTES, 128)], axis=-1)
    add("YBR_FULL", dicom(ybr, PhotometricInterpretation="YBR_FULL"), BYTES / 255, "its first channel")
    for syntax in (uid.RLELossless, uid.JPEG2000Lossless, uid.JPEGLSLossless):
        add(f"RGB, {TRANSFER_SYNTAXES[syntax]}", dicom(colour, syntax), BYTES / 255, "luma", 1.01 / 255)
    baseline = dicom(
        colour,
        uid.JPEGBaseline8Bit,
        PhotometricInterpretation="YBR_FULL_422",
        encode=lambda levels, bits: picture(levels, "JPEG", quality=95)(),
    )
    add("YBR_FULL_422, JPEG Baseline", baseline, BYTES / 255, "its first channel", 0.05)

    def coded(levels: np.ndarray, syntax: str, photometric: str, encode: Callable, **options: object) -> Callable:
        def stream(*_: object) -> bytes:
            return encode(levels, **options)

        return dicom(colour, syntax, PhotometricInterpretation=photometric, encode=stream)

    jpeg, jpeg2000 = imagecodecs.jpeg8_encode, functools.partial(imagecodecs.jpeg2k_encode, codecformat="j2k")
    about = "its first channel: so the stream is marked"
    make = coded(colour, uid.JPEGBaseline8Bit, "RGB", jpeg, level=95)
    add("RGB, JPEG Baseline in YCbCr (JFIF)", make, BYTES / 255, about, 0.05)
    make = coded(colour, uid.JPEGBaseline8Bit, "RGB", adobe)
    add("RGB, JPEG Baseline in YCbCr (Adobe)", make, BYTES / 255, about, 0.05)
    rgb = {"colorspace": "RGB", "outcolorspace": "RGB"}
    make = coded(colour, uid.JPEGBaseline8Bit, "RGB", jpeg, level=95, **rgb)
    add("RGB, JPEG Baseline in RGB", make, BYTES / 255, "luma", 0.05)
    for syntax in (uid.JPEGLossless, uid.JPEGLosslessSV1):
        make = coded(ybr, syntax, "YBR_FULL", jpeg, lossless=True, bitspersample=8, **rgb)
        add(f"YBR_FULL, {TRANSFER_SYNTAXES[syntax]}", make, BYTES / 255, "its first channel")
        make = coded(colour, syntax, "RGB", jpeg, lossless=True, bitspersample=8, **rgb)
        add(f"RGB, {TRANSFER_SYNTAXES[syntax]}", make, BYTES / 255, "luma")
    for photometric in ("YBR_FULL", "YBR_FULL_422"):
        make = coded(ybr, uid.JPEG2000Lossless, photometric, jpeg2000, reversible=True, mct=False)
        add(f"{photometric}, {TRANSFER_SYNTAXES[uid.JPEG2000Lossless]}", make, BYTES / 255, "its first channel")
    make = coded(colour, uid.JPEG2000Lossless, "YBR_RCT", jpeg2000, reversible=True, mct=True)
    add(f"YBR_RCT, {TRANSFER_SYNTAXES[uid.JPEG2000Lossless]}", make, BYTES / 255, "luma")
    make = coded(colour, uid.JPEG2000, "YBR_ICT", jpeg2000, level=60, mct=True)
    add(f"YBR_ICT, {TRANSFER_SYNTAXES[uid.JPEG2000]}", make, BYTES / 255, "luma", 0.012)
    return cases


READ = [*_pictures(), *_syntaxes(), *_pixels()]

REFUSED = [
    Refused("empty file", lambda: b"", "empty_file", {}),
    Refused("text", lambda: b"I am no picture.\n" * 50, "unsupported_format", {}),
    Refused("GIF", lambda: b"GIF89a" + bytes(100), "unsupported_format", {}),
    Refused("PDF", lambda: b"%PDF-1.7\n" + bytes(100), "unsupported_format", {}),
    Refused("half a file", lambda: phantom.film()[:20_000], "damaged_file", {}),
    Refused("half a DICOM file", lambda: write(TWELVE, BitsStored=12)[:20_000], "damaged_file", {}),
    Refused("TIFF of several pages", pages("TIFF", 3), "several_images", {"count": 3}),
    Refused("moving PNG or WebP", pages("PNG", 3), "several_images", {"count": 3}),
    Refused(
        "DICOM of several frames",
        dicom(np.concatenate([TWELVE, TWELVE]), BitsStored=12, Rows=150, NumberOfFrames=2),
        "several_images",
        {"count": 2},
    ),
    Refused(
        "TIFF with complex numbers or other rare pixels",
        lambda: bytes(_rare_tiff()),
        "unsupported_pixels",
        {"what": "TIFF"},
    ),
    Refused(
        "JPEG of 12 bits",
        lambda: imagecodecs.jpeg8_encode(TWELVE, bitspersample=12),
        "unsupported_pixels",
        {"what": "JPEG"},
    ),
    Refused("DICOM, MPEG or another compression", lambda: _foreign(), "unsupported_pixels", {"what": "MPEG2 Main"}),
    Refused(
        "DICOM, PALETTE COLOR",
        dicom(BYTES, PhotometricInterpretation="PALETTE COLOR"),
        "unsupported_pixels",
        {"what": "PALETTE COLOR"},
    ),
    Refused("DICOM without an image", lambda: _without_pixels(), "no_image", {}),
    Refused("DICOM, another modality", dicom(BYTES, Modality="CT"), "wrong_modality", {"modality": "CT"}),
    Refused("DICOM, another part", dicom(BYTES, BodyPartExamined="HAND"), "wrong_body_part", {"part": "HAND"}),
    Refused("DICOM, another view", dicom(BYTES, ViewPosition="LL"), "wrong_view", {"view": "left lateral"}),
    Refused(
        "DICOM, another view by its code", dicom(BYTES, **view_code("399067008")), "wrong_view", {"view": "lateral"}
    ),
    Refused(
        "PNG with a text or a colour profile of more than 1 MB, compressed",
        picture(BYTES, "PNG", icc_profile=bytes(1_100_000)),
        "too_costly",
        {},
    ),
    Refused(
        "a side below 64 pixels", picture(BYTES[:63], "PNG"), "too_small", {"width": 131, "height": 63, "limit": 64}
    ),
]

# What lungcare/gate.py refuses after decoding; tests/test_gate.py holds it to that.
QUALITY = [
    ("a film of which next to nothing is bright", "too_dark"),
    ("a film of which next to nothing is dark", "too_bright"),
    ("a film whose levels lie close together", "no_contrast"),
    ("a small film on an even page, or a page with a few words", "nearly_empty"),
]
# What the gate's network refuses; tests/train/test_gate.py holds it to that, and docs/GATE.md says how well it does.
KINDS = [
    ("another part of the body, a scan, a photograph, a page, a drawing", "not_a_chest_film"),
    ("a lateral film of the chest", "lateral_film"),
    ("one lung, or half a film", "part_of_chest"),
    ("several films on one page", "several_in_one"),
    ("a film photographed from afar, at a slant or with reflections", "photograph_of_film"),
    ("a film with black and white exchanged that cannot surely be set right", "inverted"),
    ("a film upside down that cannot surely be set right", "upside_down"),
    ("a film on its side that cannot surely be set right", "sideways"),
]


def _rare_tiff() -> bytearray:
    """A TIFF whose samples are complex numbers."""
    data = bytearray(picture(CHEST, "TIFF")())
    entry = data.index((339).to_bytes(2, "little") + (3).to_bytes(2, "little"))
    data[entry + 8 : entry + 10] = (6).to_bytes(2, "little")
    return data


def _foreign() -> bytes:
    """A DICOM file in a transfer syntax that is not read."""
    data = write(BYTES)
    ours, other = uid.ExplicitVRLittleEndian + "\0", uid.MPEG2MPML
    start = data.index(ours.encode())
    value = other.encode() + b"\0" * (len(other) % 2)
    return data[: start - 2] + len(value).to_bytes(2, "little") + value + data[start + len(ours) :]


def _without_pixels() -> bytes:
    data = write(BYTES)
    return data[: data.index(b"\xe0\x7f\x10\x00")]


def document() -> str:
    """docs/FORMATS.md."""
    lines = [
        "# What LungCare reads, and what it refuses",
        "",
        "Written by `python -m tests.formats` from the table in `tests/formats.py`, to which the tests hold the",
        "decoder: each line is a file that a test makes, and the grey image that it has to give. A file is known by",
        "its content; its name does not count.",
        "",
        "## Pictures",
        "",
        "| File | Becomes | Largest difference from it |",
        "|---|---|---|",
        *(f"| {case.name} | {case.about} | {_difference(case)} |" for case in READ if case.section == "pictures"),
        "",
        "Colour becomes its luma; what is transparent becomes black. Of the further pictures that telephones put into",
        "a JPEG, nothing is taken.",
        "",
        "## DICOM: transfer syntaxes",
        "",
        "| Transfer syntax and pixels | UID | Largest difference |",
        "|---|---|---|",
        *(f"| {case.name} | {case.about} | {_difference(case)} |" for case in READ if case.section == "syntaxes"),
        "",
        "8 bits without a window are divided by 255, more are stretched between their 0.5 and 99.5 percentiles. The",
        "largest difference of syntaxes that lose something is that of the encoder in the test. JPEG, JPEG-LS, JPEG",
        "2000 and RLE are decoded by imagecodecs (BSD-3-Clause; inside: libjpeg-turbo, CharLS, OpenJPEG), the rest by",
        "pydicom (MIT). No part is under the GPL.",
        "",
        "## DICOM: pixels",
        "",
        "| In the file | Becomes | Largest difference |",
        "|---|---|---|",
        *(f"| {case.name} | {case.about} | {_difference(case)} |" for case in READ if case.section == "pixels"),
        "",
        "Beside the pixels, only the tags named in `lungcare/elements.py` are read. Names, numbers and dates of",
        "patients are stepped over unread. Overlays are left out.",
        "",
        "## Refused",
        "",
        "| File | Status | Code | Sentence |",
        "|---|---|---|---|",
        *(f"| {case.name} | {STATUS_BY_CODE[case.code]} | `{case.code}` | {_sentence(case)} |" for case in REFUSED),
        *(
            f"| {name} | {STATUS_BY_CODE[code]} | `{code}` | {sentences('en')[f'refusal.{code}.message']} |"
            for name, code in (*QUALITY, *KINDS)
        ),
        "",
        "A film that is inverted, upside down or on its side is set right where that is sure, and margins of one grey",
        "level are cut off where they take a tenth of its height or width: its reading has the `corrections` that were",
        "made, of " + ", ".join(f"`{code}`" for code in get_args(CorrectionCode)) + ". A film behind no",
        "gate (a model without `gate.keras`) is judged by its grey levels alone. How often the gate is right:",
        "[GATE.md](GATE.md).",
        "",
        "Modality, body part and view are judged where they are among the terms that the standard defines; what is",
        "missing or written freely refuses nothing.",
        "",
        "## Limits",
        "",
        "| | |",
        "|---|---|",
        f"| Size of the file | {Settings().max_bytes / 1e6:g} MB (`LUNGCARE_MAX_BYTES`) |",
        f"| Width times height | {MAX_PIXELS / 1e6:g} megapixels of 8-bit grey (`LUNGCARE_MAX_PIXELS`); {_shares()} |",
        f"| Shorter side | at least {MIN_SIDE} pixels |",
        "",
        "They are looked at before anything is decoded. A file above them is answered 413, `file_too_large` or",
        "`too_many_pixels`; so is what is made to take long or much memory, `too_costly`. Measured:",
        "`python -m benchmarks.costs`.",
        "",
    ]
    return "\n".join(lines)


def _difference(case: Read) -> str:
    return "none" if case.tolerance == EXACT else f"{case.tolerance:.2g}"


def _sentence(case: Refused) -> str:
    return sentences("en")[f"refusal.{case.code}.message"].format(**case.values)


def _shares() -> str:
    from lungcare import dicom as dicom_module
    from lungcare import film

    parts = {
        "colour, 16 bits and DICOM": film.SHARE_OF_MOST,
        "WebP": film.SHARE_OF_WEBP,
        "progressive JPEG": film.SHARE_OF_PROGRESSIVE_JPEG,
        "32 bits": film.SHARE_OF_32_BITS,
        "JPEG 2000": film.SHARE_OF_MOST * dicom_module._SHARE_OF_JPEG2000,
        "DICOM in colour": film.SHARE_OF_MOST * dicom_module._SHARE_OF_COLOUR,
    }
    return ", ".join(f"{name} {share * MAX_PIXELS / 1e6:.3g}" for name, share in parts.items())


if __name__ == "__main__":
    DOCUMENT.write_text(document(), encoding="utf-8")
