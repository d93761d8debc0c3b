"""`python -m train segment`: the films with drawn lungs -> a small network that finds the lungs, measured."""

import json
from pathlib import Path

import keras
import numpy as np
from keras import layers, ops

from lungcare.bundle import LUNGS
from lungcare.lungs import SIDE
from train.augment import Geometry, degrade, move
from train.inputs import network_inputs
from train.lungs import find
from train.manifest import DataError
from train.masks import mask_on_square
from train.pack import PackedLungs, open_pack
from train.prepare import open_prepared
from train.split import Placed

RESULTS = "results.json"
CHANNELS = (12, 24, 48, 72, 96)
BATCH = 32
RATE = 3e-3
GEOMETRY = Geometry(rotation=15, shift=0.1, zoom=0.35, stretch=0.3, flip=0.5)
AUGMENTATION = {
    "equalise": 0.25,
    "tone": 0.8,
    "shade": 0.3,
    "resample": 0.3,
    "blur": 0.2,
    "sharpen": 0.2,
    "noise": 0.3,
    "compress": 0.3,
    "letters": 0.3,
    "corners": 0.3,
    "frame": 0.4,
}


def segment(prepared: Path, run: Path, epochs: int, seed: int = 0) -> dict:
    """Train the network on the lungs drawn on films of the training part, and measure it on films that it never saw.

    Writes run/lungs.keras, run/results.json (the Dice coefficient on the test part, and on the external sources) and
    where the lungs lie on every packed film.
    Raises DataError when no film of the training part has its lungs drawn.
    """
    split, data = open_prepared(prepared)
    drawn = [p for p in split.films if p.film.lung_mask]
    films = [p for p in drawn if p.part == "train"]
    if not films:
        raise DataError(f"No film of the training part in {prepared} has its lungs drawn (column lung_mask).")
    keras.utils.set_random_seed(seed)
    network = build()
    steps = epochs * -(-len(films) // BATCH)
    warmup = steps // 20
    rate = keras.optimizers.schedules.CosineDecay(
        RATE / 10, steps - warmup, 0.01, warmup_target=RATE, warmup_steps=warmup
    )
    network.compile(keras.optimizers.AdamW(rate, weight_decay=0.01), soft_dice_and_entropy)
    views = Views(*_squares(data, films), seed)
    network.fit(views, epochs=epochs, verbose=2)
    weights = network.get_weights()
    network = build()  # without the optimiser, which would be saved with it
    network.set_weights(weights)
    run.mkdir(parents=True, exist_ok=True)
    network.save(run / LUNGS)
    places = {
        "test": [p for p in drawn if p.part == "test"],
        **{
            source: [p for p in drawn if p.part == "external" and p.film.source == source]
            for source in sorted({p.film.source for p in drawn if p.part == "external"})
        },
    }
    results = {"films": len(films), "epochs": epochs, "parameters": network.count_params(), "dice": {}}
    for name, own in places.items():
        if own:
            results["dice"][name] = _dice(network, *_squares(data, own))
    PackedLungs.of(find(network.predict_on_batch, open_pack(prepared)[0])).save(prepared)
    (run / RESULTS).write_text(json.dumps(results, indent=1) + "\n")
    return results


def build() -> keras.Model:
    """U-Net (Ronneberger et al. 2015) of depthwise separable convolutions: (n, 128, 128, 1) -> (n, 128, 128, 1)."""
    inputs = keras.Input((SIDE, SIDE, 1), name="film")
    x = layers.LayerNormalization(axis=(1, 2, 3), center=False, scale=False, epsilon=1.0)(inputs)
    x = layers.Conv2D(CHANNELS[0], 3, 2, padding="same", use_bias=False)(x)
    across = []
    for level, channels in enumerate(CHANNELS):
        x = _convolve(_convolve(x, channels), channels)
        if level + 1 < len(CHANNELS):
            across.append(x)
            x = layers.MaxPooling2D()(x)
    for channels, beside in zip(reversed(CHANNELS[:-1]), reversed(across), strict=True):
        x = layers.UpSampling2D(interpolation="bilinear")(x)
        x = _convolve(layers.Concatenate()([x, beside]), channels)
    x = layers.Conv2D(1, 1)(x)
    x = layers.UpSampling2D(interpolation="bilinear")(x)
    return keras.Model(inputs, layers.Activation("sigmoid", name="lungs")(x), name="lungs")


def soft_dice_and_entropy(drawn, found):
    """Cross-entropy plus one minus the soft Dice coefficient of each film (Milletari et al. 2016)."""
    entropy = ops.mean(ops.binary_crossentropy(drawn, found), axis=(1, 2))
    both = ops.sum(drawn * found, axis=(1, 2, 3))
    dice = (2 * both + 1) / (ops.sum(drawn, axis=(1, 2, 3)) + ops.sum(found, axis=(1, 2, 3)) + 1)
    return ops.mean(entropy, axis=-1) + 1 - dice


class Views(keras.utils.PyDataset):
    """Each film once an epoch, moved and degraded anew, with its lungs moved alike.

    films: float32 (n, 128, 128, 1), 0 to 255. lungs: float32 (n, 128, 128, 1), 0 or 1.
    """

    def __init__(self, films: np.ndarray, lungs: np.ndarray, seed: int):
        super().__init__()
        self.films, self.lungs = films[..., 0].astype(np.uint8), (lungs[..., 0] * 255).astype(np.uint8)
        self.seed = seed
        self.on_epoch_begin()

    epoch = -1

    def on_epoch_begin(self) -> None:
        """Draw the order of an epoch."""
        self.epoch += 1
        self.order = np.random.default_rng([self.seed, self.epoch]).permutation(len(self.films))

    def __len__(self) -> int:
        return -(-len(self.films) // BATCH)

    def __getitem__(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        pairs = [self._view(int(i)) for i in self.order[step * BATCH : (step + 1) * BATCH]]
        films, lungs = (np.stack(part)[..., np.newaxis].astype(np.float32) for part in zip(*pairs, strict=True))
        return films, (lungs > 127).astype(np.float32)

    def _view(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        seed = [self.seed, self.epoch, index]
        lungs = move(self.lungs[index], SIDE, GEOMETRY, np.random.default_rng(seed))
        rng = np.random.default_rng(seed)
        return degrade(move(self.films[index], SIDE, GEOMETRY, rng), AUGMENTATION, rng), lungs


def _squares(data: Path, films: list[Placed]) -> tuple[np.ndarray, np.ndarray]:
    """Films and their drawn lungs, both float32 (n, 128, 128, 1): 0 to 255, and 0 or 1."""
    lungs = np.stack([mask_on_square(data / placed.film.lung_mask, SIDE) > 0.5 for placed in films])
    return network_inputs(data, films, SIDE), lungs[..., np.newaxis].astype(np.float32)


def _dice(network: keras.Model, films: np.ndarray, lungs: np.ndarray) -> dict:
    """Dice coefficient (1945) of each film's lungs: mean over the films, and the lowest tenth."""
    found = network.predict(films, batch_size=BATCH, verbose=0) > 0.5
    drawn = lungs > 0.5
    each = 2 * (found & drawn).sum((1, 2, 3)) / np.maximum(found.sum((1, 2, 3)) + drawn.sum((1, 2, 3)), 1)
    return {
        "films": len(films),
        "mean": round(float(each.mean()), 4),
        "lowest_tenth": round(float(np.quantile(each, 0.1)), 4),
    }


def _convolve(x: keras.KerasTensor, channels: int) -> keras.KerasTensor:
    x = layers.SeparableConv2D(channels, 3, padding="same", use_bias=False)(x)
    return layers.ReLU()(layers.BatchNormalization(momentum=0.95)(x))
