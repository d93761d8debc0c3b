"""The headers of JPEG, JPEG-LS and JPEG 2000 streams, read without decoding: what a decoder would have to do."""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from lungcare.reading import FilmError

# More scans over the picture, or more pieces (packets, blocks of coefficients, parts of headers), than any encoder
# makes of a film: only made to keep decoders busy.
MAX_SCANS = 40
MAX_PIECES = 100_000
_MAX_MARKERS = 20_000

# What begins a segment. Decoders take a length behind no other mark, be it in a header or inside the data of a picture.
_MARKER = re.compile(rb"\xff([\xc0-\xcf\xd8-\xfe])")
_END, _SCAN = 0xD9, 0xDA

_FRAMES = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}
_JFIF, _ADOBE = 0xE0, 0xEE
_PROGRESSIVE = {0xC2, 0xC6, 0xCA, 0xCE}

_START_AND_SIZES = b"\xff\x4f\xff\x51"
_CODING, _CODING_OF_COMPONENT, _ORDERS, _TILE_PART, _TILE_DATA = 0xFF52, 0xFF53, 0xFF5F, 0xFF90, 0xFF93
# The segments that decoders know: where others end, they guess.
_SEGMENTS = {0xFF00 + end for end in b"\x50\x52\x53\x55\x57\x58\x59\x5c\x5d\x5e\x5f\x60\x61\x63\x64"}


@dataclass(frozen=True)
class Codestream:
    """What the header of a stream says.

    width, height: in pixels. components: channels. precision: bits of each. is_progressive: sent in several scans.
    is_ycbcr: marked as YCbCr, by Adobe's mark or else by that of JFIF.
    """

    width: int
    height: int
    components: int
    precision: int
    is_progressive: bool = False
    is_ycbcr: bool = False


def jpeg_header(data: bytes) -> Codestream:
    """The header of a JPEG (of any process) or JPEG-LS stream.

    Raises ValueError when there is none, FilmError when the stream has more scans than films have.
    """
    if not data.startswith(b"\xff\xd8"):
        raise ValueError("no JPEG stream")
    header, position, scans, is_ycbcr, has_adobe = None, 2, 0, False, False
    for _ in range(_MAX_MARKERS):
        found = _MARKER.search(data, position)
        marker = found[1][0] if found else _END
        if marker == _END or len(data) < found.end() + 2:
            if header is None:
                raise ValueError("no frame in the JPEG stream")
            return header
        position = found.end()
        if marker in _FRAMES and header is None:
            precision, height, width, components = struct.unpack_from(">BHHB", data, position + 2)
            header = Codestream(width, height, components, precision, marker in _PROGRESSIVE, is_ycbcr)
        elif marker == _JFIF and data.startswith(b"JFIF\0", position + 2) and not has_adobe:
            is_ycbcr = True
        elif marker == _ADOBE and data.startswith(b"Adobe", position + 2):
            is_ycbcr, has_adobe = data.startswith(b"\1", position + 13), True
        scans += marker == _SCAN
        if scans > MAX_SCANS:
            break
        (length,) = struct.unpack_from(">H", data, position)
        position += length
    raise FilmError("too_costly")


def jpeg2000_header(data: bytes) -> Codestream:
    """The header of a JPEG 2000 stream, in a JP2 file or bare.

    Raises ValueError when there is none, FilmError when it is cut into more pieces than those of films.
    """
    start = _codestream_start(data)
    if not data.startswith(_START_AND_SIZES, start):
        raise ValueError("no JPEG 2000 stream")
    length, _, *sizes = struct.unpack_from(">HH8IH", data, start + 4)
    right, bottom, left, top, tile_width, tile_height, tile_left, tile_top, components = sizes
    if not (right > left >= tile_left and bottom > top >= tile_top and tile_width and tile_height and components):
        raise ValueError("impossible sizes")
    tiles = -((tile_left - right) // tile_width) * -((tile_top - bottom) // tile_height)
    tile_width, tile_height = min(tile_width, right), min(tile_height, bottom)
    precision = (data[start + 42] & 0x7F) + 1
    packets = blocks = layers = 0
    # The worst counts, wherever it stands: of what is said again for a component or a tile, the last would hold.
    for marker, position in _segments(data, start + 4 + length):
        if marker == _ORDERS:
            raise FilmError("too_costly")
        if marker == _CODING:
            layers = max(layers, *struct.unpack_from(">H", data, position + 2))
            has_precincts, position = data[position] & 1, position + 5
        elif marker == _CODING_OF_COMPONENT:
            position += 1 if components < 257 else 2
            has_precincts, position = data[position] & 1, position + 1
        else:
            continue
        levels, block_width, block_height = data[position : position + 3]
        if levels > 32:
            raise FilmError("too_costly")
        # The smallest precinct decides, in each direction: as many as that of the tile would hold.
        exponents = data[position + 5 : position + 6 + levels] if has_precincts else b"\xff"
        width, height = 1 << min(byte & 15 for byte in exponents), 1 << min(byte >> 4 for byte in exponents)
        precincts = (1 + tile_width // width) * (1 + tile_height // height)
        packets = max(packets, precincts * (levels + 1))
        width, height = min(width, 4 << (block_width & 15)), min(height, 4 << (block_height & 15))
        blocks = max(blocks, (1 + tile_width // width) * (1 + tile_height // height))
    if not layers:
        raise ValueError("no coding style")
    if tiles * components * (packets * layers + blocks) > MAX_PIECES:
        raise FilmError("too_costly")
    return Codestream(right - left, bottom - top, components, precision)


def _codestream_start(data: bytes) -> int:
    """Where a JPEG 2000 stream begins: at once, or behind the boxes of a JP2 file.

    Raises ValueError when there is none, or a palette, which would make many channels of one; FilmError when there are
    more boxes than in any film.
    """
    if data.startswith(_START_AND_SIZES):
        return 0
    position = 0
    for _ in range(MAX_PIECES):
        length, kind = struct.unpack_from(">I4s", data, position)
        header = 16 if length == 1 else 8
        if kind == b"jp2c":
            if b"pclr" in data[:position]:
                raise ValueError("a palette")
            return position + header
        if length == 1:
            (length,) = struct.unpack_from(">Q", data, position + 8)
        if length < header:
            raise ValueError("no JPEG 2000 stream")
        position += length
    raise FilmError("too_costly")


def _segments(data: bytes, position: int) -> Iterator[tuple[int, int]]:
    """The segments of a JPEG 2000 stream behind its sizes: marker, and where its content begins.

    Those of the main header, then those of the header of each part of a tile, whose data are stepped over.
    Raises ValueError where a decoder would not know how to go on, FilmError when there are more than in any film.
    """
    end, is_tile = len(data), False
    for _ in range(MAX_PIECES):
        marker, length = struct.unpack_from(">HH", data, position)
        if marker == _TILE_DATA and is_tile:
            position, is_tile = end, False
            if not data.startswith(_TILE_PART.to_bytes(2, "big"), position):
                return
            continue
        if marker == _TILE_PART and not is_tile:
            (size,) = struct.unpack_from(">I", data, position + 6)
            end, is_tile = position + size if size else len(data), True
        elif marker in _SEGMENTS:
            yield marker, position + 4
        else:
            raise ValueError("an unknown segment")
        position += 2 + length
        if position + 2 > end:
            raise ValueError("a header longer than its stream")
    raise FilmError("too_costly")
