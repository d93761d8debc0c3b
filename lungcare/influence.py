"""Where the network looked: a class map, and the picture of it to lay over the film. Influence, not location.

For a network that ends in average pooling and one dense layer, the logit of a condition is a sum over places (class
activation mapping, Zhou et al., CVPR 2016), so that the map costs no second pass. Where a network averages what it sees
of a film at several scales, the map is the mean of theirs, and blurred towards the rim by a third of a place.
"""

import io

import numpy as np
from PIL import Image

# Colours from weak to strong, and how much they cover: the film stays seen where there is little.
_WEAK, _STRONG = np.array([255, 196, 64]), np.array([235, 20, 20])
_PALETTE = np.round(np.linspace(_WEAK, _STRONG, 256)).astype(np.uint8).tobytes()


def class_map(influence: np.ndarray, condition: int) -> np.ndarray:
    """What speaks for a condition at each place, as a share of the strongest place: float32 (rows, columns), 0 to 1.

    influence: float (rows, columns, 4), see lungcare.network. condition: its index. Softmax does not change when all
    four logits rise alike, so each place counts by what it adds beyond the mean of the four; what speaks against the
    condition is 0.
    """
    support = influence[..., condition].astype(np.float32) - influence.mean(axis=-1, dtype=np.float32)
    support = np.maximum(support, 0)
    return support / max(support.max(), np.finfo(np.float32).tiny)


def over_square(shares: np.ndarray, side: int) -> np.ndarray:
    """A class map in the size of the square that the network saw: float32 (side, side), 0 to 1."""
    scaled = Image.fromarray(shares.astype(np.float32)).resize((side, side), Image.Resampling.BICUBIC)
    return np.clip(np.asarray(scaled), 0, 1)


def over_film(shares: np.ndarray, height: int, width: int) -> np.ndarray:
    """A class map on the film without the square's padding: float32 (height, width), 0 to 1."""
    side = max(height, width)
    top, left = (side - height) // 2, (side - width) // 2
    return over_square(shares, side)[top : top + height, left : left + width]


def picture(shares: np.ndarray, height: int, width: int) -> bytes:
    """A class map as a PNG of that height and width, to lay over a film of these proportions and smooth when enlarged.

    Colours go from yellow (weak) to red (strong); the weaker, the more transparent. Nothing of the film is in it.
    """
    image = Image.fromarray(np.round(255 * over_film(shares, height, width)).astype(np.uint8))
    image.putpalette(_PALETTE)
    stream = io.BytesIO()
    image.save(stream, "PNG", transparency=bytes(range(256)), compress_level=1)
    return stream.getvalue()


def share_inside(shares: np.ndarray, mask: np.ndarray) -> float:
    """Share of a class map's weight that lies inside a mask: 0 to 1; nan for a map of nothing.

    mask: bool (side, side) of the square that the network saw.
    """
    weight = over_square(shares, len(mask))
    total = weight.sum()
    return float(weight[mask].sum() / total) if total else float("nan")
