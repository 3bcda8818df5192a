"""What the candle chart asks the API for: candles where no stream has them, and own fills. Each asks for news only."""

from collections.abc import Sequence

from millrace_console.accounts import Account
from millrace_console.markets import Market
from millrace_console.pages.market.candles import INTERVALS, KEPT
from millrace_console.pages.market.fills import Fill
from millrace_console.polling import Poll
from millrace_core.market import Candle

_MOST_FILLS = 2_000


class BuiltCandles:
    """Candles that the API builds from stored trades."""

    def __init__(self, account: Account, market: Market, interval: str) -> None:
        self._account, self._market, self._interval = account, market, interval
        self.candles: dict[int, Candle] = {}

    async def refresh(self, poll: Poll) -> None:
        """Ask for the last candle, which still changes, and those after it.

        Raises:
            ApiError: it was not answered.
        """
        since = max(self.candles, default=poll.at_ms - KEPT * INTERVALS[self._interval])
        answer = await poll.get(
            self._account,
            "/candles",
            tenant=self._market.tenant,
            exchange=self._market.exchange,
            symbol=self._market.symbol,
            interval=self._interval,
            since=since,
            limit=2 * KEPT,
        )
        for each in answer["items"]:
            numbers = (float(each[name]) for name in ("open", "high", "low", "close", "volume"))
            self.candles[each["atMs"]] = (each["atMs"], *numbers)
        for at in sorted(self.candles)[:-KEPT]:
            del self.candles[at]


class OwnFills:
    """The chosen accounts' own trades in one market."""

    def __init__(self, accounts: Sequence[Account], market: Market) -> None:
        self._accounts, self._market = accounts, market
        self._since: dict[str, int] = {}
        self._found: dict[tuple[str, str], Fill] = {}
        """By tenant and the trade's message and id: the newest moment is asked for again, and may hold more by now."""

    @property
    def fills(self) -> list[Fill]:
        """All that is known."""
        return list(self._found.values())

    async def refresh(self, poll: Poll, from_ms: int) -> None:
        """Ask for the fills since the newest that is known, at first since `from_ms`.

        Raises:
            ApiError: it was not answered.
        """
        for account in self._accounts:
            since = max(from_ms, self._since.get(account.tenant, 0))
            answer = await poll.get(
                account,
                "/own-trades",
                exchange=self._market.exchange,
                symbol=self._market.symbol,
                since=since,
                limit=_MOST_FILLS,
            )
            for each in reversed(answer["items"]):
                self._found[account.tenant, f"{each['messageId']} {each['id']}"] = Fill.of(each)
                self._since[account.tenant] = max(self._since.get(account.tenant, 0), each["atMs"])
        for key in list(self._found)[:-_MOST_FILLS]:
            del self._found[key]
