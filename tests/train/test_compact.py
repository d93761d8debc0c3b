import keras
import numpy as np

from train.compact import TOLERANCE, rounded, save_compact
from train.networks import thesis


def test_rounded_keeps_so_many_bits():
    weights = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
    short = rounded(weights, 10)
    assert not (short.view(np.uint32) & ((1 << 13) - 1)).any()
    np.testing.assert_allclose(short, weights, rtol=2**-11)
    np.testing.assert_array_equal(rounded(short, 10), short)


def test_integers_stay():
    numbers = np.arange(5, dtype=np.uint32)
    assert rounded(numbers, 10) is numbers


def test_compact_file_says_the_same_and_is_smaller(tmp_path):
    keras.utils.set_random_seed(0)
    network = thesis(32, 2)
    network.save(tmp_path / "whole.keras")
    films = np.random.default_rng(0).uniform(0, 255, (8, 32, 32, 1)).astype(np.float32)

    def probabilities(path):
        return np.asarray(keras.models.load_model(path, compile=False)(films, training=False))

    told = save_compact(tmp_path / "whole.keras", tmp_path / "compact.keras", probabilities)
    difference = np.abs(probabilities(tmp_path / "compact.keras") - probabilities(tmp_path / "whole.keras")).max()
    assert difference <= TOLERANCE
    assert told["mantissa_bits"] < 23
    assert (tmp_path / "compact.keras").stat().st_size < 0.75 * (tmp_path / "whole.keras").stat().st_size


def test_a_network_that_cannot_be_shortened_stays_whole(tmp_path):
    thesis(32, 1).save(tmp_path / "whole.keras")
    answers = iter(np.linspace(0, 1, 9))
    told = save_compact(tmp_path / "whole.keras", tmp_path / "compact.keras", lambda _: np.array([next(answers)]))
    assert told == {"mantissa_bits": 23, "largest_change": 0.0}
    assert (tmp_path / "compact.keras").is_file()
