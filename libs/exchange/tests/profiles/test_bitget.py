"""Bitget's own way."""

import asyncio
import zlib
from collections.abc import Callable
from typing import Any

import pytest

CLIENT_ORDER_ID_FORM = r".{1,40}"
EDIT_PARAMETER = "clientOid"


async def test_an_edit_names_the_order_that_it_replaces(recorded: Callable[..., Any]) -> None:
    """Bitget places a new order; our id is that of the old one."""
    exchange = recorded("bitget")
    await exchange.ccxt.edit_order("1", exchange.symbol, "limit", "buy", 1.0, 10.0, exchange.params)
    [(path, sent)] = exchange.sent
    assert path.endswith("cancel-replace-order")
    assert sent["clientOid"] == exchange.client_order_id


@pytest.mark.parametrize(("stale", "errors"), [(False, []), (True, ["ChecksumError"])])
async def test_ccxt_compares_the_checksum(
    stale: bool, errors: list[str], recorded: Callable[..., Any], socket: Any
) -> None:
    """The books are checked: a wrong checksum breaks one, the right one does not."""
    exchange = recorded("bitget")

    async def unsubscribe(_symbol: str) -> None:
        """Stand for the request that ends the subscription."""

    exchange.ccxt.un_watch_order_book = unsubscribe
    exchange.ccxt.asyncio_loop = asyncio.get_running_loop()
    checksum = zlib.crc32(b"100.5:0.25:101.0:1")
    signed = checksum - 2**32 if checksum >= 2**31 else checksum
    book = {"bids": [["100.5", "0.25"]], "asks": [["101.0", "1"]], "checksum": signed + stale, "ts": "1"}
    argument = {"instType": "SPOT", "channel": "books", "instId": "BTCUSDT"}
    exchange.ccxt.handle_order_book(socket, {"action": "update", "arg": argument, "data": [book], "ts": 1})
    await asyncio.gather(*(asyncio.all_tasks() - {asyncio.current_task()}))
    assert socket.errors == errors
