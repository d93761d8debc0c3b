"""Grey levels: how often each occurs, the range that they span, and looking them up, in little memory."""

import numpy as np

PERCENTILES = (0.5, 99.5)
CHUNK = 1 << 20


def counts(levels: np.ndarray, mask: int) -> np.ndarray:
    """How often each level occurs: int64 (mask + 1,).

    levels: unsigned integers of any shape, of which only the bits of `mask` count.
    """
    flat = levels.reshape(-1)
    total = np.zeros(mask + 1, np.int64)
    for start in range(0, flat.size, CHUNK):
        total += np.bincount(flat[start : start + CHUNK] & mask, minlength=mask + 1)
    return total


def spanned(values: np.ndarray, occurrences: np.ndarray) -> tuple[float, float]:
    """The PERCENTILES of a film, between two values in a straight line, as numpy does it.

    values: the value of each level. occurrences: how often each level occurs, as `counts` gives it.
    Returns (0, 0) where nothing occurs.
    """
    present = np.flatnonzero(occurrences)
    order = present[np.argsort(values[present], kind="stable")]
    ends = np.cumsum(occurrences[order])
    if not ends.size:
        return 0.0, 0.0

    def at(rank: float) -> float:
        below, above = (
            values[order[np.searchsorted(ends, np.floor(rank) + step, "right")]] for step in (0, rank % 1 > 0)
        )
        return float(below + (above - below) * (rank % 1))

    low, high = (at(percentile / 100 * (ends[-1] - 1)) for percentile in PERCENTILES)
    return low, high


def stretched(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Values -> float32, 0 at `low` to 1 at `high`; all 0 where the two are one, or too far apart for a number."""
    if not 0 < high - low < np.inf:
        return np.zeros(values.shape, np.float32)
    return np.clip((values - low) / (high - low), 0, 1).astype(np.float32)


def looked_up(levels: np.ndarray, table: np.ndarray) -> np.ndarray:
    """The table's entry for each level: float32, shape of `levels`.

    levels: unsigned integers. table: float32 (a power of two,); higher bits of the levels do not count.
    """
    mask = levels.dtype.type(table.size - 1)
    flat = levels.reshape(-1)
    pixels = np.empty(flat.size, np.float32)
    for start in range(0, flat.size, CHUNK):
        pixels[start : start + CHUNK] = table[flat[start : start + CHUNK] & mask]
    return pixels.reshape(levels.shape)
