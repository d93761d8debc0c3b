import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import bentoml
import pytest

from lungcare import store
from lungcare.bundle import Bundle
from lungcare.reader import Reader
from lungcare.store import StoredModel, StoreError, import_bundle, stored_bundle
from tests import phantom
from tests.conftest import ROOT

HOME = Path(os.environ["BENTOML_HOME"])


@pytest.fixture
def make(bundle_folder, tmp_path, request):
    """Makes bundles named after the test, so that no test meets another's entries."""
    name = request.node.name.split("[")[0].replace("_", "-") + f"-{abs(hash(request.node.name)) % 10_000}"

    def make(**changes) -> Bundle:
        folder = shutil.copytree(bundle_folder, tmp_path / str(len(list(tmp_path.iterdir()))))
        card = json.loads((folder / "card.json").read_text()) | {"name": name} | changes
        card["decisions"]["model"] = f"{card['name']}:{card['version']}"
        (folder / "card.json").write_text(json.dumps(card))
        return Bundle(folder)

    return make


def entry(tag: str) -> Path:
    return HOME / "models" / Path(*tag.split(":"))


def left_behind() -> list[Path]:
    return list(HOME.glob(".lungcare-*"))


def test_import(make, reader):
    metrics = {"accuracy": 0.5, "by_source": {"a": [1, None, "x"]}}
    bundle = make(metrics=metrics)
    tag = import_bundle(bundle)
    assert tag == bundle.card.tag
    model = bentoml.models.get(tag)
    assert model.info.labels == store.LABELS
    assert model.info.metadata["checksum"] == bundle.checksum
    assert model.info.metadata["metrics"] == {"accuracy": 0.5}
    assert stored_bundle(tag).checksum == Bundle(model.path).checksum == bundle.checksum
    film = phantom.film()
    assert Reader(stored_bundle(tag)).read(film).probabilities == reader.read(film).probabilities
    assert not left_behind()


def test_files_in_folders_come_along(make, bundle_folder):
    from lungcare.bundle import record_of

    bundle = make()
    example = bundle.folder / "examples" / "normal" / "a.png"
    example.parent.mkdir(parents=True)
    example.write_bytes(phantom.film())
    (bundle.folder / "not of the bundle.txt").write_text("x")
    card = json.loads((bundle.folder / "card.json").read_text())
    card["files"]["examples/normal/a.png"] = record_of(example).model_dump()
    (bundle.folder / "card.json").write_text(json.dumps(card))
    tag = import_bundle(Bundle(bundle.folder))
    stored = {path.relative_to(entry(tag)).as_posix() for path in entry(tag).rglob("*") if path.is_file()}
    assert stored == {"card.json", "model.keras", "model.yaml", "examples/normal/a.png"}


def test_again_changes_nothing(make):
    bundle = make()
    import_bundle(bundle)
    before = (entry(bundle.card.tag) / "model.yaml").read_bytes()
    import_bundle(bundle)
    assert (entry(bundle.card.tag) / "model.yaml").read_bytes() == before


def test_same_tag_of_another_model(make):
    first, second = make(), make(description="Another.")
    import_bundle(first)
    with pytest.raises(StoreError, match=r"new version.*--replace"):
        import_bundle(second)
    assert stored_bundle(first.card.tag).checksum == first.checksum
    import_bundle(second, replace=True)
    assert stored_bundle(first.card.tag).checksum == second.checksum
    assert not left_behind()


def test_the_latest_is_the_last_import(make):
    for version in ("1.0.0", "2.0.0", "1.5.0"):
        tag = import_bundle(make(version=version))
        assert str(bentoml.models.get(tag.split(":")[0]).tag) == tag


def test_nothing_in_the_store():
    with pytest.raises(
        StoreError, match=r"has no absent:1\.0\.0\. Put it in: BENTOML_HOME=\S+ python -m lungcare store"
    ):
        stored_bundle("absent:1.0.0")


@pytest.mark.parametrize("file", ["model.keras", "card.json", "model.yaml"])
@pytest.mark.parametrize("harm", ["missing", "halved"])
def test_damaged_entry(make, file, harm):
    bundle = make()
    tag = import_bundle(bundle)
    path = entry(tag) / file
    data = path.read_bytes()
    path.unlink()
    if harm == "halved":
        path.write_bytes(data[: len(data) // 2])
    for attempt in (lambda: stored_bundle(tag), lambda: import_bundle(bundle)):
        with pytest.raises(StoreError, match=r"damaged.*python -m lungcare store --model \S+ --replace"):
            attempt()
    import_bundle(bundle, replace=True)
    assert stored_bundle(tag).checksum == bundle.checksum


FULL = OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("error", [FULL, shutil.Error([("a", "b", str(FULL))])])
def test_a_store_that_cannot_be_written(make, monkeypatch, error):
    def build(*_):
        raise error

    monkeypatch.setattr(store, "_build", build)
    with pytest.raises(StoreError, match=r"store in \S+ cannot be written to: No space left on device\.$"):
        import_bundle(make())
    assert not left_behind()


def test_a_service_without_its_model_ends(make):
    with pytest.raises(SystemExit, match=r"lungcare: .* has no absent:1\.0\.0\. Put it in: .* --model absent"):
        StoredModel("absent:1.0.0").resolve()
    tag = import_bundle(make())
    assert StoredModel(tag).resolve().tag == bentoml.Tag.from_str(tag)
    os.truncate(entry(tag) / "model.keras", 9)
    with pytest.raises(SystemExit, match=r"lungcare: .* is damaged: .* --replace"):
        StoredModel(tag).resolve()


# Where the import is killed: while files are copied into the model, into the store beside, and before it is moved.
KILLED = {
    "copying": """
def half(source, target):
    data = open(source, "rb").read()
    with open(target, "wb") as file:
        file.write(data[:len(data) // 2])
    kill()
shutil.copyfile = half
""",
    "saving": """
whole = shutil.copytree
def tree(*arguments, **options):
    whole(*arguments, **options)
    kill()
shutil.copytree = tree
""",
    "moving": "Path.rename = lambda *_: kill()",
}


@pytest.mark.parametrize("moment", KILLED)
def test_killed(make, moment):
    bundle = make()
    script = f"""
import os, shutil, signal
from pathlib import Path
from lungcare.bundle import Bundle
from lungcare.store import import_bundle
def kill():
    os.kill(os.getpid(), signal.SIGKILL)
bundle = Bundle({str(bundle.folder)!r})
{KILLED[moment]}
import_bundle(bundle)
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert not entry(bundle.card.tag).exists()
    assert left_behind()
    hours_ago = time.time() - 7200
    for folder in left_behind():
        os.utime(folder, (hours_ago, hours_ago))
    assert stored_bundle(import_bundle(bundle)).checksum == bundle.checksum
    assert not left_behind()
