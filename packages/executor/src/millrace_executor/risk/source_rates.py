"""How often each order source asks for orders, whatever becomes of them: to notice one that runs away."""

from collections import OrderedDict, deque
from typing import Final

MINUTE_MS: Final = 60_000


class SourceRates:
    """When each source asked for its latest orders and edits."""

    def __init__(self) -> None:
        self._asked_ms: OrderedDict[str, deque[int]] = OrderedDict()
        """The source that asked last is last."""

    def is_beyond(self, source: str, limit: int, elapsed_ms: int) -> bool:
        """Count a request; tell whether its source asked for more than `limit` within a minute, and begin anew then."""
        asked = self._asked_ms.pop(source, None)
        self._forget(elapsed_ms)
        if asked is None or asked.maxlen != limit:
            asked = deque(asked or (), maxlen=limit)
        if len(asked) == limit and asked[0] > elapsed_ms - MINUTE_MS:
            return True
        asked.append(elapsed_ms)
        self._asked_ms[source] = asked
        return False

    def _forget(self, elapsed_ms: int) -> None:
        """Forget the sources that have asked for nothing lately: anybody may name one."""
        while self._asked_ms and next(iter(self._asked_ms.values()))[-1] <= elapsed_ms - MINUTE_MS:
            self._asked_ms.popitem(last=False)
