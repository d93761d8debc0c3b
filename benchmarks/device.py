"""The network on each device that TensorFlow finds: python -m benchmarks.device [--model NAME] [--batches 1 8 32]

Says how many films a second it reads by batch, and by how much its probabilities differ from those of the processor, as
it is served and in whole float32 (without TF32). Takes the synthetic examples of the model. Prints JSON.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from lungcare.bundle import Bundle, open_bundle
from lungcare.examples import examples
from lungcare.film import decode, network_input
from lungcare.network import Network
from lungcare.runtime import exactly

PROCESSOR = "CPU:0"
ROUNDS = 5


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="lungcare", help="bundle in models/ (default: %(default)s)")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 2, 4, 8, 16, 32, 64], help="sizes to try")
    options = parser.parse_args()
    bundle = open_bundle(options.model)
    size = bundle.card.input.size
    films = np.stack([network_input(decode(shown.path.read_bytes()), size) for shown in examples(bundle, None)])
    print(
        json.dumps(
            {"model": bundle.card.tag, "films": len(films), **compared(bundle, films, options.batches)}, indent=1
        )
    )


def compared(bundle: Bundle, films: np.ndarray, batches: list[int]) -> dict[str, dict]:
    """Films a second by batch, and the largest difference from the processor, of every device.

    films: float32 (n, size, size, 1), as the network takes them.
    """
    cards = tf.config.list_physical_devices("GPU")
    devices = [PROCESSOR, *(card.name.removeprefix("/physical_device:") for card in cards)]
    networks = {device: _on(device, bundle) for device in devices}
    with exactly():
        expected = networks[PROCESSOR](films)
        exact = {device: _difference(network(films), expected) for device, network in networks.items()}
    return {
        device: {
            "films_a_second": {batch: round(_rate(network, films, batch), 1) for batch in batches},
            "largest_difference": _difference(network(films), expected),
            "largest_difference_in_float32": exact[device],
        }
        for device, network in networks.items()
    }


def _on(device: str, bundle: Bundle) -> Callable[[np.ndarray], np.ndarray]:
    """The network's call, with its weights and all that it computes on a device."""
    with tf.device(device):
        network = Network(bundle.network, bundle.card.input.size)

    def call(films: np.ndarray) -> np.ndarray:
        with tf.device(device):
            return network(films)

    return call


def _difference(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.abs(found - expected).max())


def _rate(network: Callable[[np.ndarray], np.ndarray], films: np.ndarray, batch: int) -> float:
    """Films a second: the median of a few calls after one that does not count."""
    chosen = np.take(films, range(batch), axis=0, mode="wrap")
    seconds = []
    for _ in range(ROUNDS + 1):
        start = time.perf_counter()
        network(chosen)
        seconds.append(time.perf_counter() - start)
    return batch / statistics.median(seconds[1:])


if __name__ == "__main__":
    main()
