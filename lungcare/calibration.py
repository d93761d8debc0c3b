"""Network's softmax -> calibrated probabilities."""

import numpy as np


def calibrated(softmax: np.ndarray, temperature: float) -> np.ndarray:
    """Temperature scaling (Guo et al., ICML 2017): softmax(logits / temperature).

    softmax: float (n, 4), rows that add up to 1. temperature: above 1 makes the figures more cautious, below 1 bolder;
    1 leaves them as they are. The order of the conditions never changes. Returns float (n, 4), rows that add up to 1.
    """
    if temperature == 1:
        return softmax
    logits = np.log(np.maximum(softmax, np.finfo(np.float32).tiny)) / temperature
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def reweighted(probabilities: np.ndarray, prevalence: np.ndarray) -> np.ndarray:
    """Probabilities for four equally frequent conditions -> for conditions of that prevalence (Bayes' theorem).

    probabilities: float (n, 4). prevalence: float (4,), adds up to 1. Returns float (n, 4), rows that add up to 1.
    """
    weighted = probabilities * prevalence
    return weighted / weighted.sum(axis=1, keepdims=True)
