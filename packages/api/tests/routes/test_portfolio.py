"""Positions, profit and equity over HTTP."""

from decimal import Decimal
from typing import Any

import pytest_asyncio

from millrace_core.clock import now_ms
from millrace_core.ids import MessageId
from millrace_core.intervals import Interval
from millrace_core.market import Balance, Fee, Trade
from millrace_core.messages import Response
from millrace_core.names import Action, ExchangeId, StreamName, Symbol, Tenant
from millrace_core.orders import Order
from millrace_core.trace import Trace
from millrace_store import Place

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
QUARTER = Interval(months=3)


def _name(tenant: Tenant, action: str, symbol: str | None = "KCS/USDT") -> str:
    of = None if symbol is None else Symbol(symbol)
    return str(StreamName(tenant, ExchangeId("kucoin"), Action(action), of))


@pytest_asyncio.fixture(loop_scope="session")
async def traded(api: Any, tenant: Tenant) -> int:
    """Store fills of a strategy and one of no known request, and balances; return the day of the first."""
    day = now_ms() // DAY_MS * DAY_MS - 2 * DAY_MS
    fills = [("A", day, "buy", 10.0), ("A", day + HOUR_MS, "sell", 12.5), ("x", day + DAY_MS, "buy", 9.0)]
    start = now_ms() - 150_000
    async with api.store.batch() as batch:
        for seq, (order, at_ms, side, price) in enumerate(fills, 1):
            fee = Fee("USDT", 0.25)
            trade = Trade(str(seq), at_ms, "KCS/USDT", side, price, 2.0, order=order, fee=fee)
            batch.own_trades(Place(_name(tenant, "watchMyTrades"), MessageId(1, seq), at_ms), [trade])
        answer = Response("ab" * 16, "done", Order("A", "KCS/USDT"), "A")
        batch.response(Place(_name(tenant, "createOrder"), MessageId(1, 1), day), answer, Trace())
        held = {"USDT": Balance(total=7.5), "ODD": Balance(total=1.0)}
        batch.balances(Place(_name(tenant, "watchBalance", None), MessageId(1, 1), start), held)
    await api.store.maintain(currencies={tenant: "USDT"})
    return day


async def test_positions_are_decimals_in_text(admin: Any, traded: int) -> None:
    """Each strategy apart, and those of no known request with null."""
    items = (await admin.get("/api/v1/positions")).json()["items"]
    assert [(row["orderSource"], row["quantity"], row["cost"], row["realised"]) for row in items] == [
        (None, "2", "18", "-0.25"),
        ("A", "0", "0", "4.5"),
    ]
    assert items[1]["feesByCurrency"] == {"USDT": "0.5"}
    found = await admin.get("/api/v1/positions", params={"source": ["", "B"], "open": "true", "limit": 1})
    assert [row["orderSource"] for row in found.json()["items"]] == [None]


async def test_profit_is_of_any_strategies_together_or_apart(admin: Any, traded: int) -> None:
    """Summed, by source, by day; a range that is no whole hours is told so."""

    async def ask(**params: Any) -> list[tuple[Any, ...]]:
        found = await admin.get("/api/v1/pnl", params=params)
        assert found.status_code == 200, found.text
        return [(row["atMs"], row["orderSource"], row["realised"]) for row in found.json()["items"]]

    assert await ask() == [(0, None, "4.25")]
    assert await ask(source=["A", ""], by=["source", "symbol"]) == [(0, None, "-0.25"), (0, "A", "4.5")]
    assert await ask(interval="1d") == [(traded, None, "4.5"), (traded + DAY_MS, None, "-0.25")]
    quarters = await ask(interval="3M")
    assert sum(Decimal(realised) for _, _, realised in quarters) == Decimal("4.25")
    assert {at_ms for at_ms, _, _ in quarters} == {QUARTER.open_of(at_ms) for at_ms in (traded, traded + DAY_MS)}
    assert await ask(since=traded + HOUR_MS, until=traded + DAY_MS) == [(traded + HOUR_MS, None, "4.75")]
    refused = await admin.get("/api/v1/pnl", params={"interval": "90s"})
    assert refused.status_code == 422
    assert "whole hours" in refused.json()["detail"]


async def test_equity_of_months_is_the_last_sample_of_each(admin: Any, traded: int) -> None:
    """Samples within a month are one row, the newest."""
    samples = [row["atMs"] for row in (await admin.get("/api/v1/equity")).json()["items"]]
    found = (await admin.get("/api/v1/equity", params={"interval": "3M"})).json()["items"]
    assert [row["atMs"] for row in found] == list({QUARTER.open_of(at_ms): at_ms for at_ms in samples}.values())


async def test_equity_lists_what_has_no_value(admin: Any, traded: int) -> None:
    """The value of the rest is a decimal in text; the newest sample comes first where asked."""
    page = (await admin.get("/api/v1/equity", params={"limit": 1, "descending": "true", "holdings": "true"})).json()
    (sample,) = page["items"]
    assert (sample["value"], sample["currency"], sample["byExchange"]) == ("7.5", "USDT", {"kucoin": "7.5"})
    assert [one["currency"] for one in sample["unvalued"]] == ["ODD"]
    assert [one["currency"] for one in sample["holdings"]] == ["ODD", "USDT"]
    older = await admin.get("/api/v1/equity", params={"descending": "true", "cursor": page["next_cursor"]})
    assert older.json()["items"][0]["atMs"] < sample["atMs"]
    assert older.json()["items"][0]["holdings"] is None


async def test_a_second_tenant_sees_nothing(api: Any, other: Tenant, tenant: Tenant, traded: int) -> None:
    """Neither by its own name nor by the first one's."""
    async with api.client(await api.token(other)) as stranger:
        for path in ("/api/v1/positions", "/api/v1/pnl", "/api/v1/equity"):
            assert (await stranger.get(path)).json()["items"] == []
            assert (await stranger.get(path, params={"tenant": tenant})).status_code == 403
