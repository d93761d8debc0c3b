"""The elements of a DICOM file: where those lie that are wanted, and what they say; never what names a person.

The walk through them is our own: what is not in TAGS is stepped over unread, so no name, number or date of a patient is
ever in memory as such, in a warning or in a log.
"""

import math
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from lungcare.reading import FilmError

# Transfer syntax -> its name; all that are read.
TRANSFER_SYNTAXES = {
    "1.2.840.10008.1.2": "Implicit VR Little Endian",
    "1.2.840.10008.1.2.1": "Explicit VR Little Endian",
    "1.2.840.10008.1.2.1.99": "Deflated Explicit VR Little Endian",
    "1.2.840.10008.1.2.2": "Explicit VR Big Endian",
    "1.2.840.10008.1.2.5": "RLE Lossless",
    "1.2.840.10008.1.2.4.50": "JPEG Baseline (Process 1)",
    "1.2.840.10008.1.2.4.51": "JPEG Extended (Process 2 and 4)",
    "1.2.840.10008.1.2.4.57": "JPEG Lossless (Process 14)",
    "1.2.840.10008.1.2.4.70": "JPEG Lossless (Process 14, Selection Value 1)",
    "1.2.840.10008.1.2.4.80": "JPEG-LS Lossless",
    "1.2.840.10008.1.2.4.81": "JPEG-LS Near-Lossless",
    "1.2.840.10008.1.2.4.90": "JPEG 2000 Lossless",
    "1.2.840.10008.1.2.4.91": "JPEG 2000",
    "1.2.840.10008.1.2.4.201": "High-Throughput JPEG 2000 Lossless",
    "1.2.840.10008.1.2.4.202": "High-Throughput JPEG 2000 Lossless, RPCL",
    "1.2.840.10008.1.2.4.203": "High-Throughput JPEG 2000",
}
IMPLICIT, DEFLATED, BIG_ENDIAN = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"
NATIVE = {IMPLICIT, "1.2.840.10008.1.2.1", DEFLATED, BIG_ENDIAN}

# The technical tags: all that is read of a file beside its pixels.
TRANSFER_SYNTAX = 0x00020010
MODALITY, BODY_PART, VIEW_POSITION = 0x00080060, 0x00180015, 0x00185101
VIEW_CODE_SEQUENCE, CODE_VALUE = 0x00540220, 0x00080100
SAMPLES, PHOTOMETRIC, PLANAR, FRAMES = 0x00280002, 0x00280004, 0x00280006, 0x00280008
ROWS, COLUMNS = 0x00280010, 0x00280011
BITS_ALLOCATED, BITS_STORED, HIGH_BIT, SIGNED = 0x00280100, 0x00280101, 0x00280102, 0x00280103
PADDING, PADDING_LIMIT = 0x00280120, 0x00280121
CENTRE, WIDTH, INTERCEPT, SLOPE, VOI_FUNCTION = 0x00281050, 0x00281051, 0x00281052, 0x00281053, 0x00281056
MODALITY_LUT, VOI_LUT, LUT_DESCRIPTOR, LUT_DATA = 0x00283000, 0x00283010, 0x00283002, 0x00283006
PIXELS = 0x7FE00010
TAGS = frozenset(
    {MODALITY, BODY_PART, VIEW_POSITION, SAMPLES, PHOTOMETRIC, PLANAR, FRAMES, ROWS, COLUMNS, BITS_ALLOCATED}
    | {BITS_STORED, HIGH_BIT, SIGNED, PADDING, PADDING_LIMIT, CENTRE, WIDTH, INTERCEPT, SLOPE, VOI_FUNCTION, PIXELS}
)
SEQUENCES = {
    VIEW_CODE_SEQUENCE: frozenset({CODE_VALUE}),
    MODALITY_LUT: frozenset({LUT_DESCRIPTOR, LUT_DATA}),
    VOI_LUT: frozenset({LUT_DESCRIPTOR, LUT_DATA}),
}

MAX_ELEMENTS = 100_000
MAX_DEPTH = 16
_UNDEFINED = 0xFFFFFFFF
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_LONG = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"})
_SHORT = frozenset(b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split())
_VRS = _SHORT | _LONG


def is_dicom(data: bytes) -> bool:
    """Whether these bytes are DICOM, by the mark behind the preamble or by a first element that only DICOM has."""
    if data[128:132] == b"DICM":
        return True
    group, element = data[:2], data[2:4]
    if group in (b"\x02\x00", b"\x08\x00") and data[4:6] in _VRS:
        return True
    if group == b"\x00\x08" and data[4:6] in _VRS:
        return True
    # Implicit VR: a short value of even length in one of the elements that can be first.
    first = {b"\x00\x00", b"\x01\x00", b"\x05\x00", b"\x08\x00", b"\x12\x00", b"\x13\x00", b"\x14\x00", b"\x16\x00"}
    return group == b"\x08\x00" and element in first and data[5:8] == b"\0\0\0" and data[4] % 2 == 0


@dataclass(frozen=True)
class _Encoding:
    """How elements are written. order: "<" (little endian) or ">"."""

    is_implicit: bool
    order: str


@dataclass
class _Budget:
    """How many elements may still be read: no film has as many, only a file that is made to take long."""

    elements: int = MAX_ELEMENTS

    def spend(self) -> None:
        self.elements -= 1
        if self.elements < 0:
            raise FilmError("too_costly")


@dataclass(frozen=True)
class _Place:
    """Where a value lies in the bytes. length: of the value, or _UNDEFINED."""

    vr: bytes
    start: int
    length: int


class Elements:
    """The wanted elements of a data set: where their values lie, and what they say.

    A value that is missing or makes no sense counts as none.
    """

    def __init__(self, data: bytes, encoding: _Encoding, places: dict[int, _Place], items: dict[int, "Elements"]):
        self.data = data
        self.encoding = encoding
        self.places = places
        self.items = items

    def value(self, tag: int) -> bytes:
        """The bytes of a value."""
        place = self.places.get(tag)
        if place is None or place.length == _UNDEFINED:
            return b""
        return self.data[place.start : place.start + place.length]

    def text(self, tag: int) -> str:
        """The first of the texts in a value, in capitals, without what surrounds it."""
        return self.value(tag).partition(b"\\")[0].decode("ascii", "replace").strip(" \0\t\r\n").upper()

    def integer(self, tag: int, otherwise: int) -> int:
        """A number in decimals (IS)."""
        try:
            return int(self.text(tag))
        except ValueError:
            return otherwise

    def real(self, tag: int) -> float | None:
        """A number in decimals (DS), if it is one."""
        try:
            number = float(self.text(tag))
        except ValueError:
            return None
        return number if math.isfinite(number) else None

    def shorts(self, tag: int) -> np.ndarray:
        """Numbers of 16 bits: uint16 (count,)."""
        value = self.value(tag)
        return np.frombuffer(value[: len(value) // 2 * 2], self.encoding.order + "u2").astype(np.uint16)

    def short(self, tag: int, otherwise: int) -> int:
        """The first number of 16 bits (US; an SS as its two's complement)."""
        numbers = self.shorts(tag)
        return int(numbers[0]) if numbers.size else otherwise

    def pixels(self, syntax: str) -> bytes | memoryview:
        """The pixel data, where they lie; of an encapsulated stream, its fragments in one."""
        place = self.places[PIXELS]
        if place.length != _UNDEFINED:
            if syntax not in NATIVE:
                raise ValueError("pixel data are not encapsulated")
            return memoryview(self.data)[place.start : place.start + place.length]
        if syntax in NATIVE:
            raise ValueError("pixel data of no length")
        fragments = list(_items(self.data, place.start, len(self.data), self.encoding, _Budget()))
        return b"".join(self.data[start : start + length] for start, length, _ in fragments[1:])


def read_elements(data: bytes, max_pixels: int) -> tuple[bytes, str, Elements]:
    """The data (inflated where they are deflated), the transfer syntax, and the wanted elements."""
    budget = _Budget()
    position = 132 if data[128:132] == b"DICM" else 0
    syntax = ""
    if data.startswith(b"\x02\x00", position):
        for tag, place, following in _walk(data, position, _Encoding(False, "<"), budget):
            position = following
            if tag == TRANSFER_SYNTAX:
                syntax = data[place.start : place.start + place.length].decode("ascii", "replace").strip(" \0")
            if not data.startswith(b"\x02\x00", position):
                break
    if syntax == DEFLATED:
        data, position = _inflated(data[position:], max_pixels), 0
    order = ">" if syntax == BIG_ENDIAN or (not syntax and data[position : position + 1] == b"\0") else "<"
    # What the file says of its VRs is often wrong; the first element tells.
    is_implicit = data[position + 4 : position + 6] not in _VRS
    if not syntax:
        syntax = BIG_ENDIAN if order == ">" else IMPLICIT
    return data, syntax, _wanted(data, position, _Encoding(is_implicit, order), budget)


def _inflated(data: bytes, max_pixels: int) -> bytes:
    """Inflate, but never to more than the largest film takes in two bytes a pixel, and a megabyte beside."""
    limit = 2 * max_pixels + 1_000_000
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    inflated = stream.decompress(data, limit)
    if stream.unconsumed_tail:
        raise FilmError("too_costly")
    return inflated


def _wanted(data: bytes, position: int, encoding: _Encoding, budget: _Budget) -> Elements:
    """The elements in TAGS, and of the sequences in SEQUENCES their first item; up to the pixel data."""
    places: dict[int, _Place] = {}
    items: dict[int, Elements] = {}
    for tag, place, _ in _walk(data, position, encoding, budget, until=PIXELS):
        if tag in TAGS:
            places.setdefault(tag, place)
        elif tag in SEQUENCES and tag not in items:
            end = len(data) if place.length == _UNDEFINED else place.start + place.length
            item = next(_items(data, place.start, end, encoding, budget), None)
            if item is not None:
                start, length, _ = item
                inner = {
                    tag_inside: place_inside
                    for tag_inside, place_inside, _ in _walk(data, start, encoding, budget, end=start + length)
                    if tag_inside in SEQUENCES[tag]
                }
                items[tag] = Elements(data, encoding, inner, {})
    return Elements(data, encoding, places, items)


def _walk(
    data: bytes,
    position: int,
    encoding: _Encoding,
    budget: _Budget,
    end: int | None = None,
    until: int | None = None,
    depth: int = 0,
) -> Iterator[tuple[int, _Place, int]]:
    """Elements one after the other: tag, place of the value, and where the next one begins.

    until: the last tag that is wanted; nothing behind it is looked at.
    """
    end = len(data) if end is None else end
    header = struct.Struct(f"{encoding.order}HH")
    long = struct.Struct(f"{encoding.order}I")
    short = struct.Struct(f"{encoding.order}H")
    while position + 8 <= end:
        budget.spend()
        group, element = header.unpack_from(data, position)
        tag = group << 16 | element
        if tag in (_ITEM_END, _SEQUENCE_END):
            return
        vr = data[position + 4 : position + 6]
        if encoding.is_implicit or vr not in _VRS:
            vr, start = b"", position + 8
            (length,) = long.unpack_from(data, position + 4)
        elif vr in _LONG:
            if position + 12 > end:
                raise ValueError("element cut short")
            start = position + 12
            (length,) = long.unpack_from(data, position + 8)
        else:
            start = position + 8
            (length,) = short.unpack_from(data, position + 6)
        place = _Place(vr, start, length)
        if tag == until:
            if length != _UNDEFINED and start + length > end:
                raise ValueError("pixel data cut short")
            yield tag, place, end
            return
        if length == _UNDEFINED:
            inner = _Encoding(True, "<") if vr == b"UN" else encoding
            ends = [start, *(following for _, _, following in _items(data, start, end, inner, budget, depth + 1))]
            position = min(ends[-1] + 8, end)  # behind the mark that ends the sequence
        else:
            position = start + length
            if position > end:
                raise ValueError("element cut short")
        yield tag, place, position


def _items(
    data: bytes, position: int, end: int, encoding: _Encoding, budget: _Budget, depth: int = 0
) -> Iterator[tuple[int, int, int]]:
    """Items of a sequence, or fragments of pixel data: start, length, and where the next one begins.

    Ends at the mark that ends the sequence, or where the data end.
    """
    if depth > MAX_DEPTH:
        raise FilmError("too_costly")
    header = struct.Struct(f"{encoding.order}HHI")
    while position + 8 <= end:
        budget.spend()
        group, element, length = header.unpack_from(data, position)
        tag, start = group << 16 | element, position + 8
        if tag == _SEQUENCE_END:
            return
        if tag != _ITEM:
            raise ValueError("no item where one has to be")
        if length == _UNDEFINED:
            after = start
            for _, _, next_position in _walk(data, start, encoding, budget, end, depth=depth + 1):
                after = next_position
            length = after - start
            position = after + 8
        else:
            position = start + length
            if position > end:
                raise ValueError("item cut short")
        yield start, length, position
