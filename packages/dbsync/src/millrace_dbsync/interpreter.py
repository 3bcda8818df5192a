"""How Python runs in a process that handles tens of thousands of messages at a time."""

import gc
import sys
from typing import Final

_COLLECT_AFTER: Final = 100_000
_SWITCH_EVERY_S: Final = 0.0005


def suit_bulk() -> None:
    """Let many more objects come before Python looks for cycles among them, and let threads take turns sooner.

    A haul is tens of thousands of objects that hold no cycles and die together: looking through them as often as
    Python does by itself takes a third of the time. And what writes to SQLite would wait 5 ms for its turn after each
    statement, which is longer than most statements take.
    """
    gc.set_threshold(_COLLECT_AFTER)
    sys.setswitchinterval(_SWITCH_EVERY_S)
