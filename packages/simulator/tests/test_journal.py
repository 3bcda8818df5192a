"""A simulator with a journal goes on where the one before it ended."""

import asyncio
import json
import resource
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from msgspec.structs import replace

from millrace_matching import OrderType, Side
from millrace_simulator.config import default_config
from millrace_simulator.journal import Journal, JournalError
from millrace_simulator.server import Server, serve
from millrace_simulator.statistics import Interval
from millrace_simulator.venue import OrderRef, OrderRequest, OrderStatus, PublicTrade
from millrace_simulator.venue.order_lists import ListRequest
from millrace_simulator.venue.orders import OrderExpiry
from millrace_simulator.venue.past import KEPT_TRADES

CONFIG = replace(default_config(), symbols=default_config().symbols[:1], events_per_second=2_000)
SYMBOL = "BTCUSDT"
Start = Callable[[], Awaitable[tuple[Process, str]]]


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    """Start the simulator as a process, on this test's journal; return it and its address."""
    started: list[Process] = []
    options = ("--port", "0", "--events-per-second", "3000", "--journal", str(tmp_path / "journal"))

    async def start() -> tuple[Process, str]:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "millrace_simulator", *options, stdout=PIPE
        )
        started.append(process)
        assert process.stdout is not None
        return process, json.loads(await asyncio.wait_for(process.stdout.readline(), 30))["address"]

    yield start
    for process in started:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def trades(address: str) -> list[dict[str, Any]]:
    """The exchange's newest thousand trades."""
    params = {"symbol": SYMBOL, "limit": "1000"}
    async with ClientSession() as session, session.get(f"{address}/api/v3/trades", params=params) as response:
        found: list[dict[str, Any]] = await response.json()
    return found


async def test_trades_go_on_after_a_kill(start: Start) -> None:
    """Killed while it trades: every trade that a client saw is still there, and the next ones follow by number."""
    seen: dict[int, dict[str, Any]] = {}
    for _ in range(3):
        process, address = await start()
        before = len(seen)
        async with asyncio.timeout(60):
            while len(seen) < before + 30:
                found = {trade["id"]: trade for trade in await trades(address)}
                assert all(found.get(number, trade) == trade for number, trade in seen.items())
                seen |= found
                # Asked without a pause, the exchange would soon refuse.
                await asyncio.sleep(0.2)
        process.kill()
        await process.wait()
    assert sorted(seen) == list(range(min(seen), max(seen) + 1))


def place(server: Server, kind: OrderType, price: Decimal | None = None) -> int:
    """Place a buy of the demo's account; return its id."""
    request = OrderRequest(
        symbol=SYMBOL, side=Side.BUY, type=kind, quantity=Decimal("0.001"), price=price, client_order_id=f"mine-{kind}"
    )
    return server.venue.place(server.venue.account_by_key("demo-key"), request).order.order_id


async def test_accounts_go_on(tmp_path: Path) -> None:
    """Balances, orders and fills are as they were; open orders have ended, and what they held is free."""
    journal = tmp_path / "journal"
    async with await serve(CONFIG, drive_market=False, journal=journal) as server:
        account = server.venue.account_by_key("demo-key")
        filled = place(server, OrderType.MARKET)
        resting = place(server, OrderType.LIMIT, Decimal(90_000))
        fills = server.venue.own_trades(account, SYMBOL)
        totals = {b.asset: b.free + b.locked for b in account.balances}
        klines = server.venue.instrument(SYMBOL).statistics.klines(Interval.M1, limit=2)
        last_price = server.venue.instrument(SYMBOL).last_price
    async with await serve(CONFIG, drive_market=False, journal=journal) as server:
        venue, account = server.venue, server.venue.account_by_key("demo-key")
        assert venue.open_orders(account) == ()
        states = [venue.order(account, SYMBOL, OrderRef(number)).status for number in (filled, resting)]
        assert states == [OrderStatus.FILLED, OrderStatus.EXPIRED]
        assert venue.order(account, SYMBOL, OrderRef(client_order_id="mine-LIMIT")).order_id == resting
        assert venue.own_trades(account, SYMBOL) == fills
        assert {b.asset: b.free for b in account.balances} == totals
        assert not any(b.locked for b in account.balances)
        assert place(server, OrderType.LIMIT, Decimal(90_000)) > resting
        assert venue.instrument(SYMBOL).last_price == last_price
        again = venue.instrument(SYMBOL).statistics.klines(Interval.M1, limit=2)
        assert sum(k.volume for k in klines if k.trades) <= sum(k.volume for k in again)


async def test_order_lists_amendments_and_prevented_matches_go_on(tmp_path: Path) -> None:
    """A list of an earlier run is done, its orders have expired; ids continue."""
    journal = tmp_path / "journal"
    terms = {"symbol": SYMBOL, "quantity": Decimal("0.002")}
    buy = OrderRequest(side=Side.BUY, type=OrderType.LIMIT, price=Decimal(90_000), **terms)
    sell = OrderRequest(side=Side.SELL, type=OrderType.MARKET, **terms)
    async with await serve(CONFIG, drive_market=False, journal=journal) as server:
        account = server.venue.account_by_key("demo-key")
        placed = server.venue.place_list(account, ListRequest(symbol=SYMBOL, working=buy, orders=(sell,)))
        working, pending = (OrderRef(order_id) for order_id in placed.order_list.order_ids)
        server.venue.amend(account, SYMBOL, working, Decimal("0.001"))
        server.venue.cancel_all(account, SYMBOL)
        price = server.venue.instrument(SYMBOL).scale.price(server.venue.instrument(SYMBOL).book_ticker().bid + 1)
        for side in Side:
            server.venue.place(account, OrderRequest(side=side, type=OrderType.LIMIT, price=price, **terms))
        matches = server.venue.prevented_matches(account, SYMBOL)
        standing = server.venue.place_list(account, ListRequest(symbol=SYMBOL, working=buy, orders=(sell,)))
    async with await serve(CONFIG, drive_market=False, journal=journal) as server:
        account = server.venue.account_by_key("demo-key")
        assert [each.is_open for each in server.venue.order_lists(account)] == [False, False]
        last = server.venue.order(account, SYMBOL, OrderRef(standing.order_list.order_ids[1]))
        assert (last.status, last.expiry) == (OrderStatus.EXPIRED, OrderExpiry.EXCHANGE_CANCELED)
        assert server.venue.order(account, SYMBOL, pending).status is OrderStatus.CANCELED
        assert [each.quantity for each in server.venue.amendments(account, SYMBOL, working.order_id or 0)] == [
            Decimal("0.001")
        ]
        assert matches and server.venue.prevented_matches(account, SYMBOL) == matches
        again = server.venue.place_list(account, ListRequest(symbol=SYMBOL, working=buy, orders=(sell,)))
        assert again.order_list.list_id == standing.order_list.list_id + 1


async def test_half_a_line_at_the_end_is_as_if_never_written(tmp_path: Path) -> None:
    """A write that an end cut short takes nothing else with it; anything else that is not a record is an error."""
    journal = tmp_path / "journal"
    async with await serve(CONFIG, drive_market=False, journal=journal) as server:
        filled = place(server, OrderType.MARKET)
    with journal.open("ab") as file:
        file.write(b'{"trade":{"symb')
    async with await serve(CONFIG, drive_market=False, journal=journal) as server:
        account = server.venue.account_by_key("demo-key")
        assert server.venue.order(account, SYMBOL, OrderRef(filled)).status is OrderStatus.FILLED
    with journal.open("ab") as file:
        file.write(b"not a record\n")
    with pytest.raises(JournalError, match="remove the file"):
        await serve(CONFIG, drive_market=False, journal=journal)


def trade(number: int) -> PublicTrade:
    """A public trade."""
    return PublicTrade(SYMBOL, number, 100, 1, number, number, False, number, number)


def test_the_file_and_the_memory_hold_no_more_than_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is rewritten while it grows; whatever is in it when the simulator is killed is enough to go on."""
    monkeypatch.setattr("millrace_simulator.journal.REWRITE_AFTER", 1_000)
    path, last = tmp_path / "journal", KEPT_TRADES + 3_500
    journal, past = Journal.open(path, 0)
    for number in range(1, last + 1):
        journal.on_trade(trade(number))
    assert len(past.trades[SYMBOL]) == KEPT_TRADES
    assert path.read_bytes().count(b"\n") <= KEPT_TRADES + 1_001
    again, past = Journal.open(path, 0)
    assert list(past.trades[SYMBOL]) == [trade(number) for number in range(last - KEPT_TRADES + 1, last + 1)]
    for each in (journal, again):
        each.close()


def test_a_full_disk_leaves_no_half_a_line(tmp_path: Path) -> None:
    """Of a line that does not fit nothing stays; once there is room, the journal goes on and can be read."""
    path = tmp_path / "journal"
    journal, _ = Journal.open(path, 0)
    journal.on_trade(trade(1))
    whole = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    # The kernel then writes a part of the line, and refuses the rest, as on a full disk.
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(whole) + 20, limits[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            journal.on_trade(trade(2))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == whole
    journal.on_trade(trade(3))
    journal.close()
    journal, past = Journal.open(path, 0)
    journal.close()
    assert list(past.trades[SYMBOL]) == [trade(1), trade(3)]
