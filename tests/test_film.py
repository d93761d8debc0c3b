import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from lungcare import film
from lungcare.film import FilmError, Radiograph, decode
from tests import bombs, phantom

# Four fields of one grey each, A B over C D: 8 bits give exactly these levels.
FIELDS = np.array([[51, 102], [153, 204]])
A, B, C, D = FIELDS.flatten() / 255


def fields() -> np.ndarray:
    """128 rows, 96 columns, 0 to 1."""
    return np.kron(FIELDS, np.ones((64, 48))) / 255


def corners(pixels: np.ndarray) -> list[float]:
    """The middle of each quarter, row by row."""
    height, width = pixels.shape
    rows, columns = (height // 4, 3 * height // 4), (width // 4, 3 * width // 4)
    return [float(pixels[row, column]) for row in rows for column in columns]


def png(width: int, height: int, depth: int, colour: int, rows: bytes = b"") -> bytes:
    """A PNG made by hand: for what Pillow does not write."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def deep_colour(channels: int, colour: int) -> bytes:
    """`fields` as a PNG with several channels of 16 bits."""
    levels = np.round(fields() * 65535).astype(">u2")
    rows = np.repeat(levels[..., np.newaxis], channels, axis=2)
    if channels in (2, 4):
        rows[..., -1] = 65535
    return png(96, 128, 16, colour, b"".join(b"\0" + row.tobytes() for row in rows))


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA", "P"])
def test_png_of_8_bits(mode):
    pixels = decode(phantom.encode(fields(), mode=mode)).pixels
    assert pixels.shape == (128, 96)
    assert pixels.dtype == np.float32
    assert corners(pixels) == pytest.approx([A, B, C, D], abs=1e-6)


@pytest.mark.parametrize(
    ("kind", "mode", "options", "tolerance"),
    [
        ("JPEG", "L", {"quality": 95}, 2 / 255),
        ("JPEG", "L", {"quality": 95, "progressive": True}, 2 / 255),
        ("JPEG", "RGB", {"quality": 95}, 2 / 255),
        ("JPEG", "CMYK", {"quality": 95}, 3 / 255),
        ("WEBP", "RGB", {"lossless": True}, 1e-6),
        ("WEBP", "RGBA", {"lossless": True}, 1e-6),
        ("WEBP", "RGB", {"quality": 90}, 3 / 255),
    ],
)
def test_jpeg_and_webp(kind, mode, options, tolerance):
    pixels = decode(phantom.encode(fields(), kind, mode=mode, **options)).pixels
    assert corners(pixels) == pytest.approx([A, B, C, D], abs=tolerance)


def test_one_bit():
    assert corners(decode(phantom.encode(np.round(fields()), mode="1")).pixels) == [0, 0, 1, 1]


@pytest.mark.parametrize(("colour", "level"), [("red", 76), ("lime", 150), ("blue", 29), ("white", 255)])
def test_colour_becomes_luma(colour, level):
    stream = io.BytesIO()
    Image.new("RGB", (64, 64), colour).save(stream, "PNG")
    assert np.all(decode(stream.getvalue()).pixels == np.float32(level) / np.float32(255))


@pytest.mark.parametrize(
    "data",
    [phantom.encode(fields(), bits=16), deep_colour(3, 2), deep_colour(2, 4), deep_colour(4, 6)],
    ids=["grey", "rgb", "grey and alpha", "rgba"],
)
def test_16_bits_are_stretched(data):
    pixels = decode(data).pixels
    assert pixels.dtype == np.float32
    assert corners(pixels) == pytest.approx([0, 1 / 3, 2 / 3, 1], abs=1e-3)


def test_12_bits_in_16_are_stretched_and_outliers_are_clipped():
    levels = np.tile(np.linspace(1000, 3000, 1001), (200, 1)).astype(np.uint16)
    levels[0, :3] = 65535
    pixels = decode(phantom.encode(levels / 65535, bits=16)).pixels
    assert pixels.min() == 0
    assert pixels.max() == 1
    assert pixels[100, 500] == pytest.approx(0.5, abs=0.01)


def test_an_even_film_of_16_bits_is_black():
    assert not decode(phantom.encode(np.full((64, 64), 0.7), bits=16)).pixels.any()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("most", [1.0, 3.4e38])
def test_floating_point_is_stretched_however_far_it_spans(most):
    levels = np.tile(np.linspace(-1, 1, 201) * most, (200, 1)).astype(np.float32)
    levels[0, 0], levels[0, 1] = np.nan, np.inf
    stream = io.BytesIO()
    Image.fromarray(levels).save(stream, "TIFF")
    pixels = decode(stream.getvalue()).pixels
    assert pixels[100, [1, 50, 100, 150, 199]] == pytest.approx([0, 0.25, 0.5, 0.75, 1], abs=0.01)
    assert 0 <= pixels.min() <= pixels.max() <= 1


@pytest.mark.parametrize(
    ("orientation", "seen"),
    [
        (1, [A, B, C, D]),
        (2, [B, A, D, C]),
        (3, [D, C, B, A]),
        (4, [C, D, A, B]),
        (5, [A, C, B, D]),
        (6, [C, A, D, B]),
        (7, [D, B, C, A]),
        (8, [B, D, A, C]),
        (9, [A, B, C, D]),
    ],
)
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_orientation(kind, orientation, seen):
    exif = Image.Exif()
    exif[0x112] = orientation
    radiograph = decode(phantom.encode(fields(), kind, mode="RGB", exif=exif, quality=95))
    assert (radiograph.height, radiograph.width) == ((96, 128) if orientation in (5, 6, 7, 8) else (128, 96))
    assert corners(radiograph.pixels) == pytest.approx(seen, abs=4 / 255)


def test_orientation_of_16_bits():
    exif = Image.Exif()
    exif[0x112] = 6
    pixels = decode(phantom.encode(fields(), bits=16, exif=exif)).pixels
    assert corners(pixels) == pytest.approx([2 / 3, 0, 1, 1 / 3], abs=1e-3)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_an_orientation_that_cannot_be_read_counts_as_none():
    data = phantom.encode(fields(), "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff garbage")
    assert decode(data).height == 128


def test_transparent_parts_are_black():
    image = Image.fromarray(np.round(fields() * 255).astype(np.uint8)).convert("RGBA")
    image.paste((255, 255, 255, 0), (0, 0, 48, 64))
    stream = io.BytesIO()
    image.save(stream, "PNG")
    assert corners(decode(stream.getvalue()).pixels) == pytest.approx([0, B, C, D], abs=1e-6)


def test_further_pictures_in_a_jpeg_are_left_out():
    pages = [Image.fromarray(np.round(fields() * 255).astype(np.uint8)), Image.new("L", (96, 128))]
    stream = io.BytesIO()
    pages[0].save(stream, "MPO", save_all=True, append_images=pages[1:], quality=95)
    assert corners(decode(stream.getvalue()).pixels) == pytest.approx([A, B, C, D], abs=2 / 255)


def animation(kind: str) -> bytes:
    pages = [Image.new("L", (80, 80), level) for level in (0, 100, 200)]
    stream = io.BytesIO()
    pages[0].save(stream, kind, save_all=True, append_images=pages[1:])
    return stream.getvalue()


def huge_jpeg() -> bytes:
    """A JPEG whose header says 60,000 x 60,000."""
    data = bytearray(phantom.film(kind="JPEG"))
    frame = data.index(b"\xff\xc0")
    data[frame + 5 : frame + 9] = struct.pack(">HH", 60000, 60000)
    return bytes(data)


BAD = {
    "empty": (b"", "empty_file", {}),
    "text": (b"I am no picture.\n" * 50, "unsupported_format", {}),
    "gif": (b"GIF89a" + bytes(100), "unsupported_format", {}),
    "wav": (b"RIFF\x24\x08\x00\x00WAVEfmt " + bytes(100), "unsupported_format", {}),
    "start of webp": (b"RIFF", "unsupported_format", {}),
    "signature of png": (b"\x89PNG\r\n\x1a\n", "damaged_file", {}),
    "signature of jpeg": (b"\xff\xd8\xff", "damaged_file", {}),
    "half a png": (phantom.film()[:20_000], "damaged_file", {}),
    "half a png of 16 bits": (phantom.encode(fields(), bits=16)[:200], "damaged_file", {}),
    "half a jpeg": (phantom.film(kind="JPEG")[:6_000], "damaged_file", {}),
    "half a webp": (phantom.film(kind="WEBP")[:6_000], "damaged_file", {}),
    "png without pixels": (png(100, 100, 8, 0), "damaged_file", {}),
    "bomb of png": (png(30_000, 30_000, 8, 2), "too_many_pixels", {"megapixels": 36.0}),
    "bomb just above Pillow's warning": (png(10_000, 10_000, 8, 2), "too_many_pixels", {"megapixels": 36.0}),
    "bomb of jpeg": (huge_jpeg(), "too_many_pixels", {"megapixels": 64.0}),
    "bomb in a tile of a tiff": (bombs.tile(100, 9_000), "too_costly", {}),
    "bomb in a tile of a tiff that a second tag hides": (
        bombs.tile(100, 9_000, (322, 4, 112), (323, 4, 112)),
        "damaged_file",
        {},
    ),
    "bomb in a tile of a tiff by a type that Pillow does not read": (
        bombs.tile(100, 9_000).replace(struct.pack("<HH", 322, 4), struct.pack("<HH", 322, 17)),
        "damaged_file",
        {},
    ),
    "animated png": (animation("PNG"), "several_images", {"count": 3}),
    "animated webp": (animation("WEBP"), "several_images", {"count": 3}),
    "too small": (
        phantom.encode(phantom.chest(height=63, width=200)),
        "too_small",
        {"width": 200, "height": 63, "limit": 64},
    ),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("case", BAD)
def test_refused(case):
    data, code, values = BAD[case]
    with pytest.raises(FilmError) as raised:
        decode(data)
    assert raised.value.code == code
    assert raised.value.values == values


@pytest.mark.parametrize("side", [64, 112, 256, 1024])
def test_tiles_of_tiff(side):
    levels = np.tile(np.arange(side, dtype=np.uint8), (side, 1))
    data = bombs.tiff(64, levels.tobytes(), (322, 3, side), (323, 3, side), pixels_tag=324)
    assert np.array_equal(decode(data).pixels, levels[:64, :64] / np.float32(255))


def test_limit_of_pixels_is_the_callers():
    data = phantom.encode(phantom.chest(height=100, width=100))
    assert decode(data, max_pixels=10_000).width == 100
    with pytest.raises(FilmError, match="too_many_pixels"):
        decode(data, max_pixels=9_999)


def test_every_byte_lost_is_refused_or_read_but_nothing_else():
    data = phantom.encode(phantom.chest(height=64, width=64), "JPEG")
    for length in range(0, len(data), 7):
        try:
            decode(data[:length])
        except FilmError:
            continue


@pytest.mark.parametrize(
    ("shape", "inside"),
    [
        ((100, 100), (slice(0, 64), slice(0, 64))),
        ((200, 100), (slice(0, 64), slice(16, 48))),
        ((100, 200), (slice(16, 48), slice(0, 64))),
        ((32, 16), (slice(0, 64), slice(16, 48))),
        ((1000, 1), (slice(0, 64), slice(31, 32))),
    ],
)
def test_square_keeps_the_geometry(shape, inside):
    canvas = film.square(np.ones(shape, np.float32), 64)
    assert canvas.dtype == np.float32
    assert np.allclose(canvas[inside], 1)
    canvas[inside] = 0
    assert not canvas.any()


def test_a_large_jpeg_is_decoded_as_far_as_it_is_needed():
    """And what becomes of it is what the whole of it becomes, give or take a grey level."""
    data = phantom.encode(phantom.chest(height=1800, width=1500), "JPEG")
    part, whole = decode(data, side=200), decode(data)
    assert (whole.height, whole.width) == (1800, 1500)
    assert 400 <= part.height < 900
    pixels = [film.scaled(radiograph, 200).pixels for radiograph in (part, whole)]
    assert pixels[0].shape == pixels[1].shape == (200, 167)
    assert 255 * np.abs(pixels[0] - pixels[1]).mean() < 1


def test_a_scaled_film_gives_the_same_square():
    radiograph = Radiograph(phantom.chest(height=400, width=300), ("inverted",))
    small = film.scaled(radiograph, 96)
    assert small.corrections == ("inverted",)
    assert np.array_equal(film.square(small.pixels, 96), film.square(radiograph.pixels, 96))


def test_square_of_the_same_size_changes_nothing():
    pixels = phantom.chest(height=64, width=64)
    assert np.array_equal(film.square(pixels, 64), pixels)


def test_network_input():
    square = film.network_input(decode(phantom.film()), 96)
    assert square.shape == (96, 96, 1)
    assert square.dtype == np.float32
    assert 100 < square.max() <= 255


def test_real_films(films):
    rows = (films / "manifest.csv").read_text(encoding="utf-8").splitlines()
    names = rows[0].split(",")
    for row in rows[1 :: len(rows) // 25]:
        record = dict(zip(names, row.split(","), strict=False))
        radiograph = decode((films / record["file"]).read_bytes())
        assert 0 <= radiograph.pixels.min() < radiograph.pixels.max() <= 1
        assert min(radiograph.pixels.shape) >= film.MIN_SIDE


def test_a_grey_film_of_60_megapixels_is_read_at_half_its_size():
    stream = io.BytesIO()
    Image.new("L", (10_000, 6_000), 51).save(stream, "PNG", compress_level=1)
    radiograph = decode(stream.getvalue())
    assert (radiograph.width, radiograph.height) == (5_000, 3_000)
    np.testing.assert_allclose(radiograph.pixels[::500, ::500], 0.2, atol=1e-6)
