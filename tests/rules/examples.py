"""One firing example and at least one near miss for every rule."""

from __future__ import annotations

from tests.rules.application_examples import APPLICATIONS
from tests.rules.host_examples import HOST_RULES, LIMITS
from tests.rules.pool_examples import GIGANTIC, POOLS, SHARED_MEMORY, VIRTUAL_MACHINES
from tests.rules.process_examples import ANONYMOUS, ELIGIBILITY, PROCESS
from tests.rules.rows import Example

EXAMPLES: dict[str, Example] = {
    **PROCESS,
    **ANONYMOUS,
    **ELIGIBILITY,
    **APPLICATIONS,
    **SHARED_MEMORY,
    **POOLS,
    **VIRTUAL_MACHINES,
    **GIGANTIC,
    **HOST_RULES,
    **LIMITS,
}
