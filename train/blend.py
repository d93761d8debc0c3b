"""`python -m train blend`: the weights of a run averaged with those that it went on from."""

import json
import shutil
from pathlib import Path

import keras

from train.evaluate import opened
from train.fit import HISTORY, NETWORK, RUN
from train.manifest import DataError


def blend(run: Path, start: Path, share: float, out: Path) -> None:
    """Make the run `out`, whose network has (1 - share) of the weights of `run` and `share` of those of `start`.

    A fine-tuned network averaged with what it started from often holds better elsewhere (WiSE-FT: Wortsman et al.,
    CVPR 2022). start: the network (.keras) that `run` went on from. out/run.json says what was blended.
    Raises DataError when the two networks differ in shape.
    """
    opened(run)
    network = keras.models.load_model(run / NETWORK, compile=False)
    ours, theirs = network.get_weights(), keras.models.load_model(start, compile=False).get_weights()
    if [weights.shape for weights in ours] != [weights.shape for weights in theirs]:
        raise DataError(f"{start} is another network than that of {run}.")
    network.set_weights([(1 - share) * own + share * its for own, its in zip(ours, theirs, strict=True)])
    out.mkdir(parents=True, exist_ok=True)
    network.save(out / NETWORK)
    described = json.loads((run / RUN).read_text()) | {"blend": {"with": str(start), "share": share}}
    (out / RUN).write_text(json.dumps(described, indent=1))
    shutil.copy(run / HISTORY, out / HISTORY)
