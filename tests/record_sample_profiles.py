"""Records the profiles of `sample_profiles/` again: `python tests/record_sample_profiles.py [NAME ...]`, as root.

`sample_profiles/README.md` says what each of them is and what this needs. Everything is in `tests/samples/`.
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(
        0, str(Path(__file__).resolve().parents[1])
    )  # a script's own folder is there, the checkout is not
    from tests.samples.record import main

    main()
