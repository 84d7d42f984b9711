"""Numbers in the sentences of a trial."""

from __future__ import annotations


def percent(share: float, *, signed: bool = False) -> str:
    """A share as people read it, two digits below ten: 2.6 %, 38 %, signed +38 %."""
    sign = "+" if signed else ""
    form = f"{sign}.2g" if abs(share) < 0.1 else f"{sign}.0f"
    return f"{share * 100:{form}} %"
