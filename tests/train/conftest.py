"""A folder tree of phantoms, and the same prepared."""

from pathlib import Path

import numpy as np
import pytest

from tests import phantom

EACH = 14


@pytest.fixture(scope="session")
def tree(tmp_path_factory) -> Path:
    """class/image with class names in both languages, one broken file, one exact copy and one near copy."""
    folder = tmp_path_factory.mktemp("tree")
    for look, name in zip(phantom.LOOKS, ("Normal", "PNEUMONIA", "Tuberkulosis", "PNEUMOTORAKS"), strict=True):
        (folder / name).mkdir()
        for number in range(EACH):
            (folder / name / f"{number:02d}.png").write_bytes(phantom.film(look, number))
    (folder / "Normal" / "broken.png").write_bytes(phantom.film("normal", 0)[:500])
    (folder / "Normal" / "copy.png").write_bytes(phantom.film("normal", 3))
    brighter = np.clip(phantom.chest("normal", 4) ** 0.8, 0, 1)
    (folder / "Normal" / "near.png").write_bytes(phantom.encode(brighter))
    (folder / "notes.txt").write_text("not a film")
    return folder


@pytest.fixture(scope="session")
def prepared(tree, tmp_path_factory) -> Path:
    from train.prepare import prepare

    folder = tmp_path_factory.mktemp("prepared")
    prepare(tree, folder, size=64, seed=0, per_class=None, resplit=False)
    return folder


@pytest.fixture
def small_recipe():
    """The smallest run of the thesis's network: 2 epochs of a few steps."""
    from train.recipe import read_recipe

    return read_recipe("thesis-cnn4", sizes=[[0, 32]], blocks=2, batch=8, epochs=2)
