import re

from lungcare import markup
from lungcare.conditions import CODES
from lungcare.quality import Measure, Quality
from lungcare.reading import Refusal
from tests import phantom

FIGURES = Quality(inside=None, elsewhere=(Measure(0.435, 487, "pneumonia", "far"),))


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


def test_a_reading_is_spoken_in_one_line(reader):
    answer = reader.read(phantom.film("pneumonia", 1))
    text = markup.spoken(answer)
    assert text.count("%") == 2 * len(CODES)
    assert "Paling menyerupai" in text


def test_a_row_of_the_table_has_a_cell_for_each_column(reader):
    answer = reader.read(phantom.film("pneumonia", 1))
    assert markup.cells(answer).count("<td") == 1 + len(CODES)
    refusals = {
        language: Refusal(code="empty_file", message=f"<{language}>", advice="x", model="m")
        for language in ("en", "id")
    }
    assert markup.cells(refusals) == (
        '<td colspan="5"><div><span lang="en">&lt;en&gt;</span><span lang="id">&lt;id&gt;</span></div></td>'
    )
