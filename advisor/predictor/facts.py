"""What is written beside the model: everything that is not a tree, as JSON that a person can read."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct, field

from advisor.predictor.choice import Thresholds

MODEL_SCHEMA = "hugepage-advisor/model/1"
"""Version of the two files. History: 1 = first (0.2.0)."""

LEVEL = 0.9
"""Level of the stated intervals. Source: own choice. Reason: at one in ten a user notices that intervals are meant;
with some thirty families the tails beyond are not known."""

Output = Literal["thp", "pool", "further", "gigantic"]
OUTPUTS: tuple[Output, ...] = ("thp", "pool", "further", "gigantic")
"""thp: THP over base pages. pool: a pool of PMD-size pages over base pages. further: a pool of gigantic pages over
one of PMD-size pages. gigantic: a pool of gigantic pages over base pages."""


class ModelError(Exception):
    """A model that cannot be used. The message names the file and the remedy."""


class Head(Struct, frozen=True, forbid_unknown_fields=True):
    """Which forest answers for one output. mark: the value of its additional last column, None where it has none.
    fill_s_per_gib: what is added for faulting, see `faulting`."""

    forest: str
    mark: float | None = None
    fill_s_per_gib: float = 0.0


class Calibration(Struct, frozen=True, forbid_unknown_fields=True):
    """Interval of one output: prediction + low x scale .. prediction + high x scale, as squashed log ratios.

    scale: floor + how far the trees of the forest stand apart. rows: configurations that it was calibrated on.
    """

    low: float
    high: float
    floor: float
    rows: int


class Domain(Struct, frozen=True, forbid_unknown_fields=True):
    """Where the model has seen programs.

    columns: inputs that distance is measured in. centre, spread: of each of them. farthest: distance to the nearest
    known program beyond which it abstains. may_be_unknown: inputs that were unknown for some known program.
    """

    columns: list[str]
    centre: list[float]
    spread: list[float]
    farthest: float
    may_be_unknown: list[str]


class TrainedOn(Struct, frozen=True, forbid_unknown_fields=True):
    """The data behind the model. newest: start of the newest measurement; sha256: of the data files in order."""

    files: list[str]
    sha256: str
    newest: str
    families: int
    configurations: int
    rows: int
    labels: dict[str, int]


class ModelFacts(Struct, frozen=True, forbid_unknown_fields=True):
    """The JSON file beside the forests.

    inputs: what the model sees, in order; inputs_version: of their formulas. features: the feature columns behind
    them and their types. sha256: of the file with the forests. versions: what it was trained with.
    """

    schema: str
    tool_version: str
    versions: dict[str, str]
    sha256: str
    inputs_version: int
    inputs: list[str]
    features: dict[str, str]
    level: float
    heads: dict[str, Head]
    calibrations: dict[str, Calibration]
    thresholds: Thresholds
    domain: Domain
    trained_on: TrainedOn
    settings: dict[str, str] = field(default_factory=dict)
