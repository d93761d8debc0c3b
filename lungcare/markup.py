"""Sentences, readings and refusals -> HTML. Every sentence stands in it in every language; the page shows one."""

import base64
from collections.abc import Mapping
from html import escape

from lungcare.api import Failure
from lungcare.conditions import CONDITIONS
from lungcare.quality import Measure, Quality
from lungcare.reading import Probabilities, Reading, Refusal
from lungcare.words import LANGUAGES, decimal, say


def both(code: str, **values: object) -> str:
    """A sentence in every language. values: text, or what `number` gives."""
    return per_language({language: say(code, language, **values) for language in LANGUAGES})


def per_language(texts: Mapping[str, str]) -> str:
    """One text a language, as elements of which the style sheet shows the one that is chosen."""
    return "".join(f'<span lang="{language}">{escape(text)}</span>' for language, text in texts.items())


def label(attribute: str, code: str, **values: object) -> str:
    """An attribute of an element with a sentence for its value; page.js changes it with the language."""
    return label_of(attribute, {language: say(code, language, **values) for language in LANGUAGES})


def label_of(attribute: str, texts: Mapping[str, str]) -> str:
    """`label` for one text a language."""
    others = "".join(f' data-{language}="{escape(text)}"' for language, text in texts.items())
    return f'{attribute}="{escape(texts[LANGUAGES[0]])}" data-label="{attribute}"{others}'


def number(value: float, digits: int, language: str) -> str:
    """A number with the decimal mark of a language."""
    return decimal(f"{value:.{digits}f}", language)


def percent(share: float, digits: int = 1) -> str:
    """A share of 1 as a percentage, in every language."""
    return per_language({language: f"{number(100 * share, digits, language)} %" for language in LANGUAGES})


def whole_percent(share: float) -> str:
    """A share of 1 as a whole percentage inside a sentence, the same in every language, in one piece."""
    return f"{100 * share:.0f}\N{NO-BREAK SPACE}%"


def reading(
    answer: Reading,
    picture: bytes,
    seconds: float,
    quality: Quality,
    map_picture: bytes | None = None,
    is_synthetic: bool = False,
) -> str:
    """The finding, the four probabilities as bars, and the film as it was read.

    picture: a JPEG of the film. map_picture: a PNG of where the network looked, in the same geometry.
    is_synthetic: whether the film is a drawn example.
    """
    bars = "".join(_bar(answer, condition.code, condition.colour) for condition in CONDITIONS)
    taken = per_language({code: say("result.seconds", code, seconds=number(seconds, 2, code)) for code in LANGUAGES})
    return f"""
<article class="lc-reading" data-finding="{answer.finding}">
  <header class="lc-finding">
    {f'<p class="lc-synthetic">{both("examples.synthetic")}</p>' if is_synthetic else ""}
    <p class="lc-small">{both("result.most")}</p>
    <h1 tabindex="-1">{per_language(titles(answer))}</h1>
    {f"<p>{per_language(doubt(answer))}</p>" if answer.uncertain else ""}
  </header>
  <div class="lc-seen">
    <figure class="lc-film">
      <img {label("alt", "result.film")} src="{_as_data("jpeg", picture)}">
      {_map(map_picture)}
      <button type="button" class="lc-quiet lc-no-print" data-do="zoom">{both("result.enlarge")}</button>
    </figure>
    {_map_controls(answer, quality) if map_picture else ""}
  </div>
  <div class="lc-verdict">
    <dl class="lc-bars" {label("aria-label", "result.bars")}>{bars}</dl>
    <p class="lc-small">{per_language(prevalence(answer.prevalence))}</p>
    {_corrections(answer)}
    <p class="lc-notice">{both("notice")}</p>
    <div class="lc-actions lc-no-print">
      <button type="button" class="lc-main" data-do="picture">{both("result.picture")}</button>
      <button type="button" data-do="json">{both("result.json")}</button>
    </div>
    <p class="lc-small lc-no-print">{both("result.burnt")}</p>
    {_trust(answer, quality)}
    <dl class="lc-facts lc-small">
      {_flags(answer)}
      <div><dt>{both("result.model")}</dt><dd><a href="/model">{escape(answer.model)}</a></dd></div>
      <div><dt>{both("result.time")}</dt><dd>{taken}</dd></div>
    </dl>
  </div>
</article>"""


def titles(answer: Reading) -> dict[str, str]:
    """What the reading comes to, in each language: the finding, and that it is not certain where it is not."""
    findings = {language: say(f"result.finding.{answer.finding}", language) for language in LANGUAGES}
    if not answer.uncertain:
        return findings
    return {language: say("result.uncertain", language, finding=finding) for language, finding in findings.items()}


def doubt(answer: Reading) -> dict[str, str]:
    """Why a reading is not certain, in each language, with the condition that comes second; empty where it is."""
    if not answer.uncertain:
        return {}
    second = answer.likeliest[1]
    share = 100 * getattr(answer.probabilities, second)
    why = "result.uncertain.why" if _is_even(answer.prevalence) else "result.uncertain.why.own"
    return {
        language: say(
            why,
            language,
            second=say(f"condition.{second}", language).lower(),
            share=f"{number(share, 1, language)}\N{NO-BREAK SPACE}%",
        )
        for language in LANGUAGES
    }


def prevalence(assumed: Probabilities) -> dict[str, str]:
    """How frequent the probabilities take the conditions to be, in each language."""
    shares = assumed.model_dump()
    if _is_even(assumed):
        return {language: say("result.prevalence.even", language) for language in LANGUAGES}
    return {
        language: say(
            "result.prevalence.own",
            language,
            shares=", ".join(
                f"{say(f'condition.{code}', language).lower()} {number(100 * share, 1, language)} %"
                for code, share in shares.items()
            ),
        )
        for language in LANGUAGES
    }


def _is_even(assumed: Probabilities) -> bool:
    return len(set(assumed.model_dump().values())) == 1


def _corrections(answer: Reading) -> str:
    """What was set right before the film was read; nothing where nothing was."""
    return "".join(f'<p data-correction="{code}">{both(f"correction.{code}")}</p>' for code in answer.corrections)


def spoken(answer: Reading) -> str:
    """A reading in one line, for those who hear the page."""
    shares = (f"{both(f'condition.{c.code}')} {percent(getattr(answer.probabilities, c.code), 0)}" for c in CONDITIONS)
    corrections = "".join(f" {both(f'correction.{code}')}" for code in answer.corrections)
    return f"{per_language(titles(answer))}. {', '.join(shares)}.{corrections}"


def refusal(answers: Mapping[str, Refusal]) -> str:
    """Why a file was not read, and what to do. answers: the same refusal in every language."""
    return _told("result.refused", answers)


def failure(answers: Mapping[str, Failure]) -> str:
    """That something of ours went wrong, and what to do. answers: the same failure in every language."""
    return _told("result.failed", answers)


def _told(title: str, answers: Mapping[str, Refusal | Failure]) -> str:
    return alert(
        next(iter(answers.values())).code,
        both(title),
        per_language({language: answer.message for language, answer in answers.items()}),
        per_language({language: answer.advice for language, answer in answers.items()}),
    )


def alert(code: str, title: str, message: str, advice: str, heading: str = "h1") -> str:
    """What went wrong and what to do. All but the code are HTML. heading: the element of the title."""
    return f"""
<article class="lc-alert" data-code="{escape(code)}">
  <{heading} tabindex="-1">{title}</{heading}>
  <p><strong>{message}</strong></p>
  <p>{advice}</p>
</article>"""


def cells(answer: Reading | Mapping[str, Refusal]) -> str:
    """What follows the name of the file in a row of the page's table."""
    if isinstance(answer, Reading):
        told = {"uncertain": answer.uncertain, "corrected": bool(answer.corrections)}
        marks = "".join(
            f'<span class="lc-mark">{both(f"several.{mark}")}</span>' for mark, is_so in told.items() if is_so
        )
        finding = f"{_dot(answer.finding)}{both(f'condition.{answer.finding}')}{marks}"
        figures = "".join(_cell(answer, condition.code) for condition in CONDITIONS)
        return f'<td data-finding="{answer.finding}">{finding}</td>{figures}'
    message = per_language({language: refusal.message for language, refusal in answer.items()})
    return f'<td colspan="{1 + len(CONDITIONS)}"><div>{message}</div></td>'


def _cell(answer: Reading, code: str) -> str:
    """A probability in the table; its name is seen where the table is too wide for its head."""
    most = ' class="lc-most"' if code == answer.finding else ""
    name = f'<span class="lc-named">{both(f"condition.{code}")}</span>'
    return f"<td{most}>{name}{percent(getattr(answer.probabilities, code))}</td>"


def outside(measure: Measure) -> str:
    """The sentence on films from elsewhere: a percentage and what it is of."""
    sentence = both(f"quality.outside.{measure.condition}", films=measure.films)
    return f"<strong>{percent(measure.value, 0)}</strong> {sentence}"


def trust(answer: Reading, quality: Quality) -> list[tuple[float | None, dict[str, str]]]:
    """What was measured that bears on this reading: shares of 1, each with what it is a share of in each language.

    The share is None where the sentence says that nothing was measured. Nothing is said of a model without figures.
    """
    told: list[tuple[float | None, dict[str, str]]] = []
    if answer.uncertain is not None and quality.certain and quality.uncertain and quality.coverage:
        kind, accuracy, coverage = "certain", quality.certain.value, quality.coverage.value
        if answer.uncertain:
            kind, accuracy, coverage = "uncertain", quality.uncertain.value, 1 - quality.coverage.value
        figures = {"share": whole_percent(coverage), "certain": whole_percent(quality.certain.value)}
        told.append((accuracy, {language: say(f"quality.{kind}", language, **figures) for language in LANGUAGES}))
    if measure := quality.outside(answer.finding):
        sentence = f"quality.outside.{measure.condition}"
        told.append((measure.value, {language: say(sentence, language, films=measure.films) for language in LANGUAGES}))
    elif told or quality.inside:
        named = {language: say(f"condition.{answer.finding}", language).lower() for language in LANGUAGES}
        sentences = {language: say("quality.nowhere", language, condition=name) for language, name in named.items()}
        told.append((None, sentences))
    return told


def _trust(answer: Reading, quality: Quality) -> str:
    """The paragraphs of `trust`; nothing where there are none."""
    paragraphs = "".join(
        f"<p>{'' if share is None else f'<strong>{percent(share, 0)}</strong> '}{per_language(sentence)}.</p>"
        for share, sentence in trust(answer, quality)
    )
    return f'<div class="lc-small lc-trust"><h2>{both("result.trust")}</h2>{paragraphs}</div>' if paragraphs else ""


def _flags(answer: Reading) -> str:
    """The diseases that are flagged at each operating point; nothing where the model has none."""
    if answer.flags is None:
        return ""
    rows = []
    for point in ("screening", "balanced"):
        diseases = [code for code in answer.flagged(point) if code != "normal"]
        named = ", ".join(both(f"condition.{code}") for code in diseases) or both("result.flags.none")
        rows.append(f'<div data-point="{point}"><dt>{both(f"result.flags.{point}")}</dt><dd>{named}</dd></div>')
    return "".join(rows)


def _map(picture: bytes | None) -> str:
    return f'<img class="lc-map" alt="" hidden src="{_as_data("png", picture)}">' if picture else ""


def _map_controls(answer: Reading, quality: Quality) -> str:
    """Switch, strength and legend of the class map, what it is, and how well it points."""
    named = {language: say(f"condition.{answer.finding}", language).lower() for language in LANGUAGES}
    texts = {language: say("result.map.text", language, condition=name) for language, name in named.items()}
    score = ""
    if quality.pointing and quality.chance and quality.centre:
        score = both(
            "result.map.score",
            films=quality.pointing.films,
            share=whole_percent(quality.pointing.value),
            chance=whole_percent(quality.chance.value),
            centre=whole_percent(quality.centre.value),
        )
    inside = "" if answer.in_lungs is None else both("result.map.lungs", share=whole_percent(answer.in_lungs))
    return f"""
<div class="lc-map-controls lc-no-print">
  <label><input type="checkbox" data-map="show">{both("result.map.show")}</label>
  <div class="lc-map-more" hidden>
    <label>{both("result.map.strength")}
      <input type="range" data-map="strength" min="10" max="100" value="60"></label>
    <p class="lc-legend" aria-hidden="true">{both("result.map.weak")}<span></span>{both("result.map.strong")}</p>
    <p class="lc-small">{per_language(texts)} {inside} {score}</p>
  </div>
</div>"""


def _as_data(kind: str, picture: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(picture).decode()}"


def _bar(answer: Reading, code: str, colour: str) -> str:
    probability = getattr(answer.probabilities, code)
    mark = " lc-most" if code == answer.finding else ""
    return f"""
<div class="lc-bar{mark}" data-condition="{code}" data-probability="{probability!r}">
  <dt>{both(f"condition.{code}")}</dt>
  <dd>{percent(probability)}<span class="lc-track" aria-hidden="true"
    ><span style="width:{100 * probability:.2f}%;background:{colour}"></span></span></dd>
</div>"""


def _dot(code: str) -> str:
    colour = next(condition.colour for condition in CONDITIONS if condition.code == code)
    return f'<span class="lc-dot" aria-hidden="true" style="background:{colour}"></span>'
