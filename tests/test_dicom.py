import io
import warnings
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom import uid
from pydicom.pixels import apply_modality_lut, apply_voi_lut

from lungcare import dicom
from lungcare.elements import PIXELS, TAGS, read_elements
from lungcare.film import FilmError, decode
from tests import formats
from tests.dicom_files import ENCODERS, NATIVE, table, view_code, write

CURVE = np.round(65535 * (np.arange(4096) / 4095) ** 0.5).astype(np.uint16)
SHOWN = {
    "window": {"WindowCenter": 2000, "WindowWidth": 3000},
    "rescale and window": {"RescaleSlope": 2, "RescaleIntercept": -50, "WindowCenter": 4000, "WindowWidth": 6000},
    "sigmoid": {"WindowCenter": 2000, "WindowWidth": 1000, "VOILUTFunction": "SIGMOID"},
    "exact": {"WindowCenter": 2000, "WindowWidth": 1000, "VOILUTFunction": "LINEAR_EXACT"},
    "VOI LUT": table("VOILUTSequence", CURVE),
    "modality LUT and window": {
        **table("ModalityLUTSequence", CURVE),
        "WindowCenter": 30_000,
        "WindowWidth": 50_000,
    },
}


def by_pydicom(data: bytes) -> np.ndarray:
    """The film as pydicom's own pipeline and plugins show it, 0 to 1."""
    dataset = pydicom.dcmread(io.BytesIO(data))
    values = apply_voi_lut(apply_modality_lut(dataset.pixel_array, dataset), dataset).astype(np.float64)
    if "VOILUTSequence" in dataset or "ModalityLUTSequence" in dataset:
        low, high = 0, 65535
    else:
        slope, intercept = float(dataset.get("RescaleSlope", 1)), float(dataset.get("RescaleIntercept", 0))
        first = -(1 << dataset.BitsStored - 1) if dataset.PixelRepresentation else 0
        low, high = (slope * level + intercept for level in (first, first + (1 << dataset.BitsStored) - 1))
    shown = (values - low) / (high - low)
    return 1 - shown if dataset.PhotometricInterpretation == "MONOCHROME1" else shown


@pytest.mark.parametrize("shown", SHOWN)
@pytest.mark.parametrize("photometric", dicom.GREY)
def test_as_pydicom_shows_it(shown, photometric):
    data = write(formats.TWELVE, BitsStored=12, PhotometricInterpretation=photometric, **SHOWN[shown])
    assert np.abs(decode(data).pixels - by_pydicom(data)).max() < 1e-6


# pydicom's plugins under a permissive licence read all but JPEG of 12 bits.
@pytest.mark.parametrize("syntax", [syntax for syntax in (*NATIVE, *ENCODERS) if syntax != uid.JPEGExtended12Bit])
def test_every_syntax_as_pydicom_and_its_plugins_read_it(syntax):
    if syntax == uid.JPEGBaseline8Bit:
        data = write(formats.BYTES, syntax, WindowCenter=120, WindowWidth=200)
    else:
        data = write(formats.TWELVE, syntax, BitsStored=12, WindowCenter=2000, WindowWidth=3000)
    differences = np.abs(decode(data).pixels - by_pydicom(data))
    if syntax in dicom._LOSSY:
        # What the loss brings above the bits stored, pydicom cuts off at the top and we at the nearest value.
        assert np.quantile(differences, 0.99) < 1e-6
    else:
        assert differences.max() < 1e-6


def test_signed_as_pydicom_shows_it():
    for syntax in (*NATIVE, uid.RLELossless):
        data = write(formats.SIGNED, syntax, BitsStored=12, WindowCenter=0, WindowWidth=3000)
        assert np.abs(decode(data).pixels - by_pydicom(data)).max() < 1e-6


# DICOM files that come with pydicom, those of broken ones left out.
TESTDATA = [
    path
    for path in sorted((Path(pydicom.__file__).parent / "data" / "test_files").glob("*.dcm"))
    if not any(word in path.name for word in ("truncated", "no_meta", "badVR", "bad_sequence"))
]


@pytest.mark.parametrize("path", TESTDATA, ids=lambda path: path.name)
@pytest.mark.filterwarnings("ignore")
def test_the_walk_finds_what_pydicom_finds(path):
    data = path.read_bytes()
    dataset = pydicom.dcmread(path, force=True)
    _, syntax, elements = read_elements(data, 36_000_000)
    if "TransferSyntaxUID" in dataset.file_meta:
        assert syntax == dataset.file_meta.TransferSyntaxUID
    for tag in TAGS - {PIXELS}:
        if tag not in dataset:
            assert tag not in elements.places
            continue
        found = dataset[tag]
        value = found.value[0] if found.VM > 1 else found.value
        if value in (None, ""):
            continue
        if found.VR in ("US", "SS", "US or SS"):
            assert elements.short(tag, -1) == int(value) & 0xFFFF
        elif found.VR in ("DS", "IS"):
            assert elements.real(tag) == float(value)
        else:
            assert elements.text(tag) == str(value).upper()
    assert (PIXELS in elements.places) == ("PixelData" in dataset)


@pytest.mark.parametrize("modality", ["CR", "DX", "RG", "", "XYZ"])
@pytest.mark.parametrize("part", ["CHEST", "THORAX", "", "Whole lungs, free text"])
@pytest.mark.parametrize("view", ["PA", "AP", "", "upright"])
def test_chests_are_taken(modality, part, view):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom writes the free text with a warning
        data = write(formats.BYTES, Modality=modality, BodyPartExamined=part, ViewPosition=view)
    assert decode(data).width == 131


@pytest.mark.parametrize(
    ("tags", "code", "word"),
    [
        ({"Modality": "MG"}, "wrong_modality", "MG"),
        ({"Modality": "US"}, "wrong_modality", "US"),
        ({"BodyPartExamined": "KNEE"}, "wrong_body_part", "KNEE"),
        ({"BodyPartExamined": "C SPINE"}, "wrong_body_part", "CSPINE"),
        ({"ViewPosition": "RL"}, "wrong_view", "right lateral"),
        ({"ViewPosition": "lateral"}, "wrong_view", "lateral"),
        (view_code("R-10236"), "wrong_view", "left lateral"),
    ],
)
def test_what_says_that_it_is_something_else_is_refused_with_that_reason(reader, tags, code, word):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        answer = reader.read(write(formats.BYTES, **tags))
    assert (answer.outcome, answer.code) == ("refused", code)
    assert word in answer.message


def test_frontal_by_its_code_is_taken():
    assert decode(write(formats.BYTES, **view_code("399348003"))).width == 131


@pytest.mark.filterwarnings("ignore:overflow")
def test_a_slope_beyond_all_numbers_gives_numbers():
    levels = np.zeros((100, 100), np.uint16)
    levels.flat[-50:] = 4095  # the upper percentile lies between a number and none
    pixels = decode(write(levels, BitsStored=12, RescaleSlope="1e308")).pixels
    assert 0 <= pixels.min() <= pixels.max() <= 1


def test_the_header_is_believed_only_where_the_stream_agrees():
    for syntax in ENCODERS:
        data = write(formats.BYTES, syntax, Rows=100, Columns=100)
        if syntax == uid.RLELossless:
            continue
        with pytest.raises(FilmError, match="damaged_file"):
            decode(data)


def test_pixels_cut_short_are_damage():
    for syntax in (*NATIVE, *ENCODERS):
        data = write(formats.BYTES, syntax)
        with pytest.raises(FilmError):
            decode(data[: len(data) // 2])


def test_a_library_of_ours_that_is_missing_is_no_fault_of_the_sender(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "lungcare.codecs", None)
    monkeypatch.delattr("lungcare.codecs", raising=False)
    with pytest.raises(ImportError):
        decode(write(formats.BYTES, uid.JPEGLSLossless))
