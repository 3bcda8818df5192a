"""How soon something has to happen in a test."""

import os
from typing import Final

BUSY: Final = 1.0 if os.environ.get("MILLRACE_TEST_PROMPT") else 10.0
"""What time a test that runs beside others is given for each second of a promise; that it takes it is no defect."""


def prompt(seconds: float) -> float:
    """Return the time, in s, within which something promised within `seconds` has to happen here.

    With `MILLRACE_TEST_PROMPT=1`, on a machine that does nothing else, the promise is taken at its word.
    """
    return seconds * BUSY
