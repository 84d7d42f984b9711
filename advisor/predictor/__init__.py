"""Predictor: what huge pages would give a process, with an interval, or why that cannot be said.

In: the feature table, and the model file under `models/` that training left there. Out: for each row the gain of THP,
of a 2M pool and of a 1G pool over base pages as median, low and high, or the reason for abstaining. It knows no rule
and no training code, decides nothing, and imports scikit-learn only once a model is really loaded.
"""

from advisor.predictor.choice import Thresholds, preferred
from advisor.predictor.facts import LEVEL, MODEL_SCHEMA, OUTPUTS, ModelError, ModelFacts
from advisor.predictor.predict import Predictor
from advisor.predictor.store import load_predictor, model_digest, models_folder

__all__ = [
    "LEVEL",
    "MODEL_SCHEMA",
    "OUTPUTS",
    "ModelError",
    "ModelFacts",
    "Predictor",
    "Thresholds",
    "load_predictor",
    "model_digest",
    "models_folder",
    "preferred",
]
