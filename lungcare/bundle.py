"""models/<name>/: a network and its card, checked. The only reader of card.json."""

import hashlib
import os
from pathlib import Path, PurePosixPath

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from lungcare.certainty import SCORES
from lungcare.conditions import CODES

CARD = "card.json"
NETWORK = "model.keras"
GATE = "gate.keras"
LUNGS = "lungs.keras"
EXAMPLES = "examples.json"
MODELS = Path(__file__).resolve().parent.parent / "models"


class BundleError(RuntimeError):
    """A bundle that is missing, incomplete or changed."""


class FileRecord(BaseModel):
    """Size and checksum of one file of the bundle."""

    model_config = ConfigDict(frozen=True)

    bytes: int
    sha256: str


class Input(BaseModel):
    """What the network takes: float32 (films, size, size, 1), grey levels 0 to 255."""

    model_config = ConfigDict(frozen=True)

    size: int = Field(gt=0, description="Side of the square, in pixels.")
    preprocessing: str = Field(description="How a film becomes the square, in words.")


class Calibration(BaseModel):
    """How the network's figures become probabilities, for four equally frequent conditions."""

    model_config = ConfigDict(frozen=True)

    temperature: float = Field(1.0, gt=0, description="See lungcare.calibration; 1 where none was fitted.")
    slopes: tuple[float, float, float, float] = Field((1.0,) * 4, description="Of each condition's logit.")
    offsets: tuple[float, float, float, float] = Field((0.0,) * 4, description="Added to each condition's logit.")


class Point(BaseModel):
    """An operating point of one condition: the film is flagged where the probability is at least the threshold."""

    model_config = ConfigDict(frozen=True)

    threshold: float = Field(ge=0, le=1)


class Points(BaseModel):
    """The operating points of one condition. screening misses few; balanced weighs both errors alike."""

    model_config = ConfigDict(frozen=True)

    screening: Point
    balanced: Point


class Certainty(BaseModel):
    """When a reading counts as certain: where its score is at least `least`. See lungcare.certainty."""

    model_config = ConfigDict(frozen=True)

    score: str = Field(description="Name of the score in lungcare.certainty.")
    least: float


class Decisions(BaseModel):
    """What was chosen on the validation part for one network, and holds for no other.

    Thresholds are those of calibrated probabilities for four equally frequent conditions.
    """

    model_config = ConfigDict(frozen=True)

    model: str = Field(description="The model that they belong to, as name:version.")
    network: str = Field(description="SHA-256 of its network.")
    points: dict[str, Points]
    certainty: Certainty

    @model_validator(mode="after")
    def _every_condition_has_points(self) -> "Decisions":
        if tuple(self.points) != CODES:
            raise ValueError(f"the operating points must be those of {CODES}. Received: {tuple(self.points)}")
        return self

    @model_validator(mode="after")
    def _score_is_known(self) -> "Decisions":
        if self.certainty.score not in SCORES:
            raise ValueError(f"the score of certainty must be one of {tuple(SCORES)}. Got: {self.certainty.score}")
        return self


class GateCard(BaseModel):
    """What the gate's network tells, and from where on the gate decides. See lungcare.gate."""

    model_config = ConfigDict(frozen=True)

    size: int = Field(gt=0, description="Side of the square that it takes, in pixels.")
    kinds: tuple[str, ...] = Field(description="What it tells apart, in the order of its output.")
    least_frontal: float = Field(ge=0, le=1, description="Least probability of a frontal chest film to be read.")
    most_distance: float = Field(gt=0, description="Greatest distance from the frontal chest films of training.")
    sure: float = Field(ge=0.5, le=1, description="Least probability at which a film is turned or inverted back.")
    figures: dict = Field({}, description="What was measured, as docs/results/gate.json has it in full.")


class LungsCard(BaseModel):
    """How well the network finds the lungs. See lungcare.lungs."""

    model_config = ConfigDict(frozen=True)

    films: int = Field(description="Films with drawn lungs that it learned from.")
    parameters: int
    dice: dict[str, dict] = Field(description="Dice coefficient on films that it never saw, by part or source.")


class Card(BaseModel):
    """What belongs to a trained model and is not its weights.

    `training`, `data` and `metrics` are free tables: what they hold follows from the training code that wrote them.
    `files` names every other file of the bundle, relative to its folder; the network is one of them.
    """

    model_config = ConfigDict(frozen=True)

    schema_version: int = 1
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_.-]*$")
    version: str = Field(pattern=r"^\d+\.\d+\.\d+$")
    description: str
    conditions: tuple[str, ...]
    input: Input
    calibration: Calibration = Calibration()
    decisions: Decisions | None = None
    gate: GateCard | None = None
    lungs: LungsCard | None = None
    training: dict
    data: dict
    metrics: dict
    files: dict[str, FileRecord]

    @model_validator(mode="after")
    def _conditions_are_ours(self) -> "Card":
        if self.conditions != CODES:
            raise ValueError(f"the conditions must be {CODES}. Received: {self.conditions}")
        return self

    @model_validator(mode="after")
    def _files_are_in_the_bundle(self) -> "Card":
        if NETWORK not in self.files:
            raise ValueError(f"the files must include {NETWORK}. Received: {sorted(self.files)}")
        for part, name in ((self.gate, GATE), (self.lungs, LUNGS)):
            if (part is not None) != (name in self.files):
                raise ValueError(f"a card lists {name} where it describes it. Received: {sorted(self.files)}")
        for name in self.files:
            path = PurePosixPath(name)
            if path.is_absolute() or ".." in path.parts:
                raise ValueError(f"the files must lie in the folder of the card. Received: {name}")
        return self

    @model_validator(mode="after")
    def _decisions_are_its_own(self) -> "Card":
        own = (self.tag, self.files[NETWORK].sha256)
        if self.decisions and (self.decisions.model, self.decisions.network) != own:
            raise ValueError(
                f"the decisions belong to {self.decisions.model} with another network, not to {self.tag}. "
                "Measure this network and publish it anew."
            )
        return self

    @property
    def tag(self) -> str:
        """name:version, as in the model store."""
        return f"{self.name}:{self.version}"


class Bundle:
    """A folder with card.json and the files that it lists.

    checksum: SHA-256 of the card, which lists the checksums of all other files.
    Raises BundleError when the card is missing or wrong, or a file is missing or has another checksum.
    """

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        path = self.folder / CARD
        try:
            text = path.read_bytes()
            self.card = Card.model_validate_json(text)
        except OSError as error:
            raise BundleError(f"{self.folder} is no model bundle: its {CARD} cannot be read.") from error
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"]) or "the card"
            raise BundleError(f"{path} is damaged: {place}: {first['msg']}") from error
        self.checksum = hashlib.sha256(text).hexdigest()
        for name, record in self.card.files.items():
            _check(self.folder / name, record)

    @property
    def network(self) -> Path:
        """The Keras file."""
        return self.folder / NETWORK

    @property
    def gate(self) -> Path | None:
        """The Keras file of the gate, None where the bundle has none."""
        return self.folder / GATE if self.card.gate else None

    @property
    def lungs(self) -> Path | None:
        """The Keras file of the network that finds the lungs, None where the bundle has none."""
        return self.folder / LUNGS if self.card.lungs else None

    @property
    def names(self) -> tuple[str, ...]:
        """Every file of the bundle, the card first, relative to the folder."""
        return (CARD, *self.card.files)


def open_bundle(folder_or_name: str | Path) -> Bundle:
    """The bundle in a folder (a Path, or text with a slash), or models/<name>/ for a bare name.

    Raises BundleError, with the names that there are.
    """
    if isinstance(folder_or_name, Path) or "/" in folder_or_name or os.sep in folder_or_name:
        return Bundle(folder_or_name)
    if not (MODELS / folder_or_name / CARD).is_file():
        names = ", ".join(sorted(card.parent.name for card in MODELS.glob(f"*/{CARD}"))) or "none"
        raise BundleError(f"There is no model {folder_or_name!r} in {MODELS}. Models there: {names}.")
    return Bundle(MODELS / folder_or_name)


def record_of(path: Path) -> FileRecord:
    """Size and SHA-256 of a file."""
    data = path.read_bytes()
    return FileRecord(bytes=len(data), sha256=hashlib.sha256(data).hexdigest())


def _check(path: Path, record: FileRecord) -> None:
    if not path.is_file():
        raise BundleError(f"{path} is missing, though the card lists it.")
    if record_of(path) != record:
        raise BundleError(f"{path} is damaged: its checksum is not that of the card.")
