"""Reading, Refusal or Failure -> the piece of HTML that the page shows."""

import base64
from html import escape

from lungcare.api import Failure
from lungcare.conditions import CONDITIONS
from lungcare.reading import Reading, Refusal
from lungcare.words import say


def reading(answer: Reading, picture: bytes, language: str) -> str:
    """The finding, the four probabilities as bars, and the film as it was read.

    picture: a JPEG of the film.
    """
    data = base64.b64encode(picture).decode()
    bars = "".join(_bar(answer, condition.code, condition.colour, language) for condition in CONDITIONS)
    return f"""
<section class="lc-reading" aria-label="{_say("page.result", language)}" data-finding="{answer.finding}">
  <img class="lc-film" alt="{_say("page.picture", language)}" src="data:image/jpeg;base64,{data}">
  <div>
    <p class="lc-label">{_say("page.finding", language)}</p>
    <h2>{_say(f"condition.{answer.finding}", language)}</h2>
    <dl>{bars}</dl>
    <p class="lc-small">{_say("page.model", language)}: {escape(answer.model)}</p>
  </div>
</section>"""


def refusal(answer: Refusal, language: str) -> str:
    """Why a file was not read, and what to do."""
    return _alert("page.refused", answer.code, answer.message, answer.advice, language)


def failure(answer: Failure, language: str) -> str:
    """That something of ours went wrong, and what to do."""
    return _alert("page.failed", answer.code, answer.message, answer.advice, language)


def waiting(language: str) -> str:
    """What stands in the place of the reading before there is one."""
    return f'<p class="lc-waiting">{_say("page.waiting", language)}</p>'


def _bar(answer: Reading, code: str, colour: str, language: str) -> str:
    probability = getattr(answer.probabilities, code)
    percent = f"{100 * probability:.1f}".replace(".", say("table.decimal", language))
    mark = " lc-most" if code == answer.finding else ""
    return f"""
<div class="lc-bar{mark}" data-condition="{code}" data-probability="{probability!r}">
  <dt>{_say(f"condition.{code}", language)}</dt><dd>{percent} %</dd>
  <div class="lc-track" aria-hidden="true"><div style="width:{100 * probability:.2f}%;background:{colour}"></div></div>
</div>"""


def _alert(title: str, code: str, message: str, advice: str, language: str) -> str:
    return f"""
<section class="lc-alert" role="alert" data-code="{escape(code)}">
  <h2>{_say(title, language)}</h2>
  <p><strong>{escape(message)}</strong></p>
  <p>{escape(advice)}</p>
</section>"""


def _say(key: str, language: str) -> str:
    return escape(say(key, language))
