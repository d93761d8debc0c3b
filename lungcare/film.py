"""Bytes -> Radiograph, and Radiograph -> the square that a network sees.

The only decoder of the project: training, service, page and command line all come through here.
"""

import io
import warnings
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps

from lungcare.reading import FilmError

MAX_PIXELS = 64_000_000
MIN_SIDE = 64
PERCENTILES = (0.5, 99.5)

_SIGNATURES = {"PNG": b"\x89PNG\r\n\x1a\n", "JPEG": b"\xff\xd8\xff", "WEBP": b"RIFF"}


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

    8 bits are divided by 255; more than 8 bits are stretched between their 0.5 and 99.5 percentiles.
    Orientation tags (EXIF) are obeyed; transparent parts become black.
    Raises FilmError with the code that says what is wrong.
    """
    if not data:
        raise FilmError("empty_file")
    if not _is_supported(data):
        raise FilmError("unsupported_format")
    try:
        with warnings.catch_warnings():
            # Pillow warns of what the check below refuses.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(data), formats=tuple(_SIGNATURES))
        with image:
            if image.width * image.height > max_pixels:
                raise FilmError("too_many_pixels", megapixels=max_pixels // 1_000_000)
            if min(image.size) < MIN_SIDE:
                raise FilmError("too_small", width=image.width, height=image.height, limit=MIN_SIDE)
            if getattr(image, "n_frames", 1) > 1:
                raise FilmError("several_images", count=image.n_frames)
            return Radiograph(_grey(ImageOps.exif_transpose(image)))
    except FilmError:
        raise
    except Image.DecompressionBombError as error:
        raise FilmError("too_many_pixels", megapixels=max_pixels // 1_000_000) from error
    except Exception as error:  # noqa: BLE001 Pillow's plugins raise nearly anything on damaged bytes
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


def _is_supported(data: bytes) -> bool:
    if data.startswith(_SIGNATURES["WEBP"]):
        return data[8:12] == b"WEBP"
    return data.startswith((_SIGNATURES["PNG"], _SIGNATURES["JPEG"]))


def _grey(image: Image.Image) -> np.ndarray:
    """Pillow image of any mode -> float32 (height, width), 0 to 1."""
    if image.mode.startswith("I") or image.mode == "F":
        return _stretched(np.asarray(image, dtype=np.float32))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "black"), image)
    return np.asarray(image.convert("L"), dtype=np.float32) / np.float32(255)


def _stretched(levels: np.ndarray) -> np.ndarray:
    """More than 8 bits -> 0 to 1 between the percentiles; an even film becomes black."""
    low, high = np.percentile(levels, PERCENTILES)
    if high <= low:
        return np.zeros_like(levels)
    return np.clip((levels - low) / (high - low), 0, 1).astype(np.float32)
