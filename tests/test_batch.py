import csv
import os
import signal
import subprocess
import sys
import time

import pytest

from lungcare.batch import COLUMNS, BatchError, read_folder
from lungcare.conditions import CODES
from lungcare.reader import Reader
from tests import phantom
from tests.conftest import ROOT
from tests.test_reader import with_lungs

NAMES = ["a.png", "b.jpg", "deep/er/c.webp", "deep/d.png", 'with, "quotes"\nand a line.png', "z.png"]


@pytest.fixture
def folder(tmp_path):
    """Six phantoms, three files that are no films, and a hidden one."""
    folder = tmp_path / "films"
    kinds = {"jpg": "JPEG", "webp": "WEBP", "png": "PNG"}
    for seed, name in enumerate(NAMES):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(phantom.film(phantom.LOOKS[seed % 4], seed, kinds[path.suffix[1:]]))
    (folder / "empty.png").touch()
    (folder / "deep" / "half.jpg").write_bytes(phantom.film(kind="JPEG")[:5000])
    (folder / "notes.txt").write_text("no film")
    (folder / ".hidden").write_text("hidden")
    (folder / ".cache").mkdir()
    (folder / ".cache" / "x.png").write_bytes(b"x")
    return folder


@pytest.fixture(scope="module")
def other(other_bundle_folder):
    return Reader.open(other_bundle_folder)


def table(path) -> list[dict]:
    with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
        return list(csv.DictReader(file))


def test_table(reader, folder, tmp_path):
    output = tmp_path / "out.csv"
    tally = read_folder(reader, folder, output)
    assert tally == {"read": 6, "refused": 3}
    assert output.read_text(encoding="utf-8").splitlines()[0] == (
        "file,outcome,code,finding,uncertain,normal,pneumonia,tuberculosis,pneumothorax,screening,balanced,"
        "corrections,in_lungs,prevalence,model"
    )
    rows = table(output)
    assert [row["file"] for row in rows] == sorted([*NAMES, "empty.png", "deep/half.jpg", "notes.txt"])
    assert {row["model"] for row in rows} == {"phantom:0.0.1"}
    assert {row["file"]: row["code"] for row in rows if row["outcome"] == "refused"} == {
        "empty.png": "empty_file",
        "deep/half.jpg": "damaged_file",
        "notes.txt": "unsupported_format",
    }
    for row in rows:
        if row["outcome"] == "read":
            reading = reader.read_file(folder / row["file"])
            assert row["finding"] == reading.finding
            assert row["code"] == ""
            assert row["prevalence"] == "0.25 0.25 0.25 0.25"
            assert row["uncertain"] == {True: "true", False: "false"}[reading.uncertain]
            assert tuple(row["screening"].split()) == reading.flagged("screening")
            for code in CODES:
                assert float(row[code]) == pytest.approx(getattr(reading.probabilities, code), abs=1e-5)
        else:
            assert [row[column] for column in ("finding", *CODES)] == [""] * 5


def test_many_films_stay_in_order(reader, tmp_path):
    folder = tmp_path / "films"
    folder.mkdir()
    for seed in range(75):
        film = phantom.encode(phantom.chest(phantom.LOOKS[seed % 4], seed, height=70, width=64))
        (folder / f"{seed:02}.png").write_bytes(film if seed % 10 else b"")
    read_folder(reader, folder, tmp_path / "out.csv")
    rows = table(tmp_path / "out.csv")
    assert [row["file"] for row in rows] == [f"{seed:02}.png" for seed in range(75)]
    for row in rows[1::9]:
        if row["outcome"] == "read":
            assert row["finding"] == reader.read_file(folder / row["file"]).finding


def test_again_changes_nothing_and_reads_what_is_new(reader, folder):
    output = folder / "out.csv"
    read_folder(reader, folder, output)
    before = output.read_bytes()
    assert read_folder(reader, folder, output) == {"read": 6, "refused": 3}
    assert output.read_bytes() == before
    (folder / "b2.png").write_bytes(phantom.film())
    assert read_folder(reader, folder, output) == {"read": 7, "refused": 3}
    assert output.read_bytes().startswith(before)
    assert table(output)[-1]["file"] == "b2.png"


def test_cut_anywhere_it_goes_on(reader, folder, tmp_path):
    output = tmp_path / "out.csv"
    read_folder(reader, folder, output)
    whole = output.read_bytes()
    rows = table(output)
    for length in range(0, len(whole), 17):
        output.write_bytes(whole[:length])
        assert read_folder(reader, folder, output) == {"read": 6, "refused": 3}
        again = table(output)
        assert [row["file"] for row in again] == [row["file"] for row in rows], length
        assert [row["finding"] for row in again] == [row["finding"] for row in rows], length


def test_killed_it_goes_on(reader, bundle_folder, tmp_path):
    folder, output = tmp_path / "films", tmp_path / "out.csv"
    folder.mkdir()
    film = phantom.film()
    for number in range(120):
        (folder / f"{number:03}.png").write_bytes(film)
    script = f"""
import time
from lungcare.reader import Reader
from lungcare.__main__ import main
judge = Reader.judge
def slow(*arguments):
    time.sleep(0.2)
    return judge(*arguments)
Reader.judge = slow
main(["batch", {str(folder)!r}, "--output", {str(output)!r}, "--model", {str(bundle_folder)!r}])
"""
    process = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 90
        while not output.exists() or output.read_bytes().count(b"\n") < 20:
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.02)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    before = output.read_bytes()
    assert 20 <= before.count(b"\n") < 121
    assert read_folder(reader, folder, output) == {"read": 120}
    assert output.read_bytes().startswith(before[: before.rindex(b"\n")])
    assert [row["file"] for row in table(output)] == [f"{number:03}.png" for number in range(120)]


def test_another_model_is_refused(reader, other, folder, tmp_path):
    output = tmp_path / "my out.csv"
    read_folder(reader, folder, output)
    before = output.read_bytes()
    with pytest.raises(BatchError, match=r"rows of phantom:0\.0\.1, not of phantom:0\.0\.2.*--restart") as raised:
        read_folder(other, folder, output)
    assert f"--output '{output}'" in str(raised.value)
    assert output.read_bytes() == before
    read_folder(other, folder, output, restart=True)
    assert {row["model"] for row in table(output)} == {"phantom:0.0.2"}
    assert len(table(output)) == 9


def test_a_table_begun_without_in_lungs_is_not_gone_on_with_in_them(reader, bundle_folder, folder, tmp_path):
    output = tmp_path / "out.csv"
    read_folder(reader, folder, output)
    assert read_folder(reader, folder, output, in_lungs=True) == {"read": 6, "refused": 3}, "it can say none"
    finding = Reader.open(with_lungs(bundle_folder, tmp_path / "finding", 5))
    with pytest.raises(BatchError, match=r"without --in-lungs.*--restart --in-lungs"):
        read_folder(finding, folder, output, in_lungs=True)
    for restart in (True, False):
        read_folder(finding, folder, output, restart=restart, in_lungs=True)
        assert any(row["in_lungs"] for row in table(output))


def test_other_columns_are_refused(reader, folder, tmp_path):
    output = tmp_path / "out.csv"
    for text in ("file,outcome,code,finding,model\n", ",".join((*COLUMNS, "more")) + "\n"):
        output.write_text(text)
        with pytest.raises(BatchError, match=r"other columns.*--restart"):
            read_folder(reader, folder, output)
        assert output.read_text() == text


@pytest.mark.parametrize("restart", [False, True])
def test_what_is_no_table_is_never_overwritten(reader, folder, tmp_path, restart):
    for data in (phantom.film(), b"some notes\n", b"name,value\n1,2\n"):
        output = tmp_path / "precious"
        output.write_bytes(data)
        with pytest.raises(BatchError, match="Choose another name"):
            read_folder(reader, folder, output, restart=restart)
        assert output.read_bytes() == data


def test_missing_folders(reader, folder, tmp_path):
    with pytest.raises(BatchError, match="no folder"):
        read_folder(reader, tmp_path / "none", tmp_path / "out.csv")
    with pytest.raises(BatchError, match="no folder"):
        read_folder(reader, folder, tmp_path / "none" / "out.csv")
    with pytest.raises(BatchError, match="no file"):
        read_folder(reader, folder, tmp_path)
    assert not (tmp_path / "out.csv").exists()


def test_an_empty_folder_is_an_empty_table(reader, tmp_path):
    (tmp_path / "films").mkdir()
    for _ in range(2):
        assert read_folder(reader, tmp_path / "films", tmp_path / "out.csv") == {}
        assert table(tmp_path / "out.csv") == []


def test_links_pipes_and_strange_names(reader, tmp_path):
    folder = tmp_path / "films"
    (folder / "real").mkdir(parents=True)
    (folder / "real" / "a.png").write_bytes(phantom.film())
    (folder / "link").symlink_to(folder / "real")
    (folder / "real" / "up").symlink_to(folder)
    (folder / "gone.png").symlink_to(tmp_path / "nothing")
    (folder / "self.png").symlink_to(folder / "self.png")
    os.mkfifo(folder / "pipe.png")
    strange = os.fsdecode(b"caf\xe9.png")
    for name in (strange, "Icon\r"):
        (folder / name).write_bytes(phantom.film())
    for _ in range(2):
        read_folder(reader, folder, tmp_path / "out.csv")
        codes = {row["file"]: row["code"] for row in table(tmp_path / "out.csv")}
        assert codes == {
            "real/a.png": "",
            "link/a.png": "",
            strange: "",
            "Icon\r": "",
            "gone.png": "unreadable_file",
            "self.png": "unreadable_file",
        }


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_a_row(reader, tmp_path):
    folder = tmp_path / "films"
    (folder / "shut").mkdir(parents=True)
    (folder / "a.png").write_bytes(phantom.film())
    (folder / "a.png").chmod(0)
    (folder / "shut").chmod(0)
    try:
        read_folder(reader, folder, tmp_path / "out.csv")
    finally:
        (folder / "shut").chmod(0o700)
    assert {row["file"]: row["code"] for row in table(tmp_path / "out.csv")} == {
        "a.png": "unreadable_file",
        "shut": "unreadable_file",
    }


def test_a_folder_that_may_be_listed_and_not_entered_is_a_row(tmp_path):
    folder = tmp_path / "films"
    (folder / "listed").mkdir(parents=True)
    for path in (folder / "a.png", folder / "listed" / "b.png"):
        path.touch()
    (folder / "c.png").symlink_to("listed/b.png")
    (folder / "listed").chmod(0o744 if os.geteuid() == 0 else 0o400)
    tmp_path.chmod(0o755)
    script = """
import os
from pathlib import Path
from lungcare.batch import _names
os.chdir(os.environ["HERE"])
if os.geteuid() == 0:
    os.seteuid(65534)
print(*_names(Path("films")))
"""
    command, environment = [sys.executable, "-c", script], os.environ | {"HERE": str(tmp_path)}
    try:
        done = subprocess.run(command, cwd=ROOT, env=environment, timeout=60, capture_output=True, text=True)
    finally:
        (folder / "listed").chmod(0o700)
    assert done.returncode == 0, done.stderr[-500:]
    assert done.stdout.split() == ["a.png", "c.png", "listed"]
