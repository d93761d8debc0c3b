"""Bytes -> Radiograph, and Radiograph -> the square that a network sees.

The only decoder of the project: training, service, page and command line all come through here.
"""

import io
import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from PIL import ExifTags, Image
from PIL.BmpImagePlugin import BmpImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from lungcare import levels
from lungcare.codestream import jpeg_header
from lungcare.dicom import decode_dicom
from lungcare.elements import is_dicom
from lungcare.reading import FilmError
from lungcare.trace import note, stage

MAX_PIXELS = 64_000_000
MIN_SIDE = 64

# Share of MAX_PIXELS for all but grey films of 8 bits, of which no more than a byte a pixel is ever held: they are
# refused earlier, so that the decoding of any film stays below 300 MB (tests/test_costs.py).
SHARE_OF_MOST = 36 / 64
SHARE_OF_WEBP = 0.4 * SHARE_OF_MOST
SHARE_OF_PROGRESSIVE_JPEG = 0.5 * SHARE_OF_MOST
SHARE_OF_32_BITS = 0.5 * SHARE_OF_MOST
# A film of more pixels is halved in both directions before its levels become floats.
_WHOLE_PIXELS = 36_000_000
# What is brought to a smaller side may come from a film of so many times that side, made of means of whole pixels.
_ENOUGH = 2

# How often a decoder may ask for bytes: far more than any film needs, soon enough to stop who only keeps it busy.
_MAX_READS = 200_000
_MAX_PAGES = 1000
_STRIP_PIXELS = 1 << 20

# EXIF orientation -> what sets the film upright.
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_DEEP_MODES = ("I", "I;16", "I;16L", "I;16B", "I;16N", "F")
_TIFF_PHOTOMETRIC, _WHITE_IS_ZERO = 262, 0
_TIFF_BITS, _TIFF_TILE_WIDTH, _TIFF_TILE_LENGTH = 258, 322, 323
# What decides how large pixels and tiles are: width, length, bits and samples.
_TIFF_SIZES = (256, 257, _TIFF_BITS, 277, _TIFF_TILE_WIDTH, _TIFF_TILE_LENGTH)
_BMP_HEADERS = {12, 40, 52, 56, 64, 108, 124}


@dataclass(frozen=True)
class Radiograph:
    """A decoded film.

    pixels: float32 (height, width), grey, 0 (black) to 1 (white), in the geometry of the file; halved in both
    directions where the file has more than 36 megapixels. corrections: codes of what `lungcare.margins` and
    `lungcare.gate` set right.
    """

    pixels: np.ndarray
    corrections: tuple[str, ...] = ()

    @property
    def height(self) -> int:
        """Rows, in pixels."""
        return self.pixels.shape[0]

    @property
    def width(self) -> int:
        """Columns, in pixels."""
        return self.pixels.shape[1]


@stage("decode")
def decode(data: bytes, max_pixels: int = MAX_PIXELS, side: int | None = None) -> Radiograph:
    """Decode one film.

    data: the bytes of a PNG, JPEG, WebP, TIFF, BMP or DICOM file, grey or colour; what they hold counts, not a name.
    max_pixels: width times height that is still accepted; looked at before anything is decoded. Some decoders need
    more memory for each pixel; theirs is a part of it.
    side: longest side, in pixels, that the film will be `scaled` to: of a JPEG more than twice as large, no more
    is decoded than that needs, by the scaled transform of its blocks (libjpeg), so that its geometry is a fraction of
    the file's. None: all of it.

    8 bits are divided by 255; more are stretched between their 0.5 and 99.5 percentiles (of 16-bit colour, Pillow
    keeps the upper 8 bits). Orientation tags (EXIF) are obeyed; transparent parts become black; of the further
    pictures that telephones put into a JPEG, nothing is taken. DICOM: see `lungcare.dicom.decode_dicom`.
    Raises FilmError with the code that says what is wrong.
    """
    if not data:
        raise FilmError("empty_file")

    def check_size(width: int, height: int, share: float) -> None:
        limit = share * max_pixels
        if width * height > limit:
            raise FilmError("too_many_pixels", megapixels=round(limit / 1e6, 1))
        if min(width, height) < MIN_SIDE:
            raise FilmError("too_small", width=width, height=height, limit=MIN_SIDE)

    try:
        if is_dicom(data):
            most = int(max_pixels * SHARE_OF_MOST)
            return Radiograph(
                decode_dicom(data, most, lambda width, height, share: check_size(width, height, share * SHARE_OF_MOST))
            )
        # Opened by its class and not by Image.open, whose limit of pixels is not ours.
        with _file_class(data)(_Metered(data)) as image:
            share = _share(image, data)
            check_size(image.width, image.height, share)
            _check_pages(image)
            if isinstance(image, TiffImageFile) and _tile_pixels(image, data) > share * max_pixels:
                raise FilmError("too_costly")
            if side is not None:
                scale = _ENOUGH * side / max(image.size)
                image.draft(None, (math.ceil(scale * image.width), math.ceil(scale * image.height)))
            image.load()
            return Radiograph(_pixels(image, is_deep=_is_deep(image, data)))
    except (FilmError, MemoryError, ImportError):
        raise
    except Exception as error:  # Pillow raises nearly anything on damaged bytes
        if _is_unsupported(error):
            raise FilmError("unsupported_pixels", what=_file_class(data).format) from error
        if _is_too_costly(error):
            raise FilmError("too_costly") from error
        raise FilmError("damaged_file") from error


@stage("scale")
def scaled(radiograph: Radiograph, side: int) -> Radiograph:
    """The film with its longest side brought to `side` pixels: all that gate, network and segmenter look at."""
    return replace(radiograph, pixels=_resized(radiograph.pixels, side))


def square(pixels: np.ndarray, size: int) -> np.ndarray:
    """Scale a film into a square: geometry kept, centred, the rest black.

    pixels: float32 (height, width), any range. Returns float32 (size, size) of the same range.
    """
    inner = _resized(pixels, size)
    height, width = inner.shape
    left, top = (size - width) // 2, (size - height) // 2
    canvas = np.zeros((size, size), np.float32)
    canvas[top : top + height, left : left + width] = inner
    return canvas


@stage("scale")
def network_input(radiograph: Radiograph, size: int) -> np.ndarray:
    """The array that a network is given: float32 (size, size, 1), grey levels 0 to 255."""
    note(brightness=round(float(radiograph.pixels[::8, ::8].mean()), 3))
    return square(radiograph.pixels, size)[..., np.newaxis] * np.float32(255)


def _resized(pixels: np.ndarray, side: int) -> np.ndarray:
    """float32 (height, width) -> the same with its longest side `side`.

    By bilinear interpolation, antialiased when it shrinks; from above four times the side, means of whole pixels come
    first, which changes a film by a tenth of a grey level of 256.
    """
    height, width = pixels.shape
    scale = side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR, reducing_gap=_ENOUGH))


class _Metered(io.BytesIO):
    """Bytes that count how often they are asked for. Raises FilmError when that is more than any film needs."""

    reads = 0

    def read(self, size: int | None = -1) -> bytes:
        """As of any file."""
        self.reads += 1
        if self.reads > _MAX_READS:
            raise FilmError("too_costly")
        return super().read(size)


def _file_class(data: bytes) -> type[Image.Image]:
    """What opens these bytes, by their signature; the name of the file does not count."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return PngImageFile
    if data.startswith(b"\xff\xd8\xff"):
        return JpegImageFile
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return WebPImageFile
    if data.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        return TiffImageFile
    if data.startswith(b"BM") and int.from_bytes(data[14:18], "little") in _BMP_HEADERS:
        return BmpImageFile
    raise FilmError("unsupported_format")


def _is_deep(image: Image.Image, data: bytes) -> bool:
    """Whether the samples have more than 8 bits: byte 24 of a PNG says their depth, a tag that of a TIFF."""
    if isinstance(image, TiffImageFile):
        return max(image.tag_v2.get(_TIFF_BITS, (1,))) > 8
    return data.startswith(b"\x89PNG") and data[24] == 16


def _is_unsupported(error: Exception) -> bool:
    """Whether Pillow says that it does not know this kind of pixels, rather than that the bytes are damaged."""
    said = ("unknown pixel mode", "Unsupported BMP", "unknown data organization", "cannot handle")
    return str(error).startswith(said)


def _is_too_costly(error: Exception) -> bool:
    """Whether Pillow says that the texts or the colour profile of a PNG unpack to more than it takes."""
    return str(error).startswith(("Decompressed data too large", "Too much memory used in text"))


def _share(image: Image.Image, data: bytes) -> float:
    """The share of the limit of pixels that counts for such an image."""
    if isinstance(image, WebPImageFile):
        return SHARE_OF_WEBP
    if isinstance(image, JpegImageFile):
        if jpeg_header(data).is_progressive:
            return SHARE_OF_PROGRESSIVE_JPEG
    elif image.mode in ("I", "F"):
        return SHARE_OF_32_BITS
    return 1 if image.mode in ("1", "L") else SHARE_OF_MOST


def _check_pages(image: Image.Image) -> None:
    """Refuse several pictures in one file, moving or not; no more than _MAX_PAGES are counted."""
    if isinstance(image, TiffImageFile):
        # Pillow's own count takes ever longer with every page.
        count = 1 + sum(1 for _ in _further_pages(image))
        image.seek(0)
    else:
        count = getattr(image, "n_frames", 1)
    if count > 1:
        raise FilmError("several_images", count=count)


def _further_pages(image: TiffImageFile) -> Iterator[int]:
    for page in range(1, _MAX_PAGES):
        try:
            image.seek(page)
        except EOFError:
            return
        yield page


def _tile_pixels(image: TiffImageFile, data: bytes) -> int:
    """Width times height of the tiles of a TIFF, of which a whole one is unpacked for the least film; 0 without tiles.

    Raises ValueError where Pillow may not read the sizes that libtiff goes by: of a tag that comes twice, the one takes
    the last, the other the first.
    """
    order = "<" if data.startswith(b"II") else ">"
    is_big = b"+" in data[2:4]
    (start,) = struct.unpack_from(order + "Q", data, 8) if is_big else struct.unpack_from(order + "I", data, 4)
    (count,) = struct.unpack_from(order + ("Q" if is_big else "H"), data, start)
    entry = np.dtype([("tag", order + "u2"), ("value", "V18" if is_big else "V10")])
    tags = np.frombuffer(data, entry, count, start + (8 if is_big else 2))["tag"]
    if any(np.count_nonzero(tags == tag) != (tag in image.tag_v2) for tag in _TIFF_SIZES):
        raise ValueError("sizes that are not clear")
    return image.tag_v2.get(_TIFF_TILE_WIDTH, 0) * image.tag_v2.get(_TIFF_TILE_LENGTH, 0)


def _orientation(image: Image.Image) -> int | None:
    """What the EXIF tag says; a tag that cannot be read counts as none. Pillow turns TIFF by itself."""
    if isinstance(image, TiffImageFile):
        return None
    try:
        return image.getexif().get(ExifTags.Base.Orientation)
    except Exception:  # noqa: BLE001 as many errors as there are ways to damage EXIF
        return None


def _pixels(image: Image.Image, is_deep: bool) -> np.ndarray:
    """Loaded image of any mode -> float32 (height, width), 0 to 1, upright. Closes the image, to free its memory.

    is_deep: whether 8-bit levels come from more bits and are to be stretched.
    """
    upright = _UPRIGHT.get(_orientation(image))
    if image.mode in _DEEP_MODES:
        if upright is not None:
            image = image.transpose(upright)
        return _deep(image)
    grey = _grey(image)
    if grey.width * grey.height > _WHOLE_PIXELS:
        grey = grey.reduce(2)
    if grey is not image:
        image.close()
    if upright is not None:
        grey = grey.transpose(upright)
    if is_deep:
        return _stretched(np.asarray(grey), 255)
    pixels = np.asarray(grey).astype(np.float32)
    pixels /= np.float32(255)
    return pixels


def _grey(image: Image.Image) -> Image.Image:
    """Image of up to 8 bits -> mode L, in strips. What is transparent becomes black."""
    if image.mode == "L" and not image.has_transparency_data:
        return image
    grey = Image.new("L", image.size)
    rows = max(1, _STRIP_PIXELS // image.width)
    for top in range(0, image.height, rows):
        strip = image.crop((0, top, image.width, min(top + rows, image.height)))
        if strip.has_transparency_data:
            strip = strip.convert("RGBA")
            strip = Image.alpha_composite(Image.new("RGBA", strip.size, "black"), strip)
        grey.paste(strip.convert("L"), (0, top))
    return grey


def _deep(image: Image.Image) -> np.ndarray:
    """Image of 16 or 32 bits -> float32 (height, width), 0 to 1, stretched."""
    pixels = np.asarray(image)
    is_inverted = isinstance(image, TiffImageFile) and image.tag_v2.get(_TIFF_PHOTOMETRIC) == _WHITE_IS_ZERO
    image.close()
    if pixels.dtype.itemsize == 2:
        pixels = _stretched(pixels.astype(np.uint16, copy=False), 65535)
    else:
        pixels = _stretched_32_bits(pixels)
    return 1 - pixels if is_inverted else pixels


def _stretched(pixels: np.ndarray, top: int) -> np.ndarray:
    """Unsigned integers up to `top` -> 0 to 1 between the percentiles; an even film becomes black."""
    values = np.arange(top + 1, dtype=np.float64)
    return levels.looked_up(pixels, levels.stretched(values, *levels.spanned(values, levels.counts(pixels, top))))


def _stretched_32_bits(pixels: np.ndarray) -> np.ndarray:
    """Integers or floats of 32 bits -> 0 to 1 between the percentiles; what is no number becomes black."""
    pixels = pixels.astype(np.float32)
    finite = np.isfinite(pixels)
    if not finite.all():
        pixels[~finite] = pixels[finite].min() if finite.any() else 0
    pixels *= np.float32(0.5)  # so that the difference of any two is a number
    low, high = np.percentile(pixels, levels.PERCENTILES)
    return levels.stretched(pixels, np.float32(low), np.float32(high))
