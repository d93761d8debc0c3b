"""Planted names, numbers and dates: nothing of them may be in anything that is said or written."""

import io
import json
import logging
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from pydicom import dcmread, uid

from lungcare.batch import read_folder
from lungcare.film import FilmError, decode
from tests import formats
from tests.dicom_files import MARKS, named, write
from tests.serving import ROOT

# Planted in what is read, too: free text where the standard has terms.
FREE_TEXT = {"BodyPartExamined": "PLANTED PART", "ViewPosition": "PLANTED VIEW", "Modality": "PLANTED"}
ELEMENTS = [(0x00091001, "LO", "PLANTED PRIVATE"), (0x00090010, "LO", "PLANTED CREATOR")]


def _planted(syntax: str = uid.ExplicitVRLittleEndian, **tags: object) -> bytes:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom writes free text with a warning
        return write(formats.TWELVE, syntax, BitsStored=12, **named(elements=ELEMENTS, **tags))


def _files() -> dict[str, bytes]:
    read = _planted()
    files = {
        "read": read,
        "implicit": _planted(uid.ImplicitVRLittleEndian),
        "deflated": _planted(uid.DeflatedExplicitVRLittleEndian),
        "compressed": _planted(uid.JPEGLSLossless),
        "free text": _planted(**FREE_TEXT),
        "another modality": _planted(Modality="CT"),
        "free text for pixels": _planted(PhotometricInterpretation="PLANTED"),
        "free text for numbers": _planted(VOILUTFunction="PLANTED", WindowCenter=9, WindowWidth=9),
        "another syntax": read.replace(b"1.2.840.10008.1.2.1\0", b"PLANTED.SYNTAX\0\0\0\0\0\0"),
        "charset": read.replace(b"PLANTED CHARSET", b"PLANTED\\PLANTED"),
    }
    files |= {f"cut at {length}": read[:length] for length in range(200, 1200, 100)}
    return files


FILES = _files()


def _assert_clean(*said: object) -> None:
    for text in map(str, said):
        assert not [mark for mark in MARKS if mark.lower() in text.lower()], text[:2000]


@pytest.mark.parametrize("name", [name for name in FILES if not name.startswith("cut")])
def test_the_plants_are_there(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom reads free text with a warning, too
        dataset = dcmread(io.BytesIO(FILES[name]))
        text = f"{dataset.file_meta}{dataset}"
    assert not [mark for mark in (*MARKS, "PLANTED^NAME", "PLANTED^INNER") if mark not in text]


@pytest.mark.parametrize("name", FILES)
def test_library(reader, name, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        answer = reader.read(FILES[name])
        try:
            error = None
            decode(FILES[name])
        except FilmError as raised:
            error = raised
    _assert_clean(answer, *map(str, warned), *(record.getMessage() for record in caplog.records), *capfd.readouterr())
    while error is not None:
        _assert_clean(error, vars(error) if isinstance(error, FilmError) else "")
        error = error.__cause__


def test_batch_and_command_line(reader, bundle_folder, tmp_path):
    (tmp_path / "films").mkdir()
    for number, data in enumerate(FILES.values()):
        (tmp_path / "films" / f"{number}.dcm").write_bytes(data)
    read_folder(reader, tmp_path / "films", tmp_path / "table.csv")
    _assert_clean((tmp_path / "table.csv").read_text())
    paths = map(str, sorted((tmp_path / "films").iterdir()))
    command = [sys.executable, "-m", "lungcare", "classify", "--json", "--model", str(bundle_folder), *paths]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert len(list(map(json.loads, done.stdout.splitlines()))) == len(FILES)
    _assert_clean(done.stdout, done.stderr)


def test_service(server):
    for name, data in FILES.items():
        answer = server.post(data, name="film.dcm")
        assert answer.status_code == 200 or 400 <= answer.status_code < 500, name
        _assert_clean(answer.text, answer.headers)
    _assert_clean(server.log.read_text())
    written = [path for path in server.log.parent.rglob("*") if path.is_file() and not path.is_symlink()]
    for path in written:
        _assert_clean(path.name, _text(path))


def _text(path: Path) -> str:
    return path.read_bytes().decode("latin-1") if path.exists() else ""
