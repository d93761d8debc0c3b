import copy
import json
import shutil
from pathlib import Path

import keras
import pytest

from lungcare import bundle, film, gate, influence, selfcheck
from lungcare.__main__ import main
from lungcare.bundle import Bundle
from lungcare.conditions import CODES
from lungcare.examples import FrozenExample, FrozenExamples, checksum, examples
from lungcare.film import square
from lungcare.reader import Reader
from lungcare.settings import Settings
from tests import phantom


def with_examples(folder: Path) -> Path:
    """Put one phantom of each look into a bundle, frozen with what its model makes of it."""
    reader = Reader(Bundle(folder), Settings.model_construct())
    films = []
    for look in phantom.LOOKS:
        data = phantom.film(look, seed=9)
        file = folder / "examples" / look / "00.png"
        file.parent.mkdir(parents=True)
        file.write_bytes(data)
        stages, reading = selfcheck.figures(reader, data)
        films.append(
            FrozenExample(
                file=str(file.relative_to(folder)),
                condition=look,
                seed=9,
                sha256=checksum(data),
                stages=stages,
                reading=reading,
            )
        )
    frozen = FrozenExamples(pool="drawn", settings=selfcheck.settings_in_force(reader.bundle.card), films=tuple(films))
    (folder / bundle.EXAMPLES).write_text(frozen.model_dump_json())
    return recorded(folder, bundle.EXAMPLES, *(film.file for film in films))


def recorded(folder: Path, *names: str, **changes) -> Path:
    """Write the checksums of these files, and changes, into the card: what was changed then passes for whole."""
    card = json.loads((folder / bundle.CARD).read_text())
    for name in names:
        card["files"][name] = bundle.record_of(folder / name).model_dump()
    if bundle.NETWORK in names:
        card["decisions"]["network"] = card["files"][bundle.NETWORK]["sha256"]
    (folder / bundle.CARD).write_text(json.dumps(card | changes))
    return folder


def with_gate(folder: Path) -> Path:
    """Put a gate of random weights, which lets everything through, into a bundle."""
    size, kinds = 32, (gate.FRONTAL, "not_a_chest_film")
    films = keras.Input((size, size, 1))
    seen = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3, activation="relu")(films / 255))
    parts = [
        keras.layers.Dense(width, activation=activation)(seen)
        for width, activation in ((len(kinds), "softmax"), (gate.TURNS, "softmax"), (1, "sigmoid"), (1, "relu"))
    ]
    keras.Model(films, keras.layers.Concatenate()(parts)).save(folder / bundle.GATE)
    card = bundle.GateCard(size=size, kinds=kinds, least_frontal=0.01, most_distance=1e6, sure=1)
    return recorded(folder, bundle.GATE, gate=card.model_dump())


@pytest.fixture(scope="module")
def exemplary(bundle_folder, tmp_path_factory) -> Path:
    """A bundle with a gate and examples. Read it only."""
    folder = shutil.copytree(bundle_folder, tmp_path_factory.mktemp("exemplary") / "phantom")
    return with_examples(with_gate(folder))


@pytest.fixture(scope="module")
def whole(exemplary) -> Reader:
    """A reader over it."""
    return Reader(Bundle(exemplary))


@pytest.fixture
def own(exemplary, tmp_path) -> Path:
    """The same, to be changed."""
    return shutil.copytree(exemplary, tmp_path / "phantom")


def stage(reader: Reader) -> str | None:
    verdict = selfcheck.selfcheck(reader)
    assert verdict.is_checked
    return verdict.stage


def changed_weight(file: Path, layer: type) -> None:
    """Change one weight of a network."""
    network = keras.saving.load_model(file, compile=False)
    first = next(part for part in network._flatten_layers() if isinstance(part, layer))
    kernel, bias = first.get_weights()
    bias[0] += 1
    first.set_weights([kernel, bias])
    network.save(file)


def with_card(reader: Reader, folder: Path, **changes) -> Reader:
    """The same networks with another card, whose bundle is written into a folder."""
    other = copy.copy(reader)
    other.bundle = Bundle(recorded(folder, **changes))
    other.gate = gate.Gate(other.bundle.card.gate, reader.gate._network)
    return other


def card_of(folder: Path) -> dict:
    return json.loads((folder / bundle.CARD).read_text())


def test_a_whole_bundle_reads_as_it_was_frozen(exemplary, capsys):
    assert main(["selfcheck", "--model", str(exemplary)]) == 0
    out = capsys.readouterr().out
    assert out.count("examples/") == len(CODES)
    assert "synthetic example, no patient" in out
    assert out.splitlines()[-1].startswith("phantom:0.0.1: whole. 4 synthetic examples")


def test_what_the_environment_sets_does_not_count(whole):
    other = copy.copy(whole)
    other.settings = Settings(prevalence=(0.9, 0.06, 0.03, 0.01), max_pixels=1)
    assert stage(other) is None


def test_a_weight_of_the_reader(own):
    changed_weight(own / bundle.NETWORK, keras.layers.Dense)
    assert stage(Reader(Bundle(recorded(own, bundle.NETWORK)))) == "network"


def test_a_weight_of_the_gate(own):
    changed_weight(own / bundle.GATE, keras.layers.Dense)
    assert stage(Reader(Bundle(recorded(own, bundle.GATE)))) == "gate"


def test_a_threshold_of_the_gate(whole, own):
    of_gate = card_of(own)["gate"]
    assert stage(with_card(whole, own, gate=of_gate | {"least_frontal": of_gate["least_frontal"] / 2})) == "gate"


def test_a_rule_of_quality(whole, monkeypatch):
    monkeypatch.setattr(gate, "DARKEST", gate.DARKEST - 0.01)
    assert stage(whole) == "gate"


def test_a_film_that_the_gate_now_refuses(whole, monkeypatch):
    monkeypatch.setattr(gate, "DARKEST", 1.1)
    assert stage(whole) == "gate"


def test_an_operating_point(whole, own):
    decisions = card_of(own)["decisions"]
    decisions["points"]["tuberculosis"]["screening"]["threshold"] += 0.01
    assert stage(with_card(whole, own, decisions=decisions)) == "calibration"


def test_the_temperature(whole, own):
    assert stage(with_card(whole, own, calibration={"temperature": 1.01})) == "calibration"


def test_a_flag_of_the_decoder(whole, monkeypatch):
    monkeypatch.setattr(film, "_is_deep", lambda *_: True)
    assert stage(whole) == "decode"


def test_a_decoder_that_fails(whole, monkeypatch):
    monkeypatch.setattr(film, "MIN_SIDE", 1000)
    assert stage(whole) == "decode"


@pytest.mark.parametrize(
    "rule",
    [
        lambda pixels, size: square(pixels[::2, ::2], size),
        lambda pixels, size: square(pixels, size)[:, ::-1],
        lambda pixels, size: square(pixels, size) * (256 / 255),
    ],
    ids=["coarser", "mirrored", "of 256 levels"],
)
def test_a_rule_of_pixels(whole, monkeypatch, rule):
    monkeypatch.setattr(film, "square", rule)
    assert stage(whole) == "scale"


def test_the_map(whole, monkeypatch):
    own = influence.class_map
    monkeypatch.setattr(influence, "class_map", lambda seen, condition: own(seen, (condition + 1) % 4))
    assert stage(whole) == "map"


def test_a_film_in_another_ones_place(whole, own):
    target = own / "examples" / "normal" / "00.png"
    target.write_bytes(phantom.film("normal", seed=8))
    assert stage(with_card(whole, recorded(own, "examples/normal/00.png"))) == "file"


def test_a_file_with_another_checksum(own, capsys):
    with (own / bundle.NETWORK).open("ab") as file:
        file.write(b"x")
    assert main(["selfcheck", "--model", str(own)]) == 1
    assert capsys.readouterr().out.startswith("the stage checksums fails: ")


def test_the_verdict_names_the_stage_and_the_film(own, capsys):
    assert main(["selfcheck", "--model", str(recorded(own, calibration={"temperature": 2.0}))]) == 1
    out = capsys.readouterr().out
    assert out.count("  calibration differs") == len(CODES)
    assert "the stage calibration differs" in out.splitlines()[-1]


def test_of_a_bundle_without_examples_only_the_files_are_checked(bundle_folder, capsys):
    assert main(["selfcheck", "--model", str(bundle_folder)]) == 0
    assert "no examples to check the reading by" in capsys.readouterr().out
    assert examples(Bundle(bundle_folder)) == []


def test_own_examples_take_the_place_of_the_bundle_s(exemplary, tmp_path):
    offered = examples(Bundle(exemplary))
    assert [example.condition for example in offered] == list(CODES)
    assert all(example.is_synthetic for example in offered)
    for number in range(6):
        (tmp_path / "normal").mkdir(exist_ok=True)
        (tmp_path / "normal" / f"{number}.png").write_bytes(phantom.film())
    mine = examples(Bundle(exemplary), tmp_path)
    assert [example.path.name for example in mine] == ["0.png", "1.png", "2.png", "3.png"]
    assert not any(example.is_synthetic for example in mine)
