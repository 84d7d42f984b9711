"""Recommendation: the only place where rules and prediction meet; one decision a process, then the host's
plan.

In: the feature frame of one host. Out: `ProcessAdvice` for every row and one `Plan`. Rules permit, the
decision chooses, the plan adds up; each keeps its reasons and what speaks against the others. It reads no
file and renders nothing.
"""

from advisor.recommendation.advise import decisions, recommend
from advisor.recommendation.decide import decide
from advisor.recommendation.gains import Predicted
from advisor.recommendation.gigantic import gigantic_verdict
from advisor.recommendation.model import (
    Alternative,
    Gain,
    MemoryState,
    Plan,
    PoolPlan,
    ProcessAdvice,
    Reason,
    Recommendation,
    ThpPlan,
)
from advisor.recommendation.plan import make_plan
from advisor.recommendation.setup import Setup, StartedAs
from advisor.recommendation.wishes import NO_WISHES, Wish, Wishes

__all__ = [
    "NO_WISHES",
    "Alternative",
    "Gain",
    "MemoryState",
    "Plan",
    "PoolPlan",
    "Predicted",
    "ProcessAdvice",
    "Reason",
    "Recommendation",
    "Setup",
    "StartedAs",
    "ThpPlan",
    "Wish",
    "Wishes",
    "decide",
    "decisions",
    "gigantic_verdict",
    "make_plan",
    "recommend",
]
