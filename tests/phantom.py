"""Drawn chests for tests: the four looks, the same for the same seed, and their bytes in every format.

They look enough like radiographs for tests; they teach nothing about lungs.
"""

import io

import numpy as np
from PIL import Image

LOOKS = ("normal", "pneumonia", "tuberculosis", "pneumothorax")


def chest(look: str = "normal", seed: int = 0, height: int = 320, width: int = 288) -> np.ndarray:
    """Draw one chest: float32 (height, width), 0 (black) to 1 (white)."""
    if look not in LOOKS:
        raise ValueError(f"look must be one of {LOOKS}. Received: {look!r}")
    random = np.random.default_rng([seed, LOOKS.index(look)])
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    shift = random.uniform(-0.04, 0.04)

    pixels = 0.85 * _blob(x, y, 0, 0.1, 0.95, 1.15)
    for side in (-1, 1):
        pixels -= 0.65 * _blob(x, y, side * 0.42 + shift, 0.0, 0.3, 0.68)
    pixels += 0.12 * (np.sin(14 * (y + 0.5 * x * x)) > 0.6)
    pixels += 0.45 * _blob(x, y, shift, 0, 0.1, 1.2)
    pixels += 0.35 * _blob(x, y, 0.15 + shift, 0.35, 0.28, 0.3)

    side = random.choice((-1, 1))
    if look == "pneumonia":
        pixels += 0.4 * _blob(x, y, side * 0.42 + shift, random.uniform(0.2, 0.4), 0.22, 0.25)
    elif look == "tuberculosis":
        for _ in range(9):
            centre = (side * 0.42 + random.uniform(-0.15, 0.15), random.uniform(-0.55, -0.2))
            pixels += 0.5 * _blob(x, y, *centre, 0.05, 0.05)
    elif look == "pneumothorax":
        pixels -= 0.5 * _blob(x, y, side * 0.6 + shift, -0.1, 0.14, 0.6)

    pixels += random.normal(0, 0.02, pixels.shape)
    return np.clip(pixels, 0, 1).astype(np.float32)


def encode(pixels: np.ndarray, kind: str = "PNG", bits: int = 8, mode: str = "L", **options) -> bytes:
    """Bytes of an image file.

    pixels: float, 0 to 1, (height, width). kind: PNG, JPEG or WEBP. bits: 8, or 16 (grey PNG only).
    mode: Pillow mode of the 8-bit file, such as L, RGB, RGBA, P. options: given to Pillow's save.
    """
    if bits == 16:
        image = Image.fromarray(np.round(pixels * 65535).astype(np.uint16))
    else:
        image = Image.fromarray(np.round(pixels * 255).astype(np.uint8)).convert(mode)
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def film(look: str = "normal", seed: int = 0, kind: str = "PNG", **options) -> bytes:
    """Draw and encode one chest of the usual size."""
    return encode(chest(look, seed), kind, **options)


def _blob(x: np.ndarray, y: np.ndarray, left: float, top: float, width: float, height: float) -> np.ndarray:
    """Ellipse with soft edges, 0 to 1."""
    distance = np.hypot((x - left) / width, (y - top) / height)
    return 1 / (1 + np.exp(np.clip(14 * (distance - 1), -40, 40)))
