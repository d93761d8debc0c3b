"""What LungCare says of a film: a Reading, or a Refusal with its reason."""

from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from lungcare.conditions import CODES
from lungcare.words import say

SCHEMA_VERSION = "1.0"

CorrectionCode = Literal["inverted", "turned_left", "upside_down", "turned_right", "wide_margins"]
ConditionCode = Literal["normal", "pneumonia", "tuberculosis", "pneumothorax"]

# HTTP status of each refusal; the codes never change, the sentences (lungcare/words) may.
STATUS_BY_CODE = {
    "unreadable_file": 400,
    "empty_file": 400,
    "damaged_file": 400,
    "several_images": 400,
    "file_too_large": 413,
    "too_many_pixels": 413,
    "too_costly": 413,
    "unsupported_format": 415,
    "unsupported_pixels": 415,
    "no_image": 422,
    "wrong_modality": 422,
    "wrong_body_part": 422,
    "wrong_view": 422,
    "too_small": 422,
    "too_dark": 422,
    "too_bright": 422,
    "no_contrast": 422,
    "nearly_empty": 422,
    "not_a_chest_film": 422,
    "lateral_film": 422,
    "part_of_chest": 422,
    "several_in_one": 422,
    "photograph_of_film": 422,
    "inverted": 422,
    "upside_down": 422,
    "sideways": 422,
}


class Probabilities(BaseModel):
    """Probability of each condition, 0 to 1; the four add up to 1."""

    model_config = ConfigDict(frozen=True)

    normal: float = Field(ge=0, le=1)
    pneumonia: float = Field(ge=0, le=1)
    tuberculosis: float = Field(ge=0, le=1)
    pneumothorax: float = Field(ge=0, le=1)


class Flag(BaseModel):
    """Whether a film is flagged for one condition at each operating point."""

    model_config = ConfigDict(frozen=True)

    screening: bool = Field(description="At the point that misses few films with the condition.")
    balanced: bool = Field(description="At the point that weighs both errors alike.")


class Flags(BaseModel):
    """Whether a film is flagged for each condition, at the operating points of the model that read it."""

    model_config = ConfigDict(frozen=True)

    normal: Flag
    pneumonia: Flag
    tuberculosis: Flag
    pneumothorax: Flag


class Reading(BaseModel):
    """A film that was read."""

    model_config = ConfigDict(frozen=True)

    schema_version: Literal["1.0"] = SCHEMA_VERSION
    outcome: Literal["read"] = "read"
    finding: ConditionCode = Field(description="The condition with the highest probability.")
    probabilities: Probabilities
    prevalence: Probabilities = Field(
        default=Probabilities(**dict.fromkeys(get_args(ConditionCode), 0.25)),
        description="How frequent the probabilities take each condition to be.",
    )
    uncertain: bool | None = Field(
        None,
        description="Whether the highest probability stands out too little to be called certain; null where no rule "
        "was chosen for it.",
    )
    flags: Flags | None = Field(None, description="Operating points reached; null where the model has none.")
    corrections: tuple[CorrectionCode, ...] = Field(
        (), description="What was wrong with the way the film lay, and was set right before it was read."
    )
    in_lungs: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Share of the map's weight that lies inside the lungs, as a network finds them; influence, not "
        "location. Null where no map was asked for, the model has none, or no lungs were found.",
    )
    model: str = Field(description="The model that read the film, as name:version.")

    @property
    def likeliest(self) -> tuple[str, str]:
        """The two conditions with the highest probabilities, the higher first."""
        first, second, *_ = sorted(CODES, key=lambda code: -getattr(self.probabilities, code))
        return first, second

    def flagged(self, point: str) -> tuple[str, ...]:
        """The conditions that are flagged at an operating point, screening or balanced."""
        return tuple(code for code in CODES if self.flags and getattr(getattr(self.flags, code), point))


class Refusal(BaseModel):
    """A file that was not read, and why."""

    model_config = ConfigDict(frozen=True)

    schema_version: Literal["1.0"] = SCHEMA_VERSION
    outcome: Literal["refused"] = "refused"
    code: str = Field(description="Why, as a code that never changes.")
    message: str = Field(description="What was wrong, in one sentence.")
    advice: str = Field(description="What is accepted, in one sentence.")
    model: str = Field(description="The model that would have read the film, as name:version.")


class FilmError(ValueError):
    """The sender's file cannot be read as a film.

    code: one of STATUS_BY_CODE.
    values: what the sentences of lungcare/words name, such as the size that was found.
    """

    def __init__(self, code: str, **values: float | str):
        super().__init__(code)
        self.code = code
        self.values = values

    def refusal(self, model: str, language: str = "en") -> Refusal:
        """The refusal of the file, in the words of a language. model: tag of the one that would have read it."""
        return Refusal(
            code=self.code,
            message=say(f"refusal.{self.code}.message", language, **self.values),
            advice=say(f"refusal.{self.code}.advice", language, **self.values),
            model=model,
        )
