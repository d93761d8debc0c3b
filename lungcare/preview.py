"""Radiograph -> a small picture for the screen. Never what the network sees."""

import io

import numpy as np
from PIL import Image

from lungcare.film import Radiograph
from lungcare.levels import CHUNK


def picture(radiograph: Radiograph) -> Image.Image:
    """The film as 8 bits of grey, in its own size; nothing of the file beside it."""
    levels = np.empty(radiograph.pixels.shape, np.uint8)
    rows = max(1, CHUNK // radiograph.width)
    for top in range(0, radiograph.height, rows):
        levels[top : top + rows] = np.round(radiograph.pixels[top : top + rows] * 255)
    return Image.fromarray(levels)


def jpeg(radiograph: Radiograph, side: int) -> bytes:
    """An 8-bit grey JPEG whose longest side is at most `side` pixels; geometry kept, nothing of the file beside it."""
    image = picture(radiograph)
    image.thumbnail((side, side), Image.Resampling.BILINEAR, reducing_gap=None)
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=88)
    return stream.getvalue()
