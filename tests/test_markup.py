import re

from lungcare import markup
from lungcare.conditions import CODES
from lungcare.quality import Measure, Quality
from lungcare.reading import Probabilities, Refusal
from lungcare.words import sentences
from tests import phantom

FIGURES = Quality(Measure(0.8, 900), tuple(Measure(0.435, 487, code, "far") for code in CODES))


def test_a_sentence_stands_in_both_languages_and_is_escaped():
    assert markup.both("table.file") == '<span lang="en">File</span><span lang="id">Berkas</span>'
    assert "&lt;b&gt;" in markup.both("refusal.wrong_field.message", field="film", received="<b>")


def test_an_attribute_can_change_its_language():
    assert markup.label("alt", "table.file") == 'alt="File" data-label="alt" data-en="File" data-id="Berkas"'


def test_numbers_have_the_decimal_mark_of_the_language():
    assert markup.percent(0.1234) == '<span lang="en">12.3 %</span><span lang="id">12,3 %</span>'


def test_a_reading_names_every_condition_and_the_figure_from_outside(reader):
    answer = reader.read(phantom.film("pneumonia", 1))
    html = markup.reading(answer, b"jpeg", 0.123, FIGURES)
    assert re.findall(r'data-condition="(\w+)"', html) == list(CODES)
    assert "44 %" in html
    assert "0.12 seconds" in html
    assert "0,12 detik" in html
    assert answer.model in html
    assert "lc-trust" not in markup.reading(answer, b"jpeg", 0.1, Quality(None, ()))


def test_a_condition_that_was_not_measured_outside_gets_no_figure_of_another(reader):
    answer = reader.read(phantom.film("pneumonia", 1))
    others = tuple(measure for measure in FIGURES.elsewhere if measure.condition != answer.finding)
    html = markup.reading(answer, b"jpeg", 0.1, Quality(FIGURES.inside, others))
    assert "44 %" not in html
    assert "nothing was measured on collections that it never saw" in html


def test_a_reading_is_spoken_in_one_line(reader):
    answer = reader.read(phantom.film("pneumonia", 1))
    text = markup.spoken(answer)
    assert text.count("%") == 2 * len(CODES)
    assert "Paling menyerupai" in text


def test_a_row_of_the_table_has_a_cell_for_each_column(reader):
    answer = reader.read(phantom.film("pneumonia", 1))
    assert markup.cells(answer).count("<td") == 1 + len(CODES)
    assert "lc-mark" not in markup.cells(answer.model_copy(update={"uncertain": False}))
    assert "set right first" in markup.cells(answer.model_copy(update={"corrections": ("inverted",)}))
    refusals = {
        language: Refusal(code="empty_file", message=f"<{language}>", advice="x", model="m")
        for language in ("en", "id")
    }
    assert markup.cells(refusals) == (
        '<td colspan="5"><div><span lang="en">&lt;en&gt;</span><span lang="id">&lt;id&gt;</span></div></td>'
    )


def test_an_uncertain_reading_names_the_first_and_says_why_it_is_not_certain(reader):
    shares = Probabilities(normal=0.112, pneumonia=0.882, tuberculosis=0.004, pneumothorax=0.002)
    changes = {"uncertain": True, "finding": "pneumonia", "probabilities": shares}
    answer = reader.read(phantom.film("pneumonia", 1)).model_copy(update=changes)
    html = markup.reading(answer, b"jpeg", 0.1, Quality(None, ()))
    assert "Most like pneumonia, but not certain" in html
    assert "Paling menyerupai pneumonia, tetapi belum pasti" in html
    assert "Second comes normal, with 11.2\xa0%. The first does not stand out enough to be called certain." in html
    assert "Urutan kedua: normal, 11,2\xa0%." in html
    assert "but not certain" in markup.spoken(answer)
    assert "belum pasti" in markup.cells(answer)
    certain = markup.reading(answer.model_copy(update={"uncertain": False}), b"jpeg", 0.1, Quality(None, ()))
    assert "not certain" not in certain
    assert "Second comes" not in certain


def test_a_doubt_that_the_prevalence_hides_is_explained(reader):
    own = Probabilities(normal=0.9, pneumonia=0.06, tuberculosis=0.025, pneumothorax=0.015)
    sure = Probabilities(normal=0.99, pneumonia=0.01, tuberculosis=0, pneumothorax=0)
    changes = {"uncertain": True, "finding": "normal", "probabilities": sure, "prevalence": own}
    said = markup.doubt(reader.read(phantom.film("pneumonia", 1)).model_copy(update=changes))
    assert "Before the weighting by how frequent the conditions are here" in said["en"]
    assert "Sebelum disesuaikan dengan seringnya tiap kondisi" in said["id"]


def test_what_was_measured_of_certain_and_uncertain_readings_is_said(reader):
    figures = Quality(None, (), Measure(0.961, 750), Measure(0.712, 250), Measure(0.75, 1000))
    answer = reader.read(phantom.film("pneumonia", 1))
    for uncertain, wanted in ((False, ("96 %", "75\xa0%")), (True, ("71 %", "25\xa0%", "96\xa0%"))):
        html = markup.reading(answer.model_copy(update={"uncertain": uncertain}), b"jpeg", 0.1, figures)
        assert all(text in html for text in wanted)
    unknown = answer.model_copy(update={"uncertain": None, "flags": None})
    html = markup.reading(unknown, b"jpeg", 0.1, figures)
    assert "lc-trust" not in html
    assert "data-point" not in html


def test_flags_name_the_diseases_alone(reader):
    answer = reader.read(phantom.film("pneumonia", 1))
    html = markup.reading(answer, b"jpeg", 0.1, Quality(None, ()))
    for point in ("screening", "balanced"):
        row = re.search(rf'data-point="{point}">(.*?)</div>', html).group(1)
        diseases = [code for code in answer.flagged(point) if code != "normal"]
        assert all(sentences("en")[f"condition.{code}"] in row for code in diseases)
        assert ("none of the diseases" in row) == (not diseases)
        assert ">Normal<" not in row


def test_the_map_stands_over_the_film_with_what_it_is_worth(reader):
    answer = reader.read(phantom.film("pneumonia", 1))
    figures = Quality(None, (), pointing=Measure(0.287, 94), chance=Measure(0.037, 94), centre=Measure(0.012, 94))
    html = markup.reading(answer, b"jpeg", 0.1, figures, b"png")
    assert "Influence, not location" in html
    assert all(text in html for text in ("29\xa0%", "4\xa0%", "1\xa0%", "94"))
    assert 'type="range"' in html
    assert "lc-map" not in markup.reading(answer, b"jpeg", 0.1, figures)


def test_the_prevalence_is_said(reader):
    answer = reader.read(phantom.film("pneumonia", 1))
    assert markup.prevalence(answer.prevalence)["en"] == "For four equally frequent conditions."
    own = Probabilities(normal=0.9, pneumonia=0.06, tuberculosis=0.025, pneumothorax=0.015)
    said = markup.prevalence(own)
    assert "tuberculosis 2.5 %" in said["en"]
    assert "tuberkulosis 2,5 %" in said["id"]
