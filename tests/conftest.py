"""One profile for the property tests: the same examples on every machine, so that a green run stays green.

`HYPOTHESIS_PROFILE=search python -m pytest` looks for new ones, as long as you like with `HYPOTHESIS_EXAMPLES=5000`.
"""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("steady", derandomize=True, deadline=None, database=None)
settings.register_profile("search", deadline=None, max_examples=int(os.environ.get("HYPOTHESIS_EXAMPLES", "500")))
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))
