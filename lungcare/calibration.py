"""Network's softmax -> calibrated probabilities."""

import numpy as np

from lungcare.bundle import Calibration


def calibrated(softmax: np.ndarray, calibration: Calibration) -> np.ndarray:
    """Temperature or vector scaling (Guo et al., ICML 2017): softmax(slopes * logits / temperature + offsets).

    softmax: float (n, 4), rows that add up to 1. calibration: a temperature above 1 makes the figures more cautious,
    below 1 bolder, and never changes their order; slopes and offsets, one for each condition, may.
    Returns float (n, 4), rows that add up to 1.
    """
    if calibration == Calibration():
        return softmax
    logits = np.log(np.maximum(softmax, np.finfo(np.float32).tiny)) / calibration.temperature
    logits = logits * np.array(calibration.slopes) + np.array(calibration.offsets)
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def reweighted(probabilities: np.ndarray, prevalence: np.ndarray) -> np.ndarray:
    """Probabilities for four equally frequent conditions -> for conditions of that prevalence (Bayes' theorem).

    probabilities: float (n, 4). prevalence: float (4,), adds up to 1. Returns float (n, 4), rows that add up to 1.
    """
    weighted = probabilities * prevalence
    return weighted / weighted.sum(axis=1, keepdims=True)
