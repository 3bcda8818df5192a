"""How often Python looks for garbage in a process that handles tens of thousands of objects at a time."""

import gc
from typing import Final

_COLLECT_AFTER: Final = 100_000


def collect_seldom() -> None:
    """Let many more objects come before Python looks for cycles among them.

    A haul is tens of thousands of objects that hold no cycles and die together: looking through them as often as
    Python does by itself takes a third of the time.
    """
    gc.set_threshold(_COLLECT_AFTER)
