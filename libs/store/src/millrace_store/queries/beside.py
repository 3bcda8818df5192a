"""Work on many rows beside the event loop: in one thread, which often lets the process's others have their turn."""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_THREAD: Final = ThreadPoolExecutor(1, thread_name_prefix="rows")
_ROWS_A_TURN: Final = 200
"""Half a millisecond of work, after which other threads of the process have their turn."""
_TURN_S: Final = 0.001


async def beside(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return the outcome of work that is done in the thread."""
    return await asyncio.get_running_loop().run_in_executor(_THREAD, lambda: work(*args, **kwargs))


def turns(rows: Sequence[T]) -> Iterator[Sequence[T]]:
    """Yield rows part by part, with a pause after each."""
    for at in range(0, len(rows), _ROWS_A_TURN):
        if at:
            # Otherwise the event loop would wait for the interpreter's lock again and again.
            time.sleep(_TURN_S)
        yield rows[at : at + _ROWS_A_TURN]
