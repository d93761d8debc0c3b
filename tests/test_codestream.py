import struct

import imagecodecs
import pytest
from pydicom import uid

from lungcare.codestream import jpeg2000_header, jpeg_header
from lungcare.film import FilmError, decode
from tests import bombs, formats
from tests.dicom_files import ENCODERS, write

GREY = formats.TWELVE


def bare(**options: object) -> bytes:
    return imagecodecs.jpeg2k_encode(GREY, bitspersample=12, **{"codecformat": "j2k", "reversible": True, **options})


def in_xml() -> bytes:
    """A JP2 file with a box of a text before the stream, as programs of microscopes write it."""
    data = bare(codecformat="jp2")
    stream = data.index(b"jp2c") - 4
    return data[:stream] + bombs.box(b"xml ", b"<a/>") + data[stream:]


def long_box() -> bytes:
    """A JP2 file whose stream says its length in 64 bits."""
    data = bare(codecformat="jp2")
    stream = data.index(b"jp2c") - 4
    return data[:stream] + struct.pack(">I4sQ", 1, b"jp2c", len(data) - stream + 8) + data[stream + 8 :]


def said_to_be(side: int, stream: bytes) -> bytes:
    """A stream whose header says that film and tile are of another size."""
    sizes = struct.pack(">II", side, side)
    return stream[:8] + sizes + stream[16:24] + sizes + stream[32:]


def last_tile_without_length() -> bytes:
    """A stream whose only part of a tile goes to the end, as its length of 0 says."""
    data = bytearray(bare())
    tile = data.index(b"\xff\x90")
    data[tile + 6 : tile + 10] = bytes(4)
    return bytes(data)


STREAMS = {
    "bare": bare(),
    "tiles": formats.picture(formats.BYTES, "JPEG2000", no_jp2=True, tile_size=(64, 64), num_resolutions=3)(),
    "precincts": formats.picture(formats.BYTES, "JPEG2000", precinct_size=(64, 64), progression="RPCL")(),
    "JP2": bare(codecformat="jp2"),
    "JP2 with XML": in_xml(),
    "JP2, 64 bits": long_box(),
    "padded": bare() + b"\0",
    "no length of the tile": last_tile_without_length(),
    "a coding style in the component": bombs.coded("component", 131, precinct=0x77),
    "a coding style in the tile": bombs.coded("tile", 131, precinct=0x77),
    "high-throughput": ENCODERS[uid.HTJ2KLossless](GREY, 12),
}


@pytest.mark.parametrize("name", STREAMS)
def test_streams_of_jpeg_2000_are_read(name):
    stream = STREAMS[name]
    levels = imagecodecs.jpeg2k_decode(stream)
    header = jpeg2000_header(stream)
    assert (header.height, header.width, header.components) == (*levels.shape, 1)
    data = write(levels, uid.JPEG2000Lossless, encode=lambda levels, bits: stream)
    assert decode(data).pixels.shape == levels.shape


COSTLY = {
    "precincts": bombs.coded("main"),
    "precincts behind a comment": bombs.coded("comment"),
    "precincts of a component": bombs.coded("component"),
    "precincts of a tile": bombs.coded("tile"),
    "precincts that are high and narrow": said_to_be(65_535, bombs.coded("main", 100, precinct=0xF0)),
    "blocks": bombs.coded("main", bombs.HALF, (2, 2), 0xFF),
    "orders": bare().replace(b"\xff\x5c", bombs.segment(0xFF5F, bytes(7)) + b"\xff\x5c"),
    "comments": bare().replace(b"\xff\x5c", bombs.segment(0xFF64, bytes(2)) * 200_000 + b"\xff\x5c"),
    "boxes": bombs.box(b"free", b"") * 200_000,
}


@pytest.mark.parametrize("name", COSTLY)
def test_what_is_cut_into_many_pieces_is_refused(name):
    with pytest.raises(FilmError, match="too_costly"):
        jpeg2000_header(COSTLY[name])


@pytest.mark.parametrize(
    "stream",
    [
        b"",
        bombs.palette(100),
        bombs.box(b"free", bare())[:-1],
        bare()[:60],
        bare().replace(b"\xff\x5c", b"\xff\x30\0\2\xff\x5c"),  # decoders look for the next marker that they know
        bare().replace(b"\xff\x93", b"\xff\x52"),
    ],
)
def test_a_stream_that_decoders_would_guess_at_is_none(stream):
    with pytest.raises((ValueError, struct.error)):
        jpeg2000_header(stream)


def test_the_size_is_that_of_the_stream_and_not_of_a_box_before_it():
    assert jpeg2000_header(bombs.hidden(600)).width == 600


def test_a_mark_without_a_length_hides_neither_size_nor_scans_of_a_jpeg():
    assert jpeg_header(bombs.behind_a_mark(600)).width == 600
    with pytest.raises(FilmError, match="too_costly"):
        jpeg_header(bombs.many_scans(100, 600, is_hidden=True))
    assert jpeg_header(bombs.many_scans(20, 600, is_hidden=True)).is_progressive


def test_a_picture_is_searched_for_segments_in_the_time_of_its_length():
    data = bombs.picture("L", "JPEG", 100)
    scan = data.index(b"\xff\xda") + 14
    assert jpeg_header(data[:scan] + b"\xff" * 1_000_000 + b"\0" + data[scan:]).width == 100
