"""How much of a training step is lost to reading and augmenting: the same steps fed, and on a constant batch.

    python -m benchmarks.feed --network reader --data runs/data

Both kinds of rounds are interleaved in one run; the figure is the ratio of their medians (1: nothing is lost). The two
medians and the rounds go into docs/results/feed-<network>.json.
"""

import argparse
import json
import os
import statistics
import time
from functools import partial
from pathlib import Path

from train.feed import ahead, makers, open_feed
from train.fit import compiled
from train.networks import build
from train.recipe import read_recipe

RESULTS = Path(__file__).resolve().parent.parent / "docs" / "results"


def main() -> None:
    """Run the benchmark and write its result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", default="thesis-cnn4", help="recipe (default: %(default)s)")
    parser.add_argument("--data", type=Path, default=Path("runs/data"), help="prepared films (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=7, help="rounds of each kind (default: %(default)s)")
    parser.add_argument("--steps", type=int, default=12, help="steps a round (default: %(default)s)")
    options = parser.parse_args()

    recipe = read_recipe(options.network, steps=options.steps, pretrained=False)
    feed = open_feed(recipe, options.data)
    network = compiled(build(recipe, recipe.size), recipe, len(feed))
    constant = feed[0]
    network.train_on_batch(*constant)

    fed, still = [], []
    with makers(feed, partial(open_feed, recipe, options.data)) as make:
        for epoch in range(options.rounds):
            feed.start_epoch(epoch)
            still.append(_seconds(network, (constant for _ in range(len(feed)))))
            fed.append(_seconds(network, ahead(feed, make)))
    result = {
        "network": options.network,
        "size": recipe.size_at(0),
        "batch": recipe.batch,
        "load_average": os.getloadavg()[0],
        "cores": os.cpu_count(),
        "seconds_constant": statistics.median(still),
        "seconds_fed": statistics.median(fed),
        "ratio": statistics.median(still) / statistics.median(fed),
        "rounds": {"constant": still, "fed": fed},
    }
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"feed-{options.network}.json").write_text(json.dumps(result, indent=1) + "\n")
    print(f"fed steps run at {result['ratio']:.2f} of the speed on a constant batch")


def _seconds(network, batches) -> float:
    started = time.perf_counter()
    for batch in batches:
        network.train_on_batch(*batch)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
