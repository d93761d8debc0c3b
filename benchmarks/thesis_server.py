"""The thesis's way to serve, rebuilt to be measured beside ours: python -m benchmarks.thesis_server NETWORK --port PORT

A Flask app on Flask's own server: the network from a `.h5`, which is made of the Keras file first; the film by Pillow,
stretched to the square; `model.predict` for each request. No gate, no calibration, no limits. POST /classify takes the
form that ours takes.
"""

import argparse
import tempfile
from pathlib import Path

import keras
import numpy as np
from flask import Flask, jsonify, request
from PIL import Image

from lungcare.conditions import CODES


def app(weights: Path) -> Flask:
    """The app. weights: a `.h5` of a network that takes (films, size, size, 1), grey levels 0 to 255."""
    model = keras.models.load_model(weights, compile=False)
    size = model.input_shape[1]
    flask = Flask(__name__)

    @flask.post("/classify")
    def classify():
        film = Image.open(request.files["film"].stream).convert("L").resize((size, size))
        pixels = np.array(film, dtype=np.float32).reshape(1, size, size, 1)
        shares = model.predict(pixels, verbose=0)[0]
        probabilities = dict(zip(CODES, map(float, shares), strict=True))
        return jsonify(finding=CODES[int(shares.argmax())], probabilities=probabilities)

    @flask.get("/readyz")
    def ready():
        return "ready"

    return flask


def save_h5(network: Path, folder: Path) -> Path:
    """Save a Keras file as the `.h5` that the thesis had. Returns its path, in `folder`."""
    path = folder / f"{network.parent.name}.h5"
    keras.saving.save_model(keras.saving.load_model(network, compile=False), path)
    return path


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("network", type=Path, help="Keras file")
    parser.add_argument("--port", type=int, required=True, help="port to listen on, of this machine alone")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        app(save_h5(options.network, Path(folder))).run("127.0.0.1", options.port)


if __name__ == "__main__":
    main()
