"""Bytes -> Radiograph, and Radiograph -> the square that a network sees.

The only decoder of the project: training, service, page and command line all come through here.
"""

import io
from dataclasses import dataclass

import numpy as np
from PIL import ExifTags, Image
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from lungcare.reading import FilmError

MAX_PIXELS = 64_000_000
MIN_SIDE = 64
PERCENTILES = (0.5, 99.5)

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


@dataclass(frozen=True)
class Radiograph:
    """A decoded film.

    pixels: float32 (height, width), grey, 0 (black) to 1 (white), in the geometry of the file.
    """

    pixels: np.ndarray

    @property
    def height(self) -> int:
        """Rows, in pixels."""
        return self.pixels.shape[0]

    @property
    def width(self) -> int:
        """Columns, in pixels."""
        return self.pixels.shape[1]


def decode(data: bytes, max_pixels: int = MAX_PIXELS) -> Radiograph:
    """Decode one film.

    data: the bytes of a PNG, JPEG or WebP file, of 8 or 16 bits, grey or colour.
    max_pixels: width times height that is still accepted; looked at before anything is decoded.

    8 bits are divided by 255; 16 bits are stretched between their 0.5 and 99.5 percentiles (of 16-bit colour,
    Pillow keeps the upper 8 bits). Orientation tags (EXIF) are obeyed; transparent parts become black; of the
    further pictures that telephones put into a JPEG, nothing is taken.
    Raises FilmError with the code that says what is wrong.
    """
    if not data:
        raise FilmError("empty_file")
    file_class = _file_class(data)
    try:
        # Opened by its class and not by Image.open, whose limit of pixels is not ours.
        with file_class(io.BytesIO(data)) as image:
            _check(image, max_pixels)
            image.load()
            return Radiograph(_grey(_upright(image), deep=_is_deep_png(data)))
    except (FilmError, MemoryError):
        raise
    except Exception as error:  # Pillow raises nearly anything on damaged bytes
        raise FilmError("damaged_file") from error


def square(pixels: np.ndarray, size: int) -> np.ndarray:
    """Scale a film into a square: geometry kept, centred, the rest black.

    pixels: float32 (height, width), any range. Returns float32 (size, size) of the same range.
    The longest side is brought to `size` by bilinear interpolation, antialiased when it shrinks.
    """
    height, width = pixels.shape
    scale = size / max(height, width)
    inner = (max(1, round(width * scale)), max(1, round(height * scale)))
    scaled = np.asarray(Image.fromarray(pixels).resize(inner, Image.Resampling.BILINEAR))
    left, top = (size - inner[0]) // 2, (size - inner[1]) // 2
    canvas = np.zeros((size, size), np.float32)
    canvas[top : top + inner[1], left : left + inner[0]] = scaled
    return canvas


def network_input(radiograph: Radiograph, size: int) -> np.ndarray:
    """The array that a network is given: float32 (size, size, 1), grey levels 0 to 255."""
    return square(radiograph.pixels, size)[..., np.newaxis] * np.float32(255)


def _file_class(data: bytes) -> type[Image.Image]:
    """What opens these bytes, by their signature; the name of the file does not count."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return PngImageFile
    if data.startswith(b"\xff\xd8\xff"):
        return JpegImageFile
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return WebPImageFile
    raise FilmError("unsupported_format")


def _is_deep_png(data: bytes) -> bool:
    """Whether this is a PNG of 16 bits: byte 24 of a PNG is the depth of its samples."""
    return data.startswith(b"\x89PNG") and data[24] == 16


def _check(image: Image.Image, max_pixels: int) -> None:
    """Refuse what the header already shows to be no film that we take."""
    if image.width * image.height > max_pixels:
        raise FilmError("too_many_pixels", megapixels=f"{max_pixels / 1e6:g}")
    if min(image.size) < MIN_SIDE:
        raise FilmError("too_small", width=image.width, height=image.height, limit=MIN_SIDE)
    if getattr(image, "n_frames", 1) > 1:
        raise FilmError("several_images", count=image.n_frames)


def _upright(image: Image.Image) -> Image.Image:
    """Turn as the EXIF tag says; a tag that cannot be read counts as none."""
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation)
    except Exception:  # noqa: BLE001 as many errors as there are ways to damage EXIF
        return image
    return image.transpose(_UPRIGHT[orientation]) if orientation in _UPRIGHT else image


def _grey(image: Image.Image, deep: bool) -> np.ndarray:
    """Pillow image of any mode -> float32 (height, width), 0 to 1."""
    if image.mode.startswith("I"):
        return _stretched(np.asarray(image, dtype=np.float32))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "black"), image)
    levels = np.asarray(image.convert("L"), dtype=np.float32)
    return _stretched(levels) if deep else levels / np.float32(255)


def _stretched(levels: np.ndarray) -> np.ndarray:
    """More than 8 bits -> 0 to 1 between the percentiles; an even film becomes black."""
    low, high = np.percentile(levels, PERCENTILES)
    if high <= low:
        return np.zeros_like(levels)
    return np.clip((levels - low) / (high - low), 0, 1).astype(np.float32)
