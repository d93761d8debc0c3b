import json
import os
import re
import shutil
import subprocess
import sys

import pytest

import lungcare
from lungcare import bundle
from lungcare.__main__ import main
from tests import phantom
from tests.conftest import ROOT


@pytest.fixture(autouse=True)
def models(bundle_folder, monkeypatch):
    """`phantom` is the default model."""
    monkeypatch.setattr(bundle, "MODELS", bundle_folder.parent)
    monkeypatch.setenv("LUNGCARE_MODEL", "phantom")


@pytest.fixture
def film(tmp_path):
    path = tmp_path / "film.png"
    path.write_bytes(phantom.film())
    return path


def test_help_and_version_are_light(tmp_path):
    script = """
import sys
from lungcare.__main__ import main
for arguments in (["--help"], ["batch", "--help"], ["--version"]):
    try:
        main(arguments)
    except SystemExit as done:
        assert done.code == 0
    heavy = {"tensorflow", "keras", "bentoml", "gradio"} & set(sys.modules)
    assert not heavy, heavy
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, check=True, timeout=60, capture_output=True, text=True
    )
    assert "classify" in done.stdout
    assert f"lungcare {lungcare.__version__}" in done.stdout


def test_version(capsys, monkeypatch):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"lungcare {lungcare.__version__}\nmodel phantom:0.0.1\n"
    monkeypatch.setenv("LUNGCARE_MODEL", "other")
    assert main(["--version"]) == 0
    assert "model none: There is no model 'other'" in capsys.readouterr().out


def test_a_name_that_is_not_utf8_is_printed_as_it_is(film, bundle_folder):
    odd = os.fsencode(film.parent) + b"/caf\xe9.png"
    shutil.copy(film, odd)
    script = (
        "import sys; from lungcare import bundle; from pathlib import Path; bundle.MODELS = Path(sys.argv.pop(1)); "
    )
    script += "from lungcare.__main__ import main; sys.exit(main())"
    command = [sys.executable, "-c", script, str(bundle_folder.parent), "classify", odd, str(film)]
    done = subprocess.run(command, cwd=ROOT, timeout=120, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()[-500:]
    assert b"caf\xe9.png" in done.stdout
    assert b"film.png" in done.stdout


def without_network(words: str) -> list[str]:
    """A command whose reader refuses every film and whose batch has read three."""
    script = """
import sys
from collections import Counter
from lungcare import __main__ as command, batch
from lungcare.reading import FilmError
class Reader:
    tag = "m:1.0.0"
    def read_file(self, name, language):
        return FilmError("empty_file").refusal(self.tag, language)
def reader(name):
    with command._without_chatter():
        return Reader()
command._reader = reader
batch.read_folder = lambda *_: Counter(read=3, refused=0)
sys.exit(command.main())
"""
    return ["bash", "-c", f'run() {{ "$0" -c "$1" "${{@:2}}"; }}; {words}', sys.executable, script]


@pytest.mark.parametrize("more", ["--json x{1..500}", "x"])
def test_who_reads_no_further_is_no_fault(more):
    words = f'run "$1" classify {more} | true; exit ${{PIPESTATUS[0]}}'
    done = subprocess.run(without_network(words), cwd=ROOT, timeout=60, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (141, "")


def test_a_table_of_a_name_that_is_not_utf8_is_named():
    words = "run \"$1\" batch f --output $'t\\xff.csv'"
    environment = os.environ | {"PYTHONIOENCODING": "utf-8:strict"}  # as it is but in the locale C
    done = subprocess.run(without_network(words), cwd=ROOT, env=environment, timeout=60, capture_output=True)
    assert (done.returncode, done.stdout) == (0, b"t\xff.csv: 3 read, 0 refused.\n")


def test_a_closed_standard_error_is_no_fault(film):
    words = f'run "$1" classify --json {film} 2>&-'
    done = subprocess.run(without_network(words), cwd=ROOT, timeout=60, capture_output=True, text=True)
    assert (done.returncode, json.loads(done.stdout)["code"]) == (1, "empty_file")
    words = 'run "$1" batch f 2>&-'
    done = subprocess.run(without_network(words), cwd=ROOT, timeout=60, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "")


def test_classify(capsys, film, reader):
    reading = reader.read_file(film)
    assert main(["classify", str(film), str(film)]) == 0
    heading, first, second, _, notice = capsys.readouterr().out.splitlines()
    assert heading.split() == ["File", "Finding", "Normal", "Pneumonia", "Tuberculosis", "Pneumothorax"]
    assert first == second
    assert first.split()[:3] == [
        str(film),
        reading.finding.capitalize(),
        f"{reading.probabilities.normal:.1%}",
    ]
    assert "no diagnosis" in notice
    assert "phantom:0.0.1" in notice


@pytest.mark.parametrize(("language", "doubt"), [("en", "uncertain"), ("id", "belum pasti")])
def test_classify_says_what_is_uncertain(capsys, film, bundle_folder, tmp_path, language, doubt):
    doubtful = tmp_path / "doubtful"
    shutil.copytree(bundle_folder, doubtful)
    card = json.loads((doubtful / bundle.CARD).read_text())
    card["decisions"]["certainty"]["least"] = 1
    (doubtful / bundle.CARD).write_text(json.dumps(card))
    for model, is_doubtful in ((doubtful, True), (bundle_folder, False)):
        assert main(["classify", "--language", language, "--model", str(model), str(film)]) == 0
        assert capsys.readouterr().out.splitlines()[1].endswith(doubt) == is_doubtful


def test_classify_in_indonesian(capsys, film, tmp_path):
    assert main(["classify", "--language", "id", str(film), str(tmp_path / "none.png")]) == 1
    out = capsys.readouterr().out
    assert "Tuberkulosis" in out
    assert "bukan diagnosis" in out
    assert "Berkas tidak ditemukan" in out
    assert re.search(r"\d,\d%", out.splitlines()[1])


def test_classify_json(capsys, film, tmp_path, reader):
    (tmp_path / "text.png").write_text("text")
    names = [str(film), str(tmp_path / "text.png"), str(tmp_path / "none.png")]
    assert main(["classify", "--json", *names]) == 1
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["file"] for line in lines] == names
    assert lines[0] == {"file": names[0], **reader.read_file(film).model_dump(mode="json")}
    assert [line.get("code") for line in lines] == [None, "unsupported_format", "unreadable_file"]


def test_classify_says_nothing_else(film, bundle_folder):
    command = [sys.executable, "-m", "lungcare", "classify", "--json", "--model", str(bundle_folder), str(film)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
    done = subprocess.run(command, cwd=ROOT, env=environment, timeout=120, capture_output=True, text=True)
    assert done.returncode == 0
    assert json.loads(done.stdout)["outcome"] == "read"
    assert done.stderr == ""


def test_batch(capsys, film, tmp_path):
    output = tmp_path / "out.csv"
    assert main(["batch", str(tmp_path), "--output", str(output)]) == 0
    assert capsys.readouterr().out == f"{output}: 1 read, 0 refused.\n"
    (tmp_path / "text.png").write_text("text")
    assert main(["batch", str(tmp_path), "--output", str(output)]) == 1
    assert main(["batch", str(tmp_path), "--output", str(output), "--restart"]) == 1
    assert len(output.read_text().splitlines()) == 3


def test_batch_of_another_model(capsys, film, tmp_path, other_bundle_folder):
    output = str(tmp_path / "out.csv")
    assert main(["batch", str(tmp_path), "--output", output]) == 0
    assert main(["batch", str(tmp_path), "--output", output, "--model", str(other_bundle_folder)]) == 2
    error = capsys.readouterr().err
    assert f"--restart --model {other_bundle_folder}" in error
    assert "Traceback" not in error


def test_store(capsys):
    for _ in range(2):
        assert main(["store"]) == 0
        assert capsys.readouterr().out == "phantom:0.0.1\n"


@pytest.mark.parametrize(
    ("arguments", "environment", "words"),
    [
        (["classify", "--model", "none", "x.png"], {}, "no model 'none'"),
        (["classify", "--model", "/no/such", "x.png"], {}, "no model bundle"),
        (["store", "--model", "none"], {}, "no model 'none'"),
        (["batch", "/no/such", "--output", "/tmp/out.csv"], {}, "no folder /no/such"),
        (["batch", str(ROOT / "tests"), "--output", "/dev/full"], {}, "/dev/full is no file"),
        (["classify", "x.png"], {"LUNGCARE_MAX_BYTES": "much"}, "LUNGCARE_MAX_BYTES is wrong"),
    ],
)
def test_one_clear_sentence(capfd, monkeypatch, arguments, environment, words):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert main(arguments) == 2
    out, error = capfd.readouterr()
    assert out == ""
    assert error.startswith("lungcare: ")
    assert words in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    "arguments", [[], ["classify"], ["batch", "x"], ["dance"], ["classify", "--language", "xx", "f"]]
)
def test_usage(capsys, arguments):
    with pytest.raises(SystemExit) as done:
        main(arguments)
    assert done.value.code == 2
    assert "usage:" in capsys.readouterr().err
