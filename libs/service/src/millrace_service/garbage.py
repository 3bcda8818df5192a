"""What stands in a process for its whole life is not searched for garbage.

A whole search goes through every object there is, which takes 0.1 s in a process of 100 MB, and nothing else runs
meanwhile: one message in a few thousand waits that long.
"""

import asyncio
import gc
from typing import Final

SETTLED_AFTER_S: Final = (10.0, 60.0)
"""When a process has loaded what it needs: most have after the first, large exchanges after the second.

Later ones would add memory that is never given back: what is spared and ends in a cycle stays.
"""


def spare_what_stands() -> None:
    """Leave what stands when this process has settled out of all searches from then on. Call it within its loop."""
    loop = asyncio.get_running_loop()
    for after_s in SETTLED_AFTER_S:
        loop.call_later(after_s, gc.freeze)
