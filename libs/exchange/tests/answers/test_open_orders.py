"""A list of open orders is read to its end, on each exchange, or known to be a part."""

import json
import re
from collections.abc import Callable
from typing import Any, Final

import pytest
from libs.exchange.tests.answers.conftest import Account
from libs.exchange.tests.answers.records import ID, RECORDS, TIME_MS, Records
from libs.exchange.tests.answers.reply import Reply
from libs.exchange.tests.answers.server import ScriptedServer
from libs.exchange.tests.answers.test_cancel_all import Okx
from libs.exchange.tests.answers.test_faulty_answers import EXCHANGES

from millrace_exchange import IncompleteList

PAGES: Final = {
    "bitget": (100, "idLessThan"),
    "bybit": (20, "cursor"),
    "coinbase": (100, "cursor"),
    "gate": (100, "page"),
    "htx": (100, "from"),
    "kucoin classic": (50, "endAt"),
    "kucoinfutures": (50, "endAt"),
    "okx": (100, "after"),
}
"""Orders that one answer holds unless more are asked for, and the parameter of the next; the others give all."""
CURSORS: Final = {"bybit": ("list", "nextPageCursor"), "coinbase": ("orders", "cursor")}
MANY: Final = 230


class Listing:
    """An account with many open orders, numbered by their times."""

    def __init__(self, place: str, symbol: str) -> None:
        self._place = place
        self._records = RECORDS[place.partition(" ")[0]]
        self._symbol = symbol
        self.ids = [70_000_001 + number for number in range(MANY)]

    def answer(self, request: bytes) -> Reply:
        """Answer one question, newest orders first."""
        size, parameter = PAGES.get(self._place, (MANY, ""))
        named = re.search(rb"[?&]%b=(\d+)" % parameter.encode(), request)
        asked = re.search(rb"[?&]limit=(\d+)", request)
        size = int(asked[1]) if asked else size
        rows, at = self.ids[::-1], 0 if named is None else int(named[1])
        if parameter == "page":
            rows = rows[(max(at, 1) - 1) * size :]
        elif parameter == "cursor":
            rows = rows[at:]
        elif parameter == "endAt" and at:
            rows = [each for each in rows if self._ms(each) <= at]
        elif at:
            rows = [each for each in rows if each < at]
        left, shown = rows[size:], rows[:size]
        text = self._wrapped().replace('"ROW"', ", ".join(map(self._row, shown)))
        if self._place in CURSORS:
            rows_in, cursor = CURSORS[self._place]
            text = text.replace(f'"{rows_in}": [', f'"{cursor}": "{at + size if left else ""}", "{rows_in}": [')
        return Reply(text.encode())

    def _wrapped(self) -> str:
        records: Records = self._records
        # An account of the older kind has its orders in pages.
        wrap = records.trades if self._place == "kucoin classic" else records.several
        return json.dumps(wrap("ROW")).replace(f'"{ID}": "ROW"', '"ROW"')

    def _row(self, order_id: int) -> str:
        text = json.dumps(self._records.order).replace(ID, str(order_id)).replace("OURS", str(order_id))
        text = text.replace(str(TIME_MS), str(self._ms(order_id)))
        return f'"{order_id}": {text}' if self._place == "kraken" else text

    @staticmethod
    def _ms(order_id: int) -> int:
        return TIME_MS + (order_id - int(ID)) * 1_000


@pytest.mark.parametrize("place", [*EXCHANGES, "kucoin classic"])
async def test_all_open_orders_are_listed(
    place: str, server: ScriptedServer, account: Callable[[str], Account]
) -> None:
    """However many one answer holds."""
    ours = account(place.removesuffix(" classic"))
    ours.ccxt.options["hf"] = place == "kucoin"
    if place == "hyperliquid":
        ours.ccxt.set_markets([ours.market(ours.symbol, "@1")])
    await ours.fresh()
    listing = Listing(place, ours.symbol)
    server.answer = listing.answer
    found = await ours.fetch_open_orders(ours.symbol)
    assert sorted(int(order.id) for order in found) == listing.ids


async def test_a_page_that_moved_meanwhile_is_read_again(
    server: ScriptedServer, account: Callable[[str], Account]
) -> None:
    """Gate counts pages: an order that ends on the first one moves the others, and one is on neither."""
    ours = account("gate")
    listing = Listing("gate", ours.symbol)
    newest = listing.ids[-1]

    def answer(request: bytes) -> Reply:
        reply = listing.answer(request)
        if newest in listing.ids:
            listing.ids.remove(newest)
        return reply

    server.answer = answer
    found = await ours.fetch_open_orders(ours.symbol)
    assert sorted(int(order.id) for order in found) == listing.ids


async def test_an_account_of_several_kinds_of_markets_is_asked_for_each(
    server: ScriptedServer, account: Callable[[str], Account]
) -> None:
    """Bybit lists one kind at a time; ccxt asks for contracts alone."""
    ours = account("bybit")
    server.reply = Reply(b'{"retCode":0,"result":{"list":[],"nextPageCursor":""}}')
    assert await ours.fetch_open_orders() == []
    asked = [dict(re.findall(rb"(category|settleCoin)=(\w+)", request)) for request in server.requests]
    assert asked == [
        {b"category": b"spot"},
        {b"category": b"linear", b"settleCoin": b"USDT"},
        {b"category": b"linear", b"settleCoin": b"USDC"},
    ]


async def test_a_list_of_which_nothing_shows_that_it_is_all_is_a_part(
    server: ScriptedServer, account: Callable[[str], Account], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no profile says how many an answer holds, and where the exchange repeats its first page."""
    ours = account("binanceus")
    rows: list[Any] = [{**RECORDS["binance"].order, "orderId": number} for number in range(1, 21)]
    for listed, is_all in ((rows, False), (rows[:19], True)):
        server.reply = Reply(json.dumps(listed).encode())
        try:
            assert len(await ours.fetch_open_orders(ours.symbol)) == 19
        except IncompleteList as cut:
            assert len(cut.rows) == 20
            assert not is_all
        else:
            assert is_all
    venue = Okx(count=300)
    monkeypatch.setattr(venue, "after", lambda _: venue.open)
    server.answer = venue.answer
    with pytest.raises(IncompleteList):
        await account("okx").fetch_open_orders("BTC/USDT")
