"""Own fills of a market, as the API lists them: newest first."""

from typing import Any, cast

import pytest

from millrace_console.accounts import Account
from millrace_console.markets import Market
from millrace_console.pages.market import history
from millrace_console.polling import Poll


class _Listing:
    """Answers `/own-trades` as the API does."""

    def __init__(self, count: int) -> None:
        self.count = count

    async def get(self, _account: Account, _path: str, *, since: int, limit: int, **_query: Any) -> Any:
        found = [
            {"messageId": "1-1", "id": str(at), "atMs": at, "side": "buy", "price": "1", "amount": "1"}
            for at in range(self.count, max(since, 1) - 1, -1)
        ]
        return {"items": found[:limit]}


async def test_of_too_many_fills_the_newest_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also those that came with the first answer."""
    monkeypatch.setattr(history, "_MOST_FILLS", 5)
    listing, market = _Listing(5), Market.parse("A.binance.KCS/USDT")
    assert market is not None
    own = history.OwnFills([Account("A", "x", "read", is_operator=False, token="")], market)
    await own.refresh(cast(Poll, listing), 0)
    listing.count = 7
    await own.refresh(cast(Poll, listing), 0)
    assert [fill.at_ms for fill in own.fills] == [3, 4, 5, 6, 7]
