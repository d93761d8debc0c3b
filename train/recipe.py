"""A recipe: everything that decides how a network is trained, read from train/recipes/<name>.toml."""

import tomllib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from train.augment import TRANSFORMS, Geometry
from train.manifest import DataError

FOLDER = Path(__file__).parent / "recipes"
# Pixels of a place, which a reader's maps have one value for.
STRIDE = 32
# What may be done to a network after its training, once and in this order; run.json says what was.
STEPS = ("blend", "scales", "head", "ensemble")


class Recipe(BaseModel):
    """One training run.

    network: which network of train/networks.py; blocks only for the thesis's.
    start_from: a published network (.keras) to go on from; of an ensemble the first one.
    sizes: (first epoch, side in pixels) of each stage: a network may start small. The last size is published.
    steps: batches an epoch; 0: as many as one pass over the training films (times `copies`) takes.
    copies: fixed augmented copies of each film, as in the thesis; 0: fresh draws in every epoch.
    even: draw evenly over classes, then over sources by their size to the power of `source_power` (0: evenly).
    source_weights: extra factor by source, or by class/source.
    outlined: extra factor of films on which the pneumothorax was outlined, within their class and source.
    leave_out: sources that are not trained on, nor films of other sources in a group with theirs.
    validate_films: films of the validation part to look at after each epoch, even over classes; 0: all.
    average: decay of the moving average of the weights that is published; 0: none.
    norm_momentum: decay of the averages of batch normalisation, in the thesis's network.
    seed: what is drawn hangs on it, and on the network that a run goes on from, which has seen the draws that made it.
    borrow: probability that a film gets the grey levels of another one, and the same for the grain.
    transplant: probability that a film's lungs are set into the body of another film, or into nothing.
    halves: probability that of a film with a pneumothorax on one side, or of a normal one, one half alone is shown: on
        both sides, or (not of normal ones) in a normal film. The unaffected half is no pneumothorax.
    collapse: probability that a normal film of which no half is shown alone gets a pneumothorax drawn into it, see
        `train.collapse`. folds: probability that it gets a fold of skin, which is none.
    priors: how far a network is told how often each class goes with the source of a film, so that nothing is gained by
        knowing the source: from 0, not at all, to short of 1, wholly; after Ren et al., NeurIPS 2020.
    places: weight of the loss of where the pneumothorax lies, on films on which it was outlined, or that have none.
    precision: what the layers calculate in; weights are float32 always.
    augmentation: probability of each transform of train/augment.py.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    network: Literal["thesis", "reader"]
    blocks: int = Field(4, ge=1, le=5)
    pretrained: bool = False
    start_from: str = ""
    sizes: tuple[tuple[int, int], ...]
    batch: int = Field(gt=0)
    epochs: int = Field(gt=0)
    steps: int = Field(0, ge=0)
    copies: int = Field(0, ge=0)
    even: bool = False
    source_power: float = 0.5
    source_weights: dict[str, float] = {}
    outlined: float = Field(1.0, gt=0)
    leave_out: tuple[str, ...] = ()
    validate_films: int = 0
    rate: float = Field(gt=0)
    warmup: float = Field(0.0, ge=0, lt=1)
    schedule: Literal["constant", "cosine"] = "constant"
    weight_decay: float = 0.0
    label_smoothing: float = 0.0
    average: float = Field(0.0, ge=0, lt=1)
    norm_momentum: float = Field(0.99, ge=0, lt=1)
    seed: int = 0
    geometry: Geometry = Geometry()
    borrow: float = Field(0.0, ge=0, le=1)
    transplant: float = Field(0.0, ge=0, le=1)
    halves: float = Field(0.0, ge=0, le=1)
    collapse: float = Field(0.0, ge=0, le=1)
    folds: float = Field(0.0, ge=0, le=1)
    priors: float = Field(0.0, ge=0, lt=1)
    places: float = Field(0.0, ge=0)
    precision: Literal["float32", "mixed_bfloat16"] = "float32"
    augmentation: dict[str, float] = {}

    @model_validator(mode="after")
    def _known_and_ordered(self) -> "Recipe":
        unknown = set(self.augmentation) - set(TRANSFORMS)
        if unknown:
            raise ValueError(f"unknown augmentation: {', '.join(sorted(unknown))}")
        if not self.sizes or self.sizes[0][0] != 0 or list(self.sizes) != sorted(self.sizes):
            raise ValueError(f"sizes must start at epoch 0 and rise. Received: {self.sizes}")
        if self.network == "thesis" and len(self.sizes) > 1:
            raise ValueError("the thesis's network has one size, since it flattens its maps")
        if self.collapse + self.folds > 1:
            raise ValueError(f"collapse and folds are at most 1 together. Received: {self.collapse}, {self.folds}")
        if self.places and any(side % STRIDE for _, side in self.sizes):
            raise ValueError(f"places want sizes that are multiples of {STRIDE}. Received: {self.sizes}")
        return self

    @property
    def size(self) -> int:
        """Side of the published network's input, in pixels."""
        return self.sizes[-1][1]

    @property
    def with_priors(self) -> bool:
        """Whether labels are followed by priors. Beside halves they are always, even ones: a label may be several."""
        return bool(self.priors or self.halves)

    def size_at(self, epoch: int) -> int:
        """Side of the input in an epoch (counted from 0)."""
        return max(stage for stage in self.sizes if stage[0] <= epoch)[1]


def read_recipe(name: str, **changes: object) -> Recipe:
    """The recipe train/recipes/<name>.toml (or a path), with changes from the command line.

    A recipe that is `like` another one has the fields of that one where it names none. Raises DataError when there is
    no such recipe or when it does not hold.
    """
    path = Path(name) if name.endswith(".toml") else FOLDER / f"{name}.toml"
    try:
        return Recipe.model_validate(_fields(path) | changes)
    except ValidationError as error:
        raise DataError(f"The recipe {path} does not hold: {error}") from error


def _fields(path: Path) -> dict:
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in FOLDER.glob("*.toml")))
        raise DataError(f"There is no recipe {path}. Known: {known}; or give the path of a .toml file.")
    fields = tomllib.loads(path.read_text())
    like = fields.pop("like", None)
    return _fields(FOLDER / f"{like}.toml") | fields if like else fields
