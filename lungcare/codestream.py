"""The headers of JPEG, JPEG-LS and JPEG 2000 streams, read without decoding: what a decoder would have to do."""

import re
import struct
from dataclasses import dataclass

from lungcare.reading import FilmError

# More scans over the picture, or more packets, than any encoder makes of a film: only made to keep decoders busy.
MAX_SCANS = 40
MAX_PACKETS = 100_000
_MAX_MARKERS = 20_000

# What is no stuffed byte and no restart mark inside the data of a picture.
_MARKER = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])")
_END, _SCAN = 0xD9, 0xDA

_FRAMES = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE = {0xC2, 0xC6, 0xCA, 0xCE}


@dataclass(frozen=True)
class Codestream:
    """What the header of a stream says.

    width, height: in pixels. components: channels. precision: bits of each. is_progressive: sent in several scans.
    """

    width: int
    height: int
    components: int
    precision: int
    is_progressive: bool = False


def jpeg_header(data: bytes) -> Codestream:
    """The header of a JPEG (of any process) or JPEG-LS stream.

    Raises ValueError when there is none, FilmError when the stream has more scans than films have.
    """
    if not data.startswith(b"\xff\xd8"):
        raise ValueError("no JPEG stream")
    header, position, scans = None, 2, 0
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
            header = Codestream(width, height, components, precision, marker in _PROGRESSIVE)
        scans += marker == _SCAN
        if scans > MAX_SCANS:
            break
        (length,) = struct.unpack_from(">H", data, position)
        position += length
    raise FilmError("too_costly")


def jpeg2000_header(data: bytes) -> Codestream:
    """The header of a JPEG 2000 stream, in a JP2 box or bare.

    Raises ValueError when there is none, FilmError when it is cut into more pieces than those of films.
    """
    start = data.find(b"\xff\x4f\xff\x51")
    if start < 0:
        raise ValueError("no JPEG 2000 stream")
    sizes = struct.unpack_from(">8IH", data, start + 8)
    right, bottom, left, top, tile_width, tile_height, tile_left, tile_top, components = sizes
    if not (right > left >= tile_left and bottom > top >= tile_top and tile_width and tile_height and components):
        raise ValueError("impossible sizes")
    tiles = -((tile_left - right) // tile_width) * -((tile_top - bottom) // tile_height)
    precision = (data[start + 42] & 0x7F) + 1
    coding = data.find(b"\xff\x52", start + 42, start + 65_536)
    if coding < 0:
        raise ValueError("no coding style")
    style, _, layers, _, levels = struct.unpack_from(">BBHBB", data, coding + 4)
    precincts = 1
    if style & 1:
        # The smallest precinct decides: as many as that of the picture would hold.
        exponents = data[coding + 14 : coding + 15 + min(levels, 32)]
        smallest = min((1 << (byte & 15)) * (1 << (byte >> 4)) for byte in exponents)
        precincts = 1 + min(tile_width, right) * min(tile_height, bottom) // smallest
    if levels > 32 or tiles * precincts * layers * (levels + 1) * components > MAX_PACKETS:
        raise FilmError("too_costly")
    return Codestream(right - left, bottom - top, components, precision)
