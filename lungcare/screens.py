"""The screens of the page, Home, Examine, Result and About, and the page of the model's card, as HTML."""

import base64
import json
import re
from html import escape
from pathlib import Path
from string import Template

from lungcare import __version__, preview
from lungcare.api import HELP, MODEL, PAGES
from lungcare.batch import COLUMNS
from lungcare.bundle import Card
from lungcare.conditions import CODES, CONDITIONS
from lungcare.examples import Example
from lungcare.film import decode
from lungcare.markup import (
    alert,
    both,
    cells,
    label,
    label_of,
    number,
    outside,
    per_language,
    percent,
    prevalence,
    refusal,
)
from lungcare.quality import Quality, quality
from lungcare.reading import FilmError, Probabilities
from lungcare.settings import Settings
from lungcare.words import LANGUAGES, say

THUMBNAIL_SIDE = 240
MAP_FIGURES = ("pointing", "random", "lung_centres", "in_lungs", "lungs_area")
POINTS = {"screening": "card.screening", "balanced": "card.balanced_point"}
# Problems that the page explains in its own words; of any other, as of none, it says that nobody answers.
UNANSWERED = ("busy", "too_many_requests", "timed_out", "internal_error")
LANGUAGE_NAMES = {"en": "English", "id": "Indonesia"}

# What the descriptions of the conditions were checked against.
TEXTBOOKS = (
    "Bankier et al., Fleischner Society glossary of terms for thoracic imaging, Radiology 2024;310",
    "Woodring et al., Update: the radiographic features of pulmonary tuberculosis, AJR 1986;146:497",
    "Nachiappan et al., Pulmonary tuberculosis: role of radiology, RadioGraphics 2017;37:52",
    "O'Connor and Morgan, Radiological review of pneumothorax, BMJ 2005;330:1493",
    "Radiology Masterclass, chest X-ray tutorials, radiologymasterclass.co.uk",
)


def head() -> str:
    """What stands in the head of every page of ours: the style, the choice of language, the icon."""
    icon = base64.b64encode((PAGES / "icon.svg").read_bytes()).decode()
    return (
        f'<link rel="icon" type="image/svg+xml" href="data:image/svg+xml;base64,{icon}">'
        f'<meta name="color-scheme" content="light dark">'
        f"<style>{_file('page.css')}</style><script>{_file('language.js')}</script>"
    )


def document(template: str) -> str:
    """Gradio's template of the page, with our head in place of what names Gradio to those who are sent the address."""
    ours = f"""<title>LungCare</title>
<meta name="description" content="{escape(say("home.does"))}">
<meta property="og:title" content="LungCare">
<meta property="og:description" content="{escape(say("notice"))}">
{head()}"""
    of_gradio = r'<meta\s+(?:property="og:|name="twitter:)[^>]*>\s*|<link rel="manifest"[^>]*>\s*'
    return re.sub(of_gradio, "", template).replace("</head>", f"{{% raw %}}{ours}{{% endraw %}}</head>")


def page(card: Card, offered: list[Example], settings: Settings) -> str:
    """All screens; page.js shows one at a time."""
    figures = quality(card)
    return f"""
<div class="lc" data-max-bytes="{settings.max_bytes}" data-columns="{",".join(COLUMNS)}"
  data-model="{escape(card.tag)}">
  <a class="lc-skip" href="#lc-content">{both("nav.skip")}</a>
  {_header()}
  <div id="lc-content" tabindex="-1">
    {_home(figures)}
    {_examine(offered, settings)}
    <section class="lc-screen" id="lc-result" data-screen="result" hidden></section>
    {_several()}
    {_about(card, figures, settings, offered)}
  </div>
  <div class="lc-heard" role="status" aria-live="polite" id="lc-heard"></div>
  <footer class="lc-footer lc-small">
    <p>{both("notice")}</p><p><a href="{HELP}">{both("about.programs")}</a></p>
  </footer>
  {_zoom()}
  {_templates(settings)}
</div>"""


def linked(page: str, settings: Settings) -> str:
    """HTML whose links to our other pages lead there behind the prefix of a proxy too."""
    return page.replace('href="/', f'href="{settings.root_path}/')


def model_page(card: Card) -> str:
    """The card of a model, for people."""
    template = Template(_file("model.html"))
    return template.substitute(
        head=head(),
        name=escape(card.tag),
        description=escape(card.description),
        title=both("card.title"),
        back=both("card.back"),
        logo=f'<a class="lc-logo" href="/ui">{_inline("icon.svg")}LungCare</a>',
        switch=_switch(),
        quality=both("card.quality"),
        measures=_measures(card),
        audit=f"<p>{both('card.audit.text')}</p>" if card.metrics.get("audit") else "",
        points=_points(card),
        data=_data(card),
        data_title=both("about.data"),
        input_title=both("card.input"),
        input=both("card.input.text", size=card.input.size),
        notice=both("notice"),
        whole=both("card.whole"),
        json=escape(json.dumps(card.model_dump(mode="json"), indent=2, ensure_ascii=False)),
    )


def drawing(code: str) -> str:
    """Our drawing of a condition's sign, as a complete SVG."""
    return _file("drawings/chest.svg").replace("<!-- sign -->", _file(f"drawings/{code}.svg"))


def _header() -> str:
    places = "".join(
        f'<a href="#{place}" data-place="{place}">{both(f"nav.{place}")}</a>' for place in ("home", "examine", "about")
    )
    return f"""
<header class="lc-header lc-no-print">
  <a class="lc-logo" href="#home">{_inline("icon.svg")}LungCare</a>
  <nav {label("aria-label", "nav.pages")}>{places}</nav>
  {_switch()}
</header>"""


def _switch() -> str:
    buttons = "".join(
        f'<button type="button" lang="{code}" data-language="{code}" aria-pressed="false">'
        f"{LANGUAGE_NAMES[code]}</button>"
        for code in LANGUAGES
    )
    return f'<div class="lc-switch" role="group" {label("aria-label", "nav.language")}>{buttons}</div>'


def _home(figures: Quality) -> str:
    steps = "".join(
        f"<li><h3>{both(f'home.{step}')}</h3><p>{both(f'home.{step}.text')}</p></li>"
        for step in ("choose", "read", "weigh")
    )
    return f"""
<section class="lc-screen" data-screen="home" aria-labelledby="lc-home-title">
  <div class="lc-hero">
    <div>
      <h1 id="lc-home-title" tabindex="-1">LungCare</h1>
      <p class="lc-lead">{both("home.does")}</p>
      <p>{both("notice")}</p>
      <a class="lc-button lc-main" href="#examine">{both("home.start")}</a>
    </div>
    {_hero()}
  </div>
  <h2>{both("home.how")}</h2>
  <ol class="lc-steps">{steps}</ol>
  {_figures(figures)}
</section>"""


def _hero() -> str:
    """The drawn film with four bars at its foot."""
    shares = (0.62, 0.22, 0.11, 0.05)
    bars = "".join(
        f'<span><span style="width:{100 * share:.0f}%;background:{condition.colour}"></span></span>'
        for condition, share in zip(CONDITIONS, shares, strict=True)
    )
    film = f'<img alt="" src="{_as_data(_file("drawings/chest.svg"))}">'
    return f'<div class="lc-hero-film" role="img" {label("aria-label", "home.drawing")}>{film}<div>{bars}</div></div>'


def _figures(figures: Quality) -> str:
    """The measured quality; nothing where nothing was measured."""
    parts = []
    if figures.inside:
        sentence = both("quality.inside", films=figures.inside.films)
        parts.append(f"<p><strong>{percent(figures.inside.value, 0)}</strong> {sentence}</p>")
    if figures.elsewhere:
        parts.append(f"<p>{outside(figures.elsewhere[0])}</p>")
    if not parts:
        return ""
    why = f"<p>{both('quality.why')}</p>" if len(parts) > 1 else ""
    return f"""
<h2>{both("home.quality")}</h2>
<div class="lc-figures">{"".join(parts)}</div>
{why}
<p><a href="{MODEL}">{both("home.card")}</a></p>"""


def _examine(offered: list[Example], settings: Settings) -> str:
    formats = both("examine.formats", megabytes=settings.max_bytes / 1e6)
    return f"""
<section class="lc-screen" data-screen="examine" aria-labelledby="lc-examine-title" hidden>
  <h1 id="lc-examine-title" tabindex="-1">{both("examine.title")}</h1>
  <div class="lc-drop">
    {_inline("drawings/drop.svg")}
    <p class="lc-drop-title"><span class="lc-mouse">{both("examine.drop")}</span
      ><span class="lc-touch">{both("examine.photograph")}</span></p>
    <label class="lc-button lc-main">{both("examine.choose")}<input type="file" multiple id="lc-file"
      aria-describedby="lc-formats"></label>
    <p class="lc-small"><span class="lc-mouse">{both("examine.paste")} </span>{both("examine.several")}</p>
  </div>
  <div class="lc-working" hidden>
    <progress {label("aria-label", "examine.reading")}></progress> {both("examine.reading")}
  </div>
  <div class="lc-trouble"></div>
  <p class="lc-small" id="lc-formats">{formats} {both("examine.private")}</p>
  {_examples(offered)}
</section>"""


def _examples(offered: list[Example]) -> str:
    """A row for each condition, with a button for each example; nothing where there are none."""
    if not offered:
        return ""
    rows = []
    for code in CODES:
        places = [place for place, example in enumerate(offered) if example.condition == code]
        buttons = "".join(
            f'<button type="button" data-example="{place}" {_name_of_example(code, count)}>'
            f'<img alt="" src="{_thumbnail(offered[place].path)}"></button>'
            for count, place in enumerate(places, 1)
        )
        if buttons:
            rows.append(f'<div class="lc-examples"><h3>{both(f"condition.{code}")}</h3>{buttons}</div>')
    is_synthetic = any(example.is_synthetic for example in offered)
    note = f'<p class="lc-synthetic">{both("examine.synthetic")}</p>' if is_synthetic else ""
    return f"<h2>{both('examine.examples')}</h2>{note}{''.join(rows)}"


def _name_of_example(code: str, count: int) -> str:
    named = {language: say(f"condition.{code}", language) for language in LANGUAGES}
    texts = {
        language: say("examine.example", language, condition=name, number=count) for language, name in named.items()
    }
    return label_of("aria-label", texts)


def _several() -> str:
    names = "".join(f'<th scope="col">{both(f"condition.{code}")}</th>' for code in CODES)
    return f"""
<section class="lc-screen" data-screen="several" aria-labelledby="lc-several-title" hidden>
  <h1 id="lc-several-title" tabindex="-1">{both("several.title")}</h1>
  <p class="lc-progress"><progress aria-labelledby="lc-several-count"></progress>
    <span id="lc-several-count"></span></p>
  <div class="lc-trouble"></div>
  <div class="lc-wide" tabindex="0" role="region" aria-labelledby="lc-several-count"><table>
    <thead><tr><th scope="col">{both("table.file")}</th><th scope="col">{both("table.finding")}</th>{names}</tr></thead>
    <tbody></tbody>
  </table></div>
  <div class="lc-actions lc-no-print">
    <button type="button" class="lc-main" data-do="csv" disabled>{both("several.csv")}</button>
    <a class="lc-button" href="#examine">{both("examine.another")}</a>
  </div>
  <p class="lc-small">{both("several.names")}</p>
</section>"""


def _about(card: Card, figures: Quality, settings: Settings, offered: list[Example]) -> str:
    sentences = {limit: both(f"about.limits.{limit}") for limit in ("one", "children", "prior", "frontal")}
    if settings.prevalence:
        own = Probabilities(**dict(zip(CODES, settings.prevalence, strict=True)))
        sentences["prior"] = per_language(prevalence(own))
    limits = "".join(f"<li>{sentence}</li>" for sentence in sentences.values())
    if figures.elsewhere:
        limits += f'<li>{both("about.limits.elsewhere")} <a href="{MODEL}">{both("home.card")}</a></li>'
    checked = "".join(f"<li>{escape(source)}</li>" for source in TEXTBOOKS)
    return f"""
<section class="lc-screen lc-text" data-screen="about" aria-labelledby="lc-about-title" hidden>
  <h1 id="lc-about-title" tabindex="-1">{both("about.title")}</h1>
  <p class="lc-notice">{both("notice")}</p>
  <h2>{both("about.conditions")}</h2>
  <p>{both("about.conditions.text")}</p>
  <div class="lc-conditions">{"".join(_condition(code, offered) for code in CODES)}</div>
  <details><summary>{both("about.checked")}</summary><ul>{checked}</ul></details>
  <h2>{both("about.limits")}</h2><ul>{limits}</ul>
  {_data_section(card)}
  <h2>{both("about.cite")}</h2>
  <p><cite lang="en">The LungCare authors. LungCare: reading frontal chest X-rays for four findings. Version
    {escape(__version__)}, model {escape(card.tag)}.</cite></p>
  <p>{both("about.cite.text")}</p>
</section>"""


def _condition(code: str, offered: list[Example]) -> str:
    """What a condition looks like: our drawing of its sign, and the first example film where there is one."""
    example = next((example for example in offered if example.condition == code), None)
    film = ""
    if example:
        note = f"<figcaption>{both('examples.synthetic')}</figcaption>" if example.is_synthetic else ""
        film = f'<figure class="lc-small"><img alt="" src="{_thumbnail(example.path)}">{note}</figure>'
    return f"""
<article data-condition="{code}">
  <div class="lc-pictures"><img {label("alt", f"about.{code}.drawing")} src="{_as_data(drawing(code))}">{film}</div>
  <div><h3>{both(f"condition.{code}")}</h3><p>{both(f"about.{code}")}</p></div>
</article>"""


def _data_section(card: Card) -> str:
    table = _data(card)
    return f"<h2>{both('about.data')}</h2>{table}" if table else ""


def _data(card: Card) -> str:
    """The collections that the model of a card was trained on, with their credits; nothing where it names none."""
    trained: dict[str, int] = {}
    for name, films in card.data.get("training_films", {}).items():
        source = name.partition("/")[2]
        trained[source] = trained.get(source, 0) + films
    rows = []
    for credit in _credits():
        films = sum(trained.pop(source, 0) for source in credit["sources"])
        if films:
            rows.append((credit["name"], films, credit["credit"], credit["terms"]))
    rows += [(source, films, "", "") for source, films in trained.items()]
    if not rows:
        return ""
    unknown = both("about.data.unknown")
    body = "".join(
        f'<tr><th scope="row" lang="en">{escape(name)}</th><td>{films}</td>'
        f"{_credit(credit) if credit else f'<td>{unknown}</td>'}"
        f"<td>{both(f'about.terms.{terms}') if terms else unknown}</td></tr>"
        for name, films, credit, terms in rows
    )
    titles = "".join(
        f'<th scope="col">{both(f"about.data.{column}")}</th>' for column in ("collection", "films", "credit", "terms")
    )
    return f"""
<p>{both("about.data.text", films=_grouped(sum(row[1] for row in rows)))}</p>
<div class="lc-wide" tabindex="0" role="region" {label("aria-label", "about.data")}><table class="lc-credits">
  <thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table></div>"""


def _credits() -> list[dict]:
    return json.loads(_file("credits.json"))


def _collection(source: str) -> str:
    """The name of the collection that a source belongs to, or the source's own."""
    return next((credit["name"] for credit in _credits() if source in credit["sources"]), source)


def _grouped(count: int) -> str:
    """A large number with thin spaces, which no language reads as a decimal mark."""
    return f"{count:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def _credit(text: str) -> str:
    """A cell with a citation, which is English in every language."""
    return f'<td lang="en">{escape(text)}</td>'


def _measures(card: Card) -> str:
    """The figures of a card as a table, each with its interval, in groups."""
    test = card.metrics.get("test", {})
    external = card.metrics.get("external", {}).get("by_source", {})
    certainty, influence = test.get("certainty", {}), test.get("influence", {})
    rows = {
        "test": [
            (both("card.balanced"), test.get("balanced_accuracy")),
            *((_of_condition("card.auc", code), entry) for code, entry in test.get("auc", {}).items()),
        ],
        "outside": [
            (_of_condition("card.outside", code, _collection(source)), entry.get("accuracy"))
            for (code, source), entry in ((name.split("/", 1), entry) for name, entry in external.items())
            if "accuracy" in entry
        ],
        "certainty": [(both(f"card.{name}"), certainty.get(name)) for name in ("coverage", "certain", "uncertain")],
        "map": [(both(f"card.map.{name}"), influence.get(name)) for name in MAP_FIGURES],
        "audit": [(both(f"card.audit.{name}"), entry) for name, entry in card.metrics.get("audit", {}).items()],
    }
    groups = {
        both(f"card.group.{group}"): [
            (name, _figure(entry["value"]), _interval(entry), entry["films"]) for name, entry in figures if entry
        ]
        for group, figures in rows.items()
    }
    held = test.get("calibration", {}).get("after")
    if held:
        groups[both("card.group.test")].append((both("card.calibration"), _figure(held["ece"]), "", test["films"]))
    groups = {title: cells for title, cells in groups.items() if cells}
    if not groups:
        return f"<p>{both('card.none')}</p>"
    return _card_table("card.quality", ("measure", "value", "interval", "films"), groups)


def _figure(value: float) -> str:
    return per_language({language: number(value, 3, language) for language in LANGUAGES})


def _interval(entry: dict) -> str:
    return f"{_figure(entry['low'])}&nbsp;&ndash;&nbsp;{_figure(entry['high'])}"


def _points(card: Card) -> str:
    """What each operating point reaches on the test films; nothing where there are none."""
    cells = [
        (
            f"{both(f'condition.{code}')}, {both(POINTS[point])}",
            *(
                f"{_figure(entry['value'])} ({_interval(entry)})"
                for entry in (reached["sensitivity"], reached["specificity"])
            ),
        )
        for code, points in card.metrics.get("test", {}).get("operating_points", {}).items()
        if code in CODES
        for point, reached in points.items()
        if "specificity" in reached
    ]
    if not cells:
        return ""
    table = _card_table("card.points", ("point", "sensitivity", "specificity"), {"": cells})
    return f"<h2>{both('card.points')}</h2><p>{both('card.points.text')}</p>{table}"


def _card_table(name: str, columns: tuple[str, ...], groups: dict[str, list[tuple]]) -> str:
    """A table of the card's page.

    name: code of what it shows. groups: rows under the title of their group, none where it is empty; all HTML, the
    first cell the name of the row.
    """
    titles = "".join(f'<th scope="col">{both(f"card.{column}")}</th>' for column in columns)
    bodies = ""
    for title, rows in groups.items():
        head = f'<tr><th scope="rowgroup" colspan="{len(columns)}">{title}</th></tr>' if title else ""
        body = "".join(
            f'<tr><th scope="row">{first}</th>{"".join(f"<td>{cell}</td>" for cell in rest)}</tr>'
            for first, *rest in rows
        )
        bodies += f"<tbody>{head}{body}</tbody>"
    return f"""
<div class="lc-wide" tabindex="0" role="region" {label("aria-label", name)}><table class="lc-figure-table">
  <thead><tr>{titles}</tr></thead>{bodies}</table></div>"""


def _of_condition(code: str, condition: str, source: str = "") -> str:
    """A sentence that names a condition, and where it wants one a collection, in every language."""
    named = {language: say(f"condition.{condition}", language) for language in LANGUAGES}
    return per_language(
        {language: say(code, language, condition=name, source=source) for language, name in named.items()}
    )


def _zoom() -> str:
    def button(action: str, sign: str) -> str:
        name = label("aria-label", f"result.{action}")
        return f'<button type="button" data-zoom="{action}" {name}><span aria-hidden="true">{sign}</span></button>'

    return f"""
<dialog class="lc-zoom" {label("aria-label", "result.zoom")}>
  <div class="lc-zoom-bar">{button("farther", "&minus;")}{button("closer", "+")}{button("close", "&times;")}</div>
  <div class="lc-zoom-film" tabindex="0" role="region" {label("aria-label", "result.zoom")}>
    <img {label("alt", "result.film")} draggable="false"><img alt="" hidden draggable="false">
  </div>
</dialog>"""


def _templates(settings: Settings) -> str:
    """What page.js says by itself: it has no words of its own."""
    unsent = (FilmError("file_too_large", megabytes=settings.max_bytes / 1e6), FilmError("unreadable_file"))
    refusals = {error.code: {language: error.refusal("", language) for language in LANGUAGES} for error in unsent}
    texts = {
        **{code: refusal(answers) for code, answers in refusals.items()},
        **{f"{code}-cells": cells(answers) for code, answers in refusals.items()},
        **{f"{code}-again": _unanswered(code) for code in ("offline", *UNANSWERED)},
        "reading": both("examine.reading"),
        "progress": both("several.progress", done="[done]", total="[total]"),
        "done": both("several.done", total="[total]", read="[read]", refused="[refused]"),
        "unsaved": both("result.unsaved"),
        "after": f'<a class="lc-button" href="#examine">{both("examine.another")}</a>',
        "back": f'<a class="lc-button" href="#several">{both("several.back")}</a>',
        "result-name": both("nav.result"),
    }
    return "".join(f'<template id="lc-say-{name}">{text}</template>' for name, text in texts.items())


def _unanswered(code: str) -> str:
    """That no answer came, and a button to try again. code: that of the problem, or offline."""
    told = alert(code, both(f"examine.{code}"), both(f"examine.{code}.message"), both("examine.wait"), "h2")
    return told.replace(
        "</article>", f'<button type="button" data-do="retry">{both("examine.retry")}</button></article>'
    )


def _thumbnail(path: Path) -> str:
    picture = preview.jpeg(decode(path.read_bytes()), THUMBNAIL_SIDE)
    return f"data:image/jpeg;base64,{base64.b64encode(picture).decode()}"


def _as_data(svg: str) -> str:
    return f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"


def _inline(name: str) -> str:
    """A drawing to stand beside words that say the same."""
    return _file(name).replace("<svg ", '<svg aria-hidden="true" ')


def _file(name: str) -> str:
    return (PAGES / name).read_text(encoding="utf-8")
