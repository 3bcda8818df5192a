"""Answers to requests to trade that say that nothing was done, read from the journals, each once."""

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

import msgspec

from millrace_alerts.memory import Memory
from millrace_bus import Journals
from millrace_core.errors import InvalidMessage, InvalidName
from millrace_core.ids import BEGINNING, MessageId
from millrace_core.json_problems import UNREADABLE
from millrace_core.messages import Response, decode
from millrace_core.names import StreamName, Tenant

NOT_FAILED: Final = frozenset({"done", "unknown"})
"""`unknown` is provisional: a later answer settles it."""
PAGE: Final = 1_000
LOOK_FOR_JOURNALS_EVERY: Final = 5
"""Looks at answers between two looks for new journals."""

_RESPONSE = msgspec.json.Decoder(Response)


class FailedAnswer(NamedTuple):
    """An execution that failed."""

    tenant: Tenant
    text: str


class FailedAnswers:
    """Reads on from where it was, also after a restart."""

    def __init__(self, journals: Journals, memory: Memory) -> None:
        self._journals = journals
        self._memory = memory
        self._names: list[str] = []
        self._looks = 0

    async def new(self) -> list[FailedAnswer]:
        """Return the failed executions since this was last called; those of the past are not told the first time."""
        positions = await self._positions()
        found: list[FailedAnswer] = []
        while pages := await self._journals.read(
            {name: MessageId.parse(positions.get(name, str(BEGINNING))) for name in self._names}, most=PAGE
        ):
            for name, page in pages.items():
                found += _failed(StreamName.parse(name), page.bodies)
                positions[name] = str(page.last)
        return found

    async def _positions(self) -> dict[str, str]:
        """Return the remembered positions, to be moved on; from time to time, look for journals before."""
        if self._memory.positions is None or self._looks % LOOK_FOR_JOURNALS_EVERY == 0:
            self._memory.positions = await self._found(self._memory.positions)
        self._looks += 1
        return self._memory.positions

    async def _found(self, known: dict[str, str] | None) -> dict[str, str]:
        """Return the positions in the journals that there are; the first time, those of their ends."""
        self._names = [name for name in await self._journals.names() if _has_answers(name)]
        if known is None:
            extents = await self._journals.extents(self._names)
            return {name: str(extent.newest) for name, extent in extents.items()}
        return {name: known[name] for name in self._names if name in known}


def _has_answers(name: str) -> bool:
    try:
        return StreamName.parse(name).has_answers
    except InvalidName:
        return False


def _failed(stream: StreamName, bodies: Iterable[bytes | None]) -> Iterator[FailedAnswer]:
    for body in bodies:
        answer = None if body is None else _answer(body)
        if answer is not None and answer.status not in NOT_FAILED:
            yield FailedAnswer(stream.tenant, _text(stream, answer))


def _answer(body: bytes) -> Response | None:
    try:
        message = decode(body)
        return _RESPONSE.decode(message.data) if message.type == "response" else None
    except (InvalidMessage, *UNREADABLE):
        return None


def _text(stream: StreamName, answer: Response) -> str:
    where = f"{stream.tenant}: {stream.action} on {stream.exchange}" + (f", {stream.symbol}" if stream.symbol else "")
    by = f", by {answer.order_source}" if answer.order_source else ""
    why = f": {answer.error.kind}: {answer.error.message}" if answer.error else ""
    return f"{where}{by}: {answer.status}{why}"
