"""How the shipped model is built: what the evaluation on unseen families spoke for."""

from __future__ import annotations

from advisor.training.fit import Settings

SHIPPED = Settings(groups=("passive",), layout="separate")
