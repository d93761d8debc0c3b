"""Masks that people drew on films: lungs, pneumothoraces."""

from pathlib import Path

import numpy as np
from PIL import Image

from lungcare.film import square


def mask_on_square(path: Path, side: int) -> np.ndarray:
    """A mask's file -> float32 (side, side), 0 to 1: how much of each pixel of the film's square lies in it."""
    with Image.open(path) as image:
        drawn = np.asarray(image.convert("L")) > 127
    return square(drawn.astype(np.float32), side)
