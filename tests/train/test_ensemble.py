import json

import keras
import numpy as np
import pytest

from lungcare.bundle import BundleError
from train.__main__ import main
from train.blend import blend
from train.ensemble import ensemble, take_apart
from train.evaluate import check_step
from train.fit import NETWORK, RUN, fit
from train.head import refit
from train.manifest import DataError
from train.networks import apart, side_by_side
from train.recipe import STEPS, read_recipe
from train.scales import at_scales, scale


@pytest.fixture(scope="module")
def runs(prepared, tmp_path_factory):
    """Two short trainings of a reader of 64 px."""
    folder = tmp_path_factory.mktemp("runs")
    recipe = read_recipe("thesis-cnn4", network="reader", sizes=((0, 64),), epochs=1, steps=2, batch=8)
    found = []
    for seed in (1, 2):
        found.append(folder / f"reader-{seed}")
        fit(recipe.model_copy(update={"seed": seed}), prepared, found[-1])
    blend([found[1]], prepared, found[1], [(found[0] / NETWORK, 0.25)])
    return found


def test_the_logits_are_added_by_their_shares(trained_reader):
    network, films = trained_reader
    other = _unlike(network)
    first, second = (np.log(each(films).numpy()) for each in (network, other))
    assert np.abs(first - second).max() > 0.01
    together = side_by_side([network, other], [0.7, 0.3])
    np.testing.assert_allclose(
        np.log(together(films)), keras.ops.log_softmax(0.7 * first + 0.3 * second), rtol=1e-4, atol=1e-4
    )


def test_what_was_set_side_by_side_is_taken_apart(trained_reader):
    network, films = trained_reader
    readers = [network, at_scales(_unlike(network), (1.25, 0.8))]
    together = side_by_side(readers, [0.7, 0.3])
    parts = apart(together)
    for part, own in zip(parts, readers, strict=True):
        for weights, same in zip(part.get_weights()[:-2], own.get_weights()[:-2], strict=True):
            np.testing.assert_array_equal(weights, same)
    mean = np.mean([np.log(part(films)) for part in parts], axis=0)
    np.testing.assert_allclose(keras.ops.log_softmax(mean), np.log(together(films)), rtol=1e-4, atol=1e-4)
    assert apart(network) == [network]


def test_training_goes_on_from_each_of_an_ensemble(runs, prepared, tmp_path, capsys):
    ensemble(runs[0], [(runs[1], 0.4)], tmp_path / "both")
    assert main(["apart", "--network", str(tmp_path / "both" / NETWORK), "--out", str(tmp_path / "apart")]) == 0
    files = capsys.readouterr().out.split()
    assert files == [str(tmp_path / "apart" / f"{number}.keras") for number in (0, 1)]
    recipe = read_recipe("thesis-cnn4", network="reader", sizes=((0, 64),), epochs=1, steps=1, batch=8, rate=1e-12)
    for start, own in ((str(tmp_path / "both" / NETWORK), runs[0]), (files[0], runs[0]), (files[1], runs[1])):
        run = tmp_path / "on" / start.replace("/", "-")
        fit(recipe.model_copy(update={"start_from": start}), prepared, run)
        went_on, before = (keras.models.load_model(each / NETWORK, compile=False) for each in (run, own))
        for layer in ("stem", "head"):
            kernel, old = (network.get_layer(layer).kernel for network in (went_on, before))
            np.testing.assert_allclose(kernel, old, atol=1e-6)


def test_what_holds_no_ensemble_is_not_taken_apart(runs, tmp_path):
    with pytest.raises(DataError, match="one network in it"):
        take_apart(runs[0] / NETWORK, tmp_path / "apart")
    with pytest.raises(DataError, match="no network"):
        take_apart(tmp_path / "nowhere.keras", tmp_path / "apart")
    (damaged := tmp_path / "damaged.keras").write_bytes((runs[0] / NETWORK).read_bytes()[:1000])
    with pytest.raises(BundleError, match="cannot be loaded"):
        take_apart(damaged, tmp_path / "apart")
    assert not (tmp_path / "apart").exists()


@pytest.mark.parametrize("other", ["second", "second=", "second=half"])
def test_a_missing_share_is_said(tmp_path, capsys, other):
    with pytest.raises(SystemExit):
        main(["ensemble", "--run", "first", "--others", other, "--out", str(tmp_path)])
    assert "a share is missing, as in second=0.5" in capsys.readouterr().err


def test_a_run_of_two_keeps_the_weights_of_both(runs, tmp_path):
    scale(runs[1], tmp_path / "scaled")
    ensemble(runs[0], [(tmp_path / "scaled", 0.4)], tmp_path / "out")
    bodies = [
        weights for run in runs for weights in keras.models.load_model(run / NETWORK, compile=False).get_weights()[:-2]
    ]
    network = keras.models.load_model(tmp_path / "out" / NETWORK, compile=False)
    assert network.input_shape == (None, 64, 64, 1)
    for own, same in zip(bodies, network.get_weights()[:-2], strict=True):
        np.testing.assert_array_equal(own, same)
    described, of_other = (json.loads((tmp_path / run / RUN).read_text()) for run in ("out", "scaled"))
    assert "scales" not in described
    (other,) = described["ensemble"]
    assert (other["run"], other["share"], other["recipe"]["seed"]) == (str(tmp_path / "scaled"), 0.4, 2)
    assert (other["blend"], other["scales"]) == (of_other["blend"], of_other["scales"])
    assert other["blend"]["starts"]


@pytest.mark.parametrize("shares", [(), (0.0,), (1.0,), (0.6, 0.4), (float("nan"),)])
def test_shares_that_leave_nothing_to_one_are_refused(runs, tmp_path, shares):
    with pytest.raises(DataError, match="shares of the others"):
        ensemble(runs[0], [(runs[1], share) for share in shares], tmp_path / "out")


def test_an_ensemble_is_the_last_step(runs, prepared, tmp_path):
    ensemble(runs[0], [(runs[1], 0.5)], tmp_path / "both")
    with pytest.raises(DataError, match="went through `ensemble` already, which is done once"):
        ensemble(runs[0], [(tmp_path / "both", 0.5)], tmp_path / "out")
    with pytest.raises(DataError, match="comes after `blend`"):
        blend([tmp_path / "both"], prepared, tmp_path / "out")
    with pytest.raises(DataError, match="comes after `scales`"):
        scale(tmp_path / "both", tmp_path / "out")
    with pytest.raises(DataError, match="comes after `head`"):
        refit(tmp_path / "both", prepared, tmp_path / "out")


@pytest.mark.parametrize("step", STEPS)
def test_a_step_is_done_once_and_before_the_later_ones(tmp_path, step):
    for number, done in enumerate(STEPS):
        (tmp_path / RUN).write_text(json.dumps({done: {"share": 0.5}}))
        if number < STEPS.index(step):
            check_step(step, tmp_path)
        else:
            with pytest.raises(DataError, match=f"went through `{done}` already"):
                check_step(step, tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"recipe": {"sizes": [[0, 96]]}}, "another size"),
        ({"split": "another"}, "another split"),
        ({"recipe": {"network": "thesis"}}, "no run of a reader"),
    ],
)
def test_networks_that_do_not_go_together_are_refused(runs, tmp_path, change, message):
    described = json.loads((runs[1] / RUN).read_text())
    described["recipe"] |= change.pop("recipe", {})
    _copied(runs[1], tmp_path / "other", described | change)
    with pytest.raises(DataError, match=message):
        ensemble(runs[0], [(tmp_path / "other", 0.5)], tmp_path / "out")


def test_a_network_that_saw_what_the_first_left_out_is_refused(runs, tmp_path):
    described = json.loads((runs[0] / RUN).read_text())
    described["recipe"]["leave_out"] = ["shenzhen"]
    _copied(runs[0], tmp_path / "first", described)
    with pytest.raises(DataError, match="may have been trained on shenzhen"):
        ensemble(tmp_path / "first", [(runs[1], 0.5)], tmp_path / "out")


def _unlike(network):
    other = keras.models.clone_model(network)
    rng = np.random.default_rng(0)
    other.set_weights([weights * rng.uniform(0.5, 1.5, weights.shape) for weights in network.get_weights()])
    return other


def _copied(run, out, described):
    out.mkdir()
    (out / RUN).write_text(json.dumps(described))
    (out / NETWORK).write_bytes((run / NETWORK).read_bytes())
