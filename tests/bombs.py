"""Files that are small and unpack to much, or take long: the largest that the limits let in, and those above them."""

import io
import struct
import zlib
from collections.abc import Callable

import imagecodecs
import numpy as np
from PIL import Image
from pydicom import uid

from tests.dicom_files import write

SIDE = 6000  # 36 megapixels, the limit
HALF = 4240  # half of them
WEBP = 3790  # four tenths


def picture(mode: str, kind: str, side: int = SIDE, colour: object = 0, **options: object) -> bytes:
    """One even picture in Pillow's formats."""
    stream = io.BytesIO()
    Image.new(mode, (side, side), colour).save(stream, kind, **options)
    return stream.getvalue()


def chunk(name: bytes, body: bytes) -> bytes:
    """One chunk of a PNG."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def many_chunks() -> bytes:
    """A PNG with four million chunks that hold nothing."""
    head = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 100, 100, 8, 0, 0, 0, 0))
    return head + chunk(b"abCd", b"") * 4_000_000


def many_texts() -> bytes:
    """A PNG whose texts inflate to a megabyte each."""
    text = chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(1_000_000)))
    head = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 100, 100, 8, 0, 0, 0, 0))
    return head + text * 5000


def many_scans(count: int, side: int = HALF, is_hidden: bool = False) -> bytes:
    """A progressive JPEG whose first scan comes again and again.

    is_hidden: in blocks of 65 kB, each behind a mark without a length, of which a reader may take the scan for one.
    """
    data = picture("RGB", "JPEG", side, progressive=True)
    start = data.index(b"\xff\xda")
    end = data.index(b"\xff", start + 14)
    while data[end + 1] in (0, *range(0xD0, 0xD8)):
        end = data.index(b"\xff", end + 1)
    scans = [data[start:end]] * count
    if is_hidden:
        at_once = 65_000 // (end - start)
        blocks = (b"".join(scans[first : first + at_once]) for first in range(0, count, at_once))
        scans = [b"\xff\1" + block.ljust(0xFFDA, b"\0") for block in blocks]
    return data[:end] + b"".join(scans) + data[end:]


def many_pages() -> bytes:
    """A TIFF of a million pages, all of one entry."""
    page = struct.Struct("<HHHIII")
    return (
        b"II*\0"
        + struct.pack("<I", 8)
        + b"".join(page.pack(1, 256, 3, 1, 100, 8 + (number + 1) * page.size) for number in range(1_000_000))
    )


def tiff(side: int, pixels: bytes, *tags: tuple[int, int, int], pixels_tag: int = 273) -> bytes:
    """A deflated TIFF in one piece. tags: number, type and value of more than the needed ones, or of the same."""
    packed = zlib.compress(pixels, 9)
    entries = [(256, 4, side), (257, 4, side), (258, 3, 8), (259, 3, 8), (262, 3, 1), (277, 3, 1), *tags]
    start = 8 + 2 + 12 * (len(entries) + 2) + 4
    entries += [(pixels_tag, 4, start), (325 if pixels_tag == 324 else 279, 4, len(packed))]
    body = b"".join(
        struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in sorted(entries, key=lambda e: e[0])
    )
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + body + bytes(4) + packed


def tile(side: int, of: int, *tags: tuple[int, int, int]) -> bytes:
    """A TIFF of one deflated tile. side: of the picture. of: side of the tile. tags: more of them."""
    return tiff(side, bytes(of * of), (322, 4, of), (323, 4, of), *tags, pixels_tag=324)


def runs_of_one() -> bytes:
    """A BMP of runs of one pixel each, and of jumps that go nowhere."""
    rows = b"\1\0" * 20_000_000
    head = struct.pack("<IiiHHIIiiII", 40, 4400, 4400, 1, 8, 1, len(rows), 0, 0, 256, 0)
    offset = 14 + len(head) + 1024
    return b"BM" + struct.pack("<IHHI", offset + len(rows), 0, 0, offset) + head + bytes(1024) + rows


def film(syntax: str, side: int = SIDE, dtype: str = "u2", **tags: object) -> bytes:
    """A DICOM film of one grey but for a corner."""
    levels = np.zeros((side, side), dtype)
    levels[:9, :9] = 200
    return write(levels, syntax, **tags)


def inflating() -> bytes:
    """A deflated DICOM file of 8 GB in 8 MB."""
    data = write(np.zeros((100, 100), np.uint8), uid.DeflatedExplicitVRLittleEndian)
    start = data.index(b"1.2.840.10008.1.2.1.99") + 22
    press = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = struct.pack("<HH2sHI", 8, 0x70, b"OB", 0, 1 << 24) + bytes(1 << 24)
    return data[:start] + b"".join(press.compress(block) for _ in range(500)) + press.flush()


def greater_than_said(stream: bytes, syntax: str) -> bytes:
    """A DICOM file that says 100 x 100 and holds a stream that says otherwise."""
    return write(np.zeros((100, 100), np.uint8), syntax, encode=lambda levels, bits: stream)


def behind_a_mark(side: int) -> bytes:
    """A JPEG with a mark that has no length, and a small header where a segment behind that mark would end."""
    data = picture("L", "JPEG", side)
    start = data[:2] + b"\xff\1"
    comment = segment(0xFFFE, bytes(65_000))
    frame = segment(0xFFC0, struct.pack(">BHHB", 8, 100, 100, 1) + b"\1\x11\0") + b"\xff\xd9"
    # The mark of the comment, read as a length.
    return start + comment + segment(0xFFFE, bytes(0xFFFE - len(comment) - 4) + frame) + data[2:]


def wrapped(stream: bytes, side: int) -> bytes:
    """A DICOM file that says side x side and holds a JPEG 2000 stream."""
    return write(np.zeros((side, side), np.uint8), uid.JPEG2000, encode=lambda levels, bits: stream)


def many_elements() -> bytes:
    """A DICOM file with six million elements that hold nothing."""
    data = write(np.zeros((100, 100), np.uint8))
    start = data.index(b"\x08\0\x16\0")
    return data[:start] + struct.pack("<HH2sH", 8, 0x70, b"LO", 0) * 6_000_000 + data[start:]


def nested(depth: int = 1_000_000) -> bytes:
    """A DICOM file with a sequence in a sequence in a sequence."""
    data = write(np.zeros((100, 100), np.uint8))
    start = data.index(b"\x08\0\x16\0")
    level = struct.pack("<HH2sHI", 8, 0x1140, b"SQ", 0, 0xFFFFFFFF) + struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
    return data[:start] + level * depth


def many_fragments() -> bytes:
    """A DICOM film in six million fragments that hold nothing."""
    data = write(np.zeros((100, 100), np.uint8), uid.JPEGLSLossless)
    return data[:-8] + struct.pack("<HHI", 0xFFFE, 0xE000, 0) * 6_000_000 + data[-8:]


def tiles(side: int, tile: int) -> bytes:
    """A JPEG 2000 stream whose header is cut into many tiles."""
    stream = bytearray(imagecodecs.jpeg2k_encode(np.zeros((side, side), np.uint8), codecformat="j2k"))
    stream[24:32] = struct.pack(">II", tile, tile)
    return bytes(stream)


def layers(count: int) -> bytes:
    """A JPEG 2000 stream that says that it has many layers."""
    stream = bytearray(imagecodecs.jpeg2k_encode(np.zeros((HALF, HALF), np.uint8), codecformat="j2k"))
    coding = stream.index(b"\xff\x52")
    stream[coding + 6 : coding + 8] = struct.pack(">H", count)
    return bytes(stream)


def coded(place: str, side: int = 2000, blocks: tuple[int, int] = (6, 6), precinct: int = 0x11) -> bytes:
    """A JPEG 2000 stream of precincts of 2 x 2 pixels, or of other small pieces, that says so in an unusual place.

    place: "main" (where it usually is), "comment" (behind a comment that holds a harmless coding style), "component"
    or "tile". blocks: logarithms of the sides of a block. precinct: those of a precinct, height and width, or 0xFF.
    """
    stream = imagecodecs.jpeg2k_encode(np.zeros((side, side), np.uint8), codecformat="j2k")
    start = stream.index(b"\xff\x52")
    (length,) = struct.unpack_from(">H", stream, start + 2)
    end = start + 2 + length
    usual, style = stream[start:end], stream[start + 4 : end]
    levels = style[5]
    small = bytes([levels, blocks[0] - 2, blocks[1] - 2]) + style[8:10] + bytes([precinct] * (levels + 1))
    tile = end + stream[end:].index(b"\xff\x90")
    coding = segment(0xFF52, bytes([style[0] | 1]) + style[1:5] + small)
    if place == "main":
        return stream[:start] + coding + stream[end:]
    if place == "comment":
        return stream[:start] + segment(0xFF64, bytes(2) + usual) + coding + stream[end:]
    if place == "component":
        return stream[:end] + segment(0xFF53, b"\0\1" + small) + stream[end:]
    (size,) = struct.unpack_from(">I", stream, tile + 6)
    part = stream[tile : tile + 6] + struct.pack(">I", size + len(coding)) + stream[tile + 10 : tile + 12]
    return stream[:tile] + part + coding + stream[tile + 12 :]


def segment(marker: int, body: bytes) -> bytes:
    """One segment of a JPEG or JPEG 2000 stream."""
    return struct.pack(">HH", marker, len(body) + 2) + body


def box(kind: bytes, body: bytes) -> bytes:
    """One box of a JP2 file."""
    return struct.pack(">I4s", len(body) + 8, kind) + body


def hidden(side: int) -> bytes:
    """A JP2 file with the header of a small stream in a box before the true stream."""
    data = imagecodecs.jpeg2k_encode(np.zeros((side, side), np.uint8), codecformat="jp2")
    small = imagecodecs.jpeg2k_encode(np.zeros((100, 100), np.uint8), codecformat="j2k")
    stream = data.index(b"jp2c") - 4
    return data[:stream] + box(b"free", small) + data[stream:]


def palette(side: int, channels: int = 200) -> bytes:
    """A JP2 file with a palette that makes many channels of one."""
    data = imagecodecs.jpeg2k_encode(np.zeros((side, side), np.uint8), codecformat="jp2")
    start = data.index(b"jp2h") - 4
    (length,) = struct.unpack_from(">I", data, start)
    entries = struct.pack(">HB", 2, channels) + bytes([7] * channels + [0] * 2 * channels)
    channels_of_entries = b"".join(struct.pack(">HBB", 0, 1, channel) for channel in range(channels))
    boxes = data[start + 8 : start + length] + box(b"pclr", entries) + box(b"cmap", channels_of_entries)
    return data[:start] + box(b"jp2h", boxes) + data[start + length :]


def _exif() -> Image.Exif:
    exif = Image.Exif()
    exif[0x112] = 6
    return exif


DEFLATED, RLE = uid.DeflatedExplicitVRLittleEndian, uid.RLELossless

# Name -> the file. Those of "at the limit" are read; all others are refused.
BOMBS: dict[str, Callable[[], bytes]] = {
    "at the limit: PNG, RGB": lambda: picture("RGB", "PNG"),
    "at the limit: PNG, RGBA, turned": lambda: picture("RGBA", "PNG", exif=_exif()),
    "at the limit: PNG, palette with transparency": lambda: picture("P", "PNG", transparency=0),
    "at the limit: PNG, 16 bits, turned": lambda: picture("I;16", "PNG", exif=_exif()),
    "at the limit: PNG, 1 bit": lambda: picture("1", "PNG"),
    "at the limit: JPEG, CMYK, turned": lambda: picture("CMYK", "JPEG", exif=_exif()),
    "at the limit: JPEG, progressive": lambda: picture("RGB", "JPEG", HALF, progressive=True, subsampling=0),
    "at the limit: JPEG, progressive, CMYK": lambda: picture("CMYK", "JPEG", HALF, progressive=True, subsampling=0),
    "at the limit: JPEG, progressive, 30 scans more": lambda: many_scans(30),
    "at the limit: WebP": lambda: picture("RGBA", "WEBP", WEBP, lossless=True, exif=_exif()),
    "at the limit: TIFF, CMYK": lambda: picture("CMYK", "TIFF", compression="tiff_lzw"),
    "at the limit: TIFF, RGBA, turned": lambda: picture("RGBA", "TIFF", compression="tiff_lzw", exif=_exif()),
    "at the limit: TIFF, 16 bits": lambda: picture("I;16", "TIFF", compression="tiff_adobe_deflate"),
    "at the limit: TIFF, floating point": lambda: picture("F", "TIFF", HALF, compression="tiff_adobe_deflate"),
    "at the limit: TIFF, one tile": lambda: tile(SIDE, SIDE),
    "at the limit: BMP": lambda: picture("L", "BMP"),
    "at the limit: DICOM, deflated": lambda: film(DEFLATED),
    "at the limit: DICOM, RLE": lambda: film(RLE),
    "at the limit: DICOM, RLE, colour": lambda: write(np.zeros((3000, 3000, 3), np.uint8), RLE),
    "at the limit: DICOM, JPEG": lambda: film(uid.JPEGBaseline8Bit, dtype="u1"),
    "at the limit: DICOM, JPEG lossless": lambda: film(uid.JPEGLosslessSV1),
    "at the limit: DICOM, JPEG-LS": lambda: film(uid.JPEGLSLossless),
    "at the limit: DICOM, JPEG 2000": lambda: film(uid.JPEG2000Lossless, HALF),
    "at the limit: DICOM, JPEG 2000, colour": lambda: write(np.zeros((2120, 2120, 3), np.uint8), uid.JPEG2000Lossless),
    "PNG, 900 megapixels": lambda: picture("1", "PNG", 30_000),
    "PNG, four million chunks": many_chunks,
    "PNG, texts of 5 GB": many_texts,
    "JPEG, 2000 scans": lambda: many_scans(2000),
    "JPEG, 2000 hidden scans": lambda: many_scans(2000, is_hidden=True),
    "TIFF, a million pages": many_pages,
    "TIFF, one tile of 400 megapixels": lambda: tile(100, 20_000),
    "TIFF, one tile of 400 megapixels that is small in a second tag": lambda: tile(
        100, 20_000, (322, 4, 112), (323, 4, 112)
    ),
    "BMP, runs of one pixel": runs_of_one,
    "DICOM, deflated, 8 GB": inflating,
    "DICOM, JPEG greater than it says": lambda: greater_than_said(picture("L", "JPEG", 12_000), uid.JPEGBaseline8Bit),
    "DICOM, JPEG greater than a comment says": lambda: greater_than_said(behind_a_mark(12_000), uid.JPEGBaseline8Bit),
    "DICOM, JPEG-LS greater than it says": lambda: greater_than_said(
        imagecodecs.jpegls_encode(np.zeros((12_000, 12_000), np.uint8)), uid.JPEGLSLossless
    ),
    "DICOM, JPEG 2000 greater than it says": lambda: greater_than_said(
        imagecodecs.jpeg2k_encode(np.zeros((8_000, 8_000), np.uint8), codecformat="j2k"), uid.JPEG2000
    ),
    "DICOM, RLE shorter than it says": lambda: film(RLE, 100, Rows=6000, Columns=6000),
    "DICOM, six million elements": many_elements,
    "DICOM, a million sequences in each other": nested,
    "DICOM, six million fragments": many_fragments,
    "DICOM, JPEG 2000 of a million tiles": lambda: write(
        np.zeros((4096, 4096), np.uint8), uid.JPEG2000, encode=lambda levels, bits: tiles(4096, 4)
    ),
    "DICOM, JPEG 2000 of 65,535 layers": lambda: write(
        np.zeros((HALF, HALF), np.uint8), uid.JPEG2000, encode=lambda levels, bits: layers(65_535)
    ),
    "DICOM, JPEG 2000 of small precincts behind a comment": lambda: wrapped(coded("comment"), 2000),
    "DICOM, JPEG 2000 of small precincts in a component": lambda: wrapped(coded("component"), 2000),
    "DICOM, JPEG 2000 of small precincts in a tile": lambda: wrapped(coded("tile"), 2000),
    "DICOM, JPEG 2000 of small blocks": lambda: wrapped(coded("main", HALF, (2, 2), 0xFF), HALF),
    "DICOM, JPEG 2000 greater than a box before it says": lambda: wrapped(hidden(6_000), 100),
    "DICOM, JPEG 2000 with a palette": lambda: wrapped(palette(1000), 1000),
}
