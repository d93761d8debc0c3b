"""Exact and near duplicates among films, and the groups that they form."""

from collections import defaultdict

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.stats import rankdata

SIDE = 64
NEAR = 0.985
_BLOCK = 2048


def near_pairs(thumbnails: np.ndarray, threshold: float = NEAR) -> np.ndarray:
    """Pairs of films whose thumbnails are nearly the same.

    thumbnails: uint8 (films, side, side). Two films are near when the rank correlation (Spearman) of their pixels is
    above `threshold`: brightness, gamma and equalisation do not change ranks.
    Returns int (pairs, 2), first index smaller.
    """
    ranks = rankdata(thumbnails.reshape(len(thumbnails), -1), axis=1).astype(np.float32)
    ranks -= ranks.mean(axis=1, keepdims=True)
    ranks /= np.maximum(np.linalg.norm(ranks, axis=1, keepdims=True), 1e-6)
    found = []
    for start in range(0, len(ranks), _BLOCK):
        alike = ranks[start : start + _BLOCK] @ ranks[start:].T
        first, second = np.nonzero(np.triu(alike > threshold, k=1))
        found.append(np.stack([first, second], axis=1) + start)
    return np.concatenate(found) if found else np.empty((0, 2), int)


def exact_copies(checksums: list[str]) -> list[list[int]]:
    """Indices of films with the same checksum, two or more together."""
    by_checksum = defaultdict(list)
    for index, checksum in enumerate(checksums):
        by_checksum[checksum].append(index)
    return [copies for copies in by_checksum.values() if len(copies) > 1]


def joined_groups(groups: list[str], pairs: np.ndarray) -> list[str]:
    """Groups after joining those that a pair of near films connects; a film without a group gets one of its own."""
    names = {}
    own = np.array([names.setdefault(group or f"film {index}", len(names)) for index, group in enumerate(groups)])
    links = own[pairs]
    graph = coo_array((np.ones(len(links)), (links[:, 0], links[:, 1])), shape=(len(names), len(names)))
    _, component = connected_components(graph, directed=False)
    return [f"g{number:05d}" for number in component[own]]
