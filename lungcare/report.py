"""Reading -> a picture (PNG) to save, print on A4 and send: film, finding, bars, notice, model, date. No name in it."""

import io
from datetime import date

from PIL import Image, ImageDraw, ImageFont

from lungcare.conditions import CONDITIONS
from lungcare.film import Radiograph
from lungcare.markup import doubt, prevalence, titles, trust, whole_percent
from lungcare.preview import picture
from lungcare.quality import Quality
from lungcare.reading import Reading
from lungcare.words import decimal, say

SIZE = (1240, 1754)  # A4 at 150 dots an inch
DPI = 150
MARGIN = 90
BOTTOM = SIZE[1] - MARGIN
FILM_SIDE = 800  # height of the ground that the film stands on, at most
INK, SOFT, PANEL, ACCENT = "#15212a", "#4c5b67", "#e6ebef", "#0b5c8a"
ROUGHNESS = 4


def report(
    answer: Reading, radiograph: Radiograph, quality: Quality, day: date, language: str, is_synthetic: bool = False
) -> bytes:
    """The picture as PNG bytes, in a language. Only what is drawn is in it: no file name, no metadata of the film.

    is_synthetic: whether the film is a drawn example.
    """
    told = (answer, radiograph, quality, day, language, is_synthetic)
    sheet = _written(*told, FILM_SIDE)
    if sheet.y > BOTTOM:
        sheet = _written(*told, FILM_SIDE - (sheet.y - BOTTOM))
    stream = io.BytesIO()
    sheet.image.save(stream, "PNG", dpi=(DPI, DPI), compress_level=6)
    return stream.getvalue()


def _written(
    answer: Reading,
    radiograph: Radiograph,
    quality: Quality,
    day: date,
    language: str,
    is_synthetic: bool,
    film_side: int,
) -> "_Sheet":
    """The whole sheet, with a film of that height: where much is to be said, the film is what gives way."""
    sheet = _Sheet(Image.new("RGB", SIZE, "white"), language)
    sheet.heading(day)
    sheet.film(radiograph, film_side)
    if is_synthetic:
        sheet.write(say("examples.synthetic", language), 25, ACCENT, bold=True, after=8)
    sheet.write(titles(answer)[language], 40, INK, bold=True, after=8 if answer.uncertain else 30)
    if answer.uncertain:
        sheet.write(doubt(answer)[language], 25, INK, after=24)
    for condition in CONDITIONS:
        share = getattr(answer.probabilities, condition.code)
        sheet.bar(condition.code, condition.colour, share, bold=condition.code == answer.finding)
    sheet.write(prevalence(answer.prevalence)[language], 21, SOFT, after=24)
    for code in answer.corrections:
        sheet.write(say(f"correction.{code}", language), 21, INK, after=8)
    sheet.write(say("notice", language), 25, INK, bold=True, after=12)
    for share, sentence in trust(answer, quality):
        start = "" if share is None else f"{whole_percent(share)} "
        sheet.write(f"{start}{sentence[language]}.", 21, SOFT, after=8)
    sheet.write(say("report.burnt", language), 21, SOFT, after=8)
    sheet.write(f"{say('result.model', language)}: {answer.model}", 21, SOFT)
    return sheet


class _Sheet:
    """A sheet that is written from top to bottom; y is where the next thing goes."""

    def __init__(self, image: Image.Image, language: str):
        self.image = image
        self.draw = ImageDraw.Draw(image)
        self.language = language
        self.y = MARGIN - 20
        self.width = SIZE[0] - 2 * MARGIN

    def heading(self, day: date) -> None:
        """Name and mark on the left, the date on the right."""
        mark = _mark(64)
        self.image.paste(mark, (MARGIN, self.y), mark)
        self._text((MARGIN + 84, self.y + 4), "LungCare", 34, INK, bold=True)
        self._text((MARGIN + 84, self.y + 44), say("report.title", self.language), 21, SOFT)
        font = ImageFont.load_default(26)
        self._text((MARGIN + self.width - font.getlength(day.isoformat()), self.y + 18), day.isoformat(), 26, INK)
        self.y += 100

    def film(self, radiograph: Radiograph, side: int) -> None:
        """The film in the middle of a black ground of that height, whole."""
        ground = (MARGIN, self.y, MARGIN + self.width - 1, self.y + side - 1)
        self.draw.rectangle(ground, fill="black")
        scale = min(self.width / radiograph.width, side / radiograph.height)
        size = (max(1, round(radiograph.width * scale)), max(1, round(radiograph.height * scale)))
        shown = picture(radiograph).resize(size, Image.Resampling.BICUBIC if scale > 1 else Image.Resampling.LANCZOS)
        self.image.paste(shown, (MARGIN + (self.width - size[0]) // 2, self.y + (side - size[1]) // 2))
        self.y += side + 40

    def bar(self, code: str, colour: str, share: float, bold: bool) -> None:
        """The name of a condition, its bar and its percentage, in one line."""
        self._text((MARGIN, self.y), say(f"condition.{code}", self.language), 27, INK, bold)
        left, right = MARGIN + 250, MARGIN + self.width - 130
        self._rounded((left, self.y + 6, right, self.y + 28), PANEL)
        if share * (right - left) >= 1:
            self._rounded((left, self.y + 6, left + share * (right - left), self.y + 28), colour)
        text = decimal(f"{100 * share:.1f} %", self.language)
        length = ImageFont.load_default(27).getlength(text)
        self._text((MARGIN + self.width - length, self.y), text, 27, INK, bold)
        self.y += 54

    def write(self, text: str, size: int, colour: str, bold: bool = False, after: int = 0) -> None:
        """A paragraph, broken into lines that fit."""
        font = ImageFont.load_default(size)
        line = ""
        for word in text.split():
            longer = f"{line} {word}".strip()
            if font.getlength(longer) > self.width:
                self._text((MARGIN, self.y), line, size, colour, bold)
                self.y += round(1.35 * size)
                longer = word
            line = longer
        self._text((MARGIN, self.y), line, size, colour, bold)
        self.y += round(1.35 * size) + after

    def _text(self, at: tuple[float, float], text: str, size: int, colour: str, bold: bool = False) -> None:
        # Pillow's own typeface has one weight: a thin stroke makes the bold one.
        stroke = size / 60 if bold else 0
        self.draw.text(at, text, fill=colour, font=ImageFont.load_default(size), stroke_width=stroke)

    def _rounded(self, box: tuple[float, float, float, float], colour: str) -> None:
        left, top, right, bottom = box
        size = (ROUGHNESS * max(1, round(right - left)), ROUGHNESS * round(bottom - top))
        mask = Image.new("L", size, 0)
        ImageDraw.Draw(mask).rounded_rectangle((0, 0, size[0] - 1, size[1] - 1), radius=size[1] / 2, fill=255)
        mask = mask.resize((size[0] // ROUGHNESS, size[1] // ROUGHNESS), Image.Resampling.LANCZOS)
        self.image.paste(Image.new("RGB", mask.size, colour), (round(left), round(top)), mask)


def _mark(side: int) -> Image.Image:
    """The mark of LungCare: the shapes of pages/icon.svg, drawn by hand."""
    scale = ROUGHNESS * side / 64
    mark = Image.new("RGBA", (ROUGHNESS * side, ROUGHNESS * side), (0, 0, 0, 0))
    draw = ImageDraw.Draw(mark)

    def scaled(*values: float) -> list[float]:
        return [value * scale for value in values]

    draw.rounded_rectangle(scaled(0, 0, 64, 64), radius=15 * scale, fill=ACCENT)
    draw.rounded_rectangle(scaled(29.5, 9, 34.5, 30), radius=2.5 * scale, fill="white")
    left = (27, 21, 22, 22, 17, 27, 13, 34, 11, 42, 10, 49, 12, 53, 16, 54, 20, 53, 24, 50, 27, 45)
    right = [64 - value if place % 2 == 0 else value for place, value in enumerate(left)]
    draw.polygon(scaled(*left), fill="white")
    draw.polygon(scaled(*right), fill="#a8c8dc")
    return mark.resize((side, side), Image.Resampling.LANCZOS)
