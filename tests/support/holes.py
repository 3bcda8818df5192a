"""Gaps made on purpose: entries are removed from journals before dbsync has read them."""

from random import Random

from tests.support.comparison import Gap
from tests.support.databases import AWAY, Database
from tests.support.platform import Platform, until
from tests.support.recording import Recording

from millrace_core.ids import MessageId

_UNREAD = {
    "stream.PUBLIC.binance.watchOrderBook.BTC/USDT": 60,
    "stream.PUBLIC.binance.watchOrderBook.ETH/BTC": 60,
    "stream.PUBLIC.binance.watchTrades.BTC/USDT": 40,
    "stream.PUBLIC.binance.watchTicker.SOL/USDT": 5,
    "stream.StrankaXY.binance.watchOrders.KCS/USDT": 5,
    "stream.StrankaXY.binance.createOrder.XRP/USDT": 4,
}
"""Journals that are broken into, and how much must wait in them first."""
_TRIMMED = "stream.PUBLIC.binance.watchTrades.ETH/USDT"
"""The one that loses all its oldest entries, read or not, as too short a retention makes it."""
_LONGEST = 9


class Holes:
    """Breaks into journals of which dbsync, which does not run, has yet to read the rest."""

    def __init__(self, platform: Platform, recorded: Recording, random: Random) -> None:
        self._platform, self._recorded, self._random = platform, recorded, random
        self.made: list[Gap] = []

    async def wait(self, database: Database) -> None:
        """Wait until something of each journal is stored: what was gone before that is another matter."""

        async def all_known() -> bool:
            return {*_UNREAD, _TRIMMED} <= (await _positions(database)).keys()

        await until(all_known, "something of every journal is stored", 60, self._platform)

    async def make(self, database: Database) -> None:
        """Delete runs of unread entries here and there, and trim one journal beyond what was read."""
        positions = await _positions(database)
        for name, few in _UNREAD.items():
            await self._delete(name, await self._unread(name, positions[name], few))
        await self._trim(_TRIMMED, await self._unread(_TRIMMED, positions[_TRIMMED], 20))
        self.made.sort()

    async def _unread(self, name: str, position: MessageId, few: int) -> list[MessageId]:
        """Wait until enough entries are unread and recorded; return their ids."""

        async def waiting() -> list[MessageId] | None:
            seen = self._recorded.journals.get(name, {})
            unread = sorted(id_ for id_ in seen if id_ > position)
            return unread if len(unread) >= few else None

        found: list[MessageId] = await until(waiting, f"{few} entries wait on {name}", 60, self._platform)
        assert {id_.epoch for id_ in found} == {position.epoch}, "nobody was to begin a new epoch"
        return found

    async def _delete(self, name: str, unread: list[MessageId]) -> None:
        """Delete runs that do not touch; the last entry stays, so that the gap before it can be detected."""
        at = self._random.randrange(2)
        while at < len(unread) - 1:
            run = unread[at : min(at + self._random.randint(1, _LONGEST), len(unread) - 1)]
            assert await self._platform.redis.xdel(name, *map(str, run)) == len(run)
            self._made(name, run)
            at += len(run) + self._random.randint(1, 15)

    async def _trim(self, name: str, unread: list[MessageId]) -> None:
        first_kept = self._random.randrange(1, len(unread))
        await self._platform.redis.xtrim(name, minid=str(unread[first_kept]), approximate=False)
        self._made(name, unread[:first_kept])

    def _made(self, name: str, run: list[MessageId]) -> None:
        self.made.append(Gap(name, run[0].epoch, run[0].seq, run[-1].seq, len(run)))


async def _positions(database: Database) -> dict[str, MessageId]:
    try:
        rows = await database.fetch("SELECT name, position_epoch, position_seq FROM streams WHERE messages > 0")
    except AWAY:
        return {}
    return {name: MessageId(epoch, seq) for name, epoch, seq in rows}
