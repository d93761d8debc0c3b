"""Fixtures of all tests. Every test folder has an __init__.py; the phantoms are `from tests import phantom`."""

import json
import os
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SIZE = 64
NAME = "phantom"

# Before bentoml or TensorFlow is imported: tests have a model store of their own, and TensorFlow does not chatter.
_HOME = tempfile.TemporaryDirectory(prefix="lungcare-store-")
os.environ["BENTOML_HOME"] = _HOME.name
os.environ["BENTOML_DO_NOT_TRACK"] = "True"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# This process trains, so its Keras is on TensorFlow. What it starts chooses for itself.
os.environ |= {"KERAS_BACKEND": "tensorflow", "TF_ENABLE_ONEDNN_OPTS": "1"}
import keras  # noqa: E402

del os.environ["KERAS_BACKEND"]


def make_bundle(folder: Path, version: str = "0.0.1", seed: int = 0, name: str = NAME) -> Path:
    """A bundle with a tiny network of random weights: 64 px in, four probabilities out."""
    import numpy as np

    from lungcare import bundle, film
    from lungcare.conditions import CODES
    from tests import phantom

    folder.mkdir(parents=True)

    def normal(scale: float, step: int) -> keras.initializers.Initializer:
        return keras.initializers.RandomNormal(stddev=scale, seed=10 * seed + step)

    body = [
        keras.Input((SIZE, SIZE, 1)),
        keras.layers.Rescaling(1 / 255),
        keras.layers.Conv2D(8, 3, activation="relu", kernel_initializer=normal(0.5, 1)),
        keras.layers.BatchNormalization(),
        keras.layers.MaxPooling2D(),
        keras.layers.Conv2D(8, 3, activation="relu", kernel_initializer=normal(0.5, 2)),
        keras.layers.BatchNormalization(),
        keras.layers.MaxPooling2D(),
        keras.layers.GlobalAveragePooling2D(),
    ]
    # Scaled by what the phantoms give, so that the random weights tell the phantoms apart.
    chests = np.stack([film.square(phantom.chest(look, n), SIZE) for look in phantom.LOOKS for n in range(4)])
    features = keras.Sequential(body)(255 * chests[..., np.newaxis]).numpy()
    head = keras.layers.Dense(len(CODES), activation="softmax", kernel_initializer=normal(0.7, 3))
    network = keras.Sequential([*body, head])
    kernel, bias = head.get_weights()
    kernel /= np.maximum(features.std(axis=0), 1e-7)[:, np.newaxis]
    head.set_weights([kernel, bias - features.mean(axis=0) @ kernel])
    network.save(folder / bundle.NETWORK)
    network_record = bundle.record_of(folder / bundle.NETWORK)
    points = bundle.Points(screening=bundle.Point(threshold=0.25), balanced=bundle.Point(threshold=0.5))
    card = bundle.Card(
        name=name,
        version=version,
        description="A tiny network with random weights, for tests.",
        conditions=CODES,
        input=bundle.Input(size=SIZE, preprocessing="Scaled into a square, geometry kept, the rest black."),
        decisions=bundle.Decisions(
            model=f"{name}:{version}",
            network=network_record.sha256,
            points=dict.fromkeys(CODES, points),
            certainty=bundle.Certainty(score="margin", least=0.02),
        ),
        training={"seed": seed},
        data={},
        metrics={},
        files={bundle.NETWORK: network_record},
    )
    (folder / bundle.CARD).write_text(json.dumps(card.model_dump(mode="json"), indent=2) + "\n", encoding="utf-8")
    return folder


@pytest.fixture
def trained_reader():
    """A reader of 64 px, its batch norms as after a training with the films, and these: float32 (8, 64, 64, 1)."""
    import numpy as np

    from lungcare import film
    from tests import phantom
    from train.networks import reader

    keras.utils.set_random_seed(0)
    network = reader(SIZE)
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    chests = [film.square(phantom.chest(look, number), SIZE) for look in phantom.LOOKS for number in range(2)]
    films = 255 * np.stack(chests)[..., np.newaxis]
    network(films, training=True)
    return network, films


@pytest.fixture(scope="session")
def bundle_folder(tmp_path_factory) -> Path:
    """A whole bundle, phantom:0.0.1. Read it only; copy it to change it."""
    return make_bundle(tmp_path_factory.mktemp("models") / NAME)


@pytest.fixture(scope="session")
def other_bundle_folder(tmp_path_factory) -> Path:
    """A second model: the same name, version 0.0.2, other weights."""
    return make_bundle(tmp_path_factory.mktemp("others") / NAME, version="0.0.2", seed=1)


@pytest.fixture(scope="session")
def gate_run(tmp_path_factory) -> Path:
    """The run of a gate that was trained on drawn chests, hands, cats and pages."""
    from tests import gated

    return gated.train(tmp_path_factory.mktemp("gate"))


@pytest.fixture(scope="session")
def gated_folder(gate_run, tmp_path_factory) -> Path:
    """bundle_folder's network behind that gate: phantom:0.0.3."""
    from tests import gated

    folder = make_bundle(tmp_path_factory.mktemp("gated") / NAME, version="0.0.3")
    gated.put(gate_run, folder)
    return folder


@pytest.fixture(scope="session")
def reader(bundle_folder):
    """A Reader over bundle_folder with the settings as they are by default."""
    from lungcare.reader import Reader

    return Reader.open(bundle_folder)


@pytest.fixture(scope="session")
def films() -> Path:
    """The folder of real films: manifest.csv and images/. Skips where there is none."""
    folder = Path(os.environ.get("LUNGCARE_FILMS", ROOT.parent / "shared" / "data"))
    if not (folder / "manifest.csv").is_file():
        pytest.skip(f"no real films in {folder}; set LUNGCARE_FILMS to their folder")
    return folder


@pytest.fixture(scope="session")
def server(bundle_folder, tmp_path_factory):
    """The service as `make serve` starts it, with bundle_folder as its model and one example of each condition."""
    from tests import phantom, serving

    folder = tmp_path_factory.mktemp("server")
    for look in phantom.LOOKS:
        (folder / "examples" / look).mkdir(parents=True)
        (folder / "examples" / look / "film.png").write_bytes(phantom.film(look, seed=9))
    examples = str(folder / "examples")
    with serving.serving(serving.from_source(bundle_folder), folder, LUNGCARE_EXAMPLES=examples) as running:
        yield running


@pytest.fixture(scope="session")
def gated_server(gated_folder, tmp_path_factory):
    """The service with gated_folder as its model."""
    from tests import serving

    with serving.serving(serving.from_source(gated_folder), tmp_path_factory.mktemp("gated-server")) as running:
        yield running
