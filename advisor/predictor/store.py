"""The model on disk: forests with skops, the rest as JSON. No pickle; what is not expected is refused."""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from advisor.features import FEATURES
from advisor.foreign_json import ForeignJsonError, decode
from advisor.own_file import write_whole
from advisor.predictor.facts import MODEL_SCHEMA, ModelError, ModelFacts
from advisor.predictor.inputs import INPUTS, INPUTS_VERSION, Input
from advisor.predictor.predict import Predictor

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FORESTS = "gain.skops"
FACTS = "gain.json"

TRUSTED = ("sklearn.tree._tree.Tree",)
"""Types that skops does not trust by itself and the model needs. A tree's node table is indexed without a check when
it predicts, so that a made-up one could read outside of it: `_check_nodes` looks at each table after loading."""

SKOPS_SCHEMA = "schema.json"

ADDRESS = re.compile(r'(?<="__id__": )[0-9]+|(?<=")[0-9]+(?=[.]npy")')
"""Where skops writes the address of an object: as its id and as the name of its array's file."""

RETRAIN = "train it again with `hugepage-advisor model train`"


class _Versioned(msgspec.Struct):
    schema: str | None = None


def models_folder() -> Path:
    """`models/` of the source tree, or of the installed package."""
    here = Path(__file__).resolve()
    candidates = (here.parents[2] / "models", here.parents[1] / "models")
    return next((folder for folder in candidates if folder.is_dir()), candidates[0])


def load_predictor(folder: Path | None = None) -> Predictor | None:
    """The model of `folder` (None: the shipped one); None where there is none.

    Raises ModelError for one that cannot be used: damaged, of another version, or with types that are not expected.
    """
    read = _read(folder or models_folder())
    if read is None:
        return None
    facts, content, forests_path = read
    payload = _payload(content, forests_path)
    _check_fits(facts, payload, forests_path)
    return Predictor(facts, payload["forests"], payload["reference"])


def model_digest(folder: Path | None = None) -> str:
    """Of the model of `folder` (None: the shipped one), which is not loaded; "" where there is none.

    Raises ModelError where its files are damaged or of another version.
    """
    read = _read(folder or models_folder())
    return "" if read is None else read[0].sha256


def _read(where: Path) -> tuple[ModelFacts, bytes, Path] | None:
    """Facts and forests, which belong together, and where the latter are."""
    facts_path, forests_path = where / FACTS, where / FORESTS
    try:
        text = facts_path.read_bytes()
    except FileNotFoundError:
        return None
    facts = _facts(text, facts_path)
    try:
        content = forests_path.read_bytes()
    except OSError as error:
        raise ModelError(f"{forests_path}: {error.strerror}; {RETRAIN}") from error
    if hashlib.sha256(content).hexdigest() != facts.sha256:
        raise ModelError(f"{forests_path}: is not the file that {FACTS} was written with; {RETRAIN}")
    return facts, content, forests_path


def save_model(
    folder: Path, facts: ModelFacts, forests: Mapping[str, Any], reference: NDArray[np.float64]
) -> ModelFacts:
    """Write both files, each whole or not at all; returns the facts as written. Raises OSError."""
    import skops.io

    content = canonical(skops.io.dumps({"forests": dict(forests), "reference": reference}))
    facts = msgspec.structs.replace(facts, sha256=hashlib.sha256(content).hexdigest())
    folder.mkdir(parents=True, exist_ok=True)
    text = msgspec.json.format(msgspec.json.encode(facts), indent=1) + b"\n"
    for name, data in ((FORESTS, content), (FACTS, text)):
        write_whole(folder / name, data)
    return facts


def canonical(content: bytes) -> bytes:
    """The same skops file, compressed, and the same bytes for the same objects: skops names parts by their addresses,
    and its archive holds the time."""
    source = zipfile.ZipFile(io.BytesIO(content))
    schema = source.read(SKOPS_SCHEMA).decode()
    numbers: dict[str, str] = {}
    renumbered = ADDRESS.sub(lambda found: numbers.setdefault(found[0], str(len(numbers) + 1)), schema)
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as target:
        parts = [(Path(name).stem, name) for name in source.namelist() if name != SKOPS_SCHEMA]
        for stem, name in sorted(parts, key=lambda part: int(numbers[part[0]])):
            _add(target, numbers[stem] + Path(name).suffix, source.read(name))
        _add(target, SKOPS_SCHEMA, renumbered.encode())
    return sink.getvalue()


def _add(target: zipfile.ZipFile, name: str, data: bytes) -> None:
    target.writestr(zipfile.ZipInfo(name), data, compress_type=zipfile.ZIP_DEFLATED, compresslevel=9)


def feature_types(inputs: tuple[Input, ...]) -> dict[str, str]:
    """The feature columns behind these inputs and their types, by name."""
    names = sorted({name for one in inputs for name in one.features})
    return {name: str(FEATURES[name].dtype) for name in names}


def _facts(text: bytes, path: Path) -> ModelFacts:
    try:
        schema = decode(text, msgspec.json.Decoder(_Versioned)).schema
    except ForeignJsonError as error:
        raise ModelError(f"{path}: not the facts of a model ({error}); {RETRAIN}") from error
    if schema != MODEL_SCHEMA:
        raise ModelError(f"{path}: schema {schema!r}, this version reads {MODEL_SCHEMA!r}; {RETRAIN}")
    try:
        facts = decode(text, msgspec.json.Decoder(ModelFacts))
    except ForeignJsonError as error:
        raise ModelError(f"{path}: {error}; {RETRAIN}") from error
    _check_inputs(facts, path)
    return facts


def _check_inputs(facts: ModelFacts, path: Path) -> None:
    known = {one.name: one for one in INPUTS}
    missing = [name for name in facts.inputs if name not in known]
    if missing or facts.inputs_version != INPUTS_VERSION:
        what = f"no longer has {', '.join(missing)}" if missing else f"has version {INPUTS_VERSION}"
        raise ModelError(
            f"{path}: made for version {facts.inputs_version} of the inputs, this version {what}; {RETRAIN}"
        )
    today = feature_types(tuple(known[name] for name in facts.inputs))
    if today != facts.features:
        changed = sorted({name for name, _ in today.items() ^ facts.features.items()})
        raise ModelError(f"{path}: the feature table has changed since in {', '.join(changed)}; {RETRAIN}")


def _payload(content: bytes, path: Path) -> dict[str, Any]:
    import skops.io

    try:
        unknown = sorted(set(skops.io.get_untrusted_types(data=content)) - set(TRUSTED))
    except Exception as error:  # skops reads a foreign file: whatever it stumbles over means that it is none of ours
        raise ModelError(f"{path}: not a model file ({error}); {RETRAIN}") from error
    if unknown:
        raise ModelError(
            f"{path}: holds types that none of our models has ({', '.join(unknown)}); do not use this file"
        )
    try:
        payload = skops.io.loads(content, trusted=list(TRUSTED))
    except Exception as error:  # as above; another scikit-learn can fail in many ways
        raise ModelError(f"{path}: cannot be loaded with this scikit-learn ({error}); {RETRAIN}") from error
    if not isinstance(payload, dict) or set(payload) != {"forests", "reference"}:
        raise ModelError(f"{path}: does not hold forests; {RETRAIN}")
    return payload


def _check_fits(facts: ModelFacts, payload: Mapping[str, Any], path: Path) -> None:
    """Everything that predicting relies upon: shapes, and node tables that stay inside themselves."""
    for output, head in facts.heads.items():
        if head.forest not in payload["forests"]:
            raise ModelError(f"{path}: has no forest for {output}; {RETRAIN}")
        width = len(facts.inputs) + (head.mark is not None)
        for tree in payload["forests"][head.forest].estimators_:
            _check_nodes(tree.tree_, width, path)
    if payload["reference"].ndim != 2 or payload["reference"].shape[1] != len(facts.domain.columns):
        raise ModelError(f"{path}: its known programs do not fit {FACTS}; {RETRAIN}")


def _check_nodes(tree: Any, width: int, path: Path) -> None:
    import numpy as np

    nodes, count = tree.__getstate__()["nodes"], tree.node_count
    place, left, right = np.arange(count), nodes["left_child"], nodes["right_child"]
    is_leaf = left == -1
    inside = (left > place) & (left < count) & (right > place) & (right < count)
    inside &= (nodes["feature"] >= 0) & (nodes["feature"] < width)
    if tree.n_features != width or not np.all(is_leaf | inside):
        raise ModelError(f"{path}: a tree points outside of itself; do not use this file")
