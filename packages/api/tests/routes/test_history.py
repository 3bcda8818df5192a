"""History over HTTP: what was stored comes back, page by page, exactly."""

import csv
import io
from typing import Any

import polars
import pytest
import pytest_asyncio

from millrace_core.book import OrderBook
from millrace_core.ids import MessageId
from millrace_core.market import BookSnapshot
from millrace_core.messages import RequestError, Response, encode
from millrace_core.names import PUBLIC, Action, ExchangeId, StreamName, Symbol, Tenant
from millrace_core.trace import Trace
from millrace_store import Place

START_MS = 1_769_860_800_000


def _name(tenant: Tenant, action: str) -> StreamName:
    return StreamName(tenant, ExchangeId("kucoin"), Action(action), Symbol("KCS/USDT"))


@pytest_asyncio.fixture(loop_scope="session")
async def trades(api: Any, tenant: Any, place: Any, trade: Any) -> int:
    """Store 95 trades, one a second; and one of PUBLIC."""
    async with api.store.batch() as batch:
        for number in range(95):
            at_ms = START_MS + 1_000 * number
            batch.trades(place(_name(tenant, "watchTrades"), at_ms), [trade(number, at_ms)])
        batch.trades(place(_name(PUBLIC, "watchTrades"), START_MS), [trade(1, START_MS)])
    return 95


async def test_pages_return_every_row_once(admin: Any, trades: int) -> None:
    """Following next_cursor to its end returns all rows in order, none twice."""
    found, params = [], {"limit": 10}
    while True:
        page = (await admin.get("/api/v1/trades", params=params)).json()
        found += [row["id"] for row in page["items"]]
        if page["next_cursor"] is None:
            break
        params["cursor"] = page["next_cursor"]
    assert found == [str(number) for number in range(trades)]


async def test_times_are_iso_or_ms(admin: Any, trades: int) -> None:
    """Both forms mean the same moment; `since` is inclusive and `until` is not."""
    ms = await admin.get("/api/v1/trades", params={"since": START_MS + 5_000, "until": START_MS + 7_000})
    iso = await admin.get("/api/v1/trades", params={"since": "2026-01-31T12:00:05Z", "until": "2026-01-31T12:00:07Z"})
    assert [row["id"] for row in ms.json()["items"]] == ["5", "6"]
    assert ms.json() == iso.json()
    assert ms.json()["items"][0]["price"] == "10.5"


async def test_public_feeds_are_read_by_every_tenant(admin: Any, trades: int) -> None:
    """`tenant=PUBLIC` returns what all tenants share."""
    found = await admin.get("/api/v1/trades", params={"tenant": "PUBLIC", "exchange": "kucoin"})
    assert [row["id"] for row in found.json()["items"]] == ["1"]


async def test_candles_are_built_from_trades_at_any_interval(admin: Any, trades: int) -> None:
    """Each holds exactly the trades of its interval."""
    where = {"exchange": "kucoin", "symbol": "KCS/USDT"}
    found = await admin.get("/api/v1/candles", params={**where, "interval": "30s"})
    assert [row["trades"] for row in found.json()["items"]] == [30, 30, 30, 5]
    missing = await admin.get("/api/v1/candles", params={"interval": "30s"})
    assert "set exchange and symbol" in missing.json()["detail"]


async def test_candles_of_months_open_on_the_first(admin: Any, trades: int) -> None:
    """All trades are of 31 January 2026; a quarter opens on 1 January too."""
    for interval in ("1M", "3M"):
        params = {"exchange": "kucoin", "symbol": "KCS/USDT", "interval": interval}
        found = (await admin.get("/api/v1/candles", params=params)).json()
        assert [(row["atMs"], row["trades"]) for row in found["items"]] == [(1_767_225_600_000, 95)]
        assert found["next_cursor"] is None
    assert (await admin.get("/api/v1/candles", params=params | {"interval": "13M"})).status_code == 422
    assert (await admin.get("/api/v1/candles", params=params | {"timeframe": "1M"})).status_code == 422


async def test_a_book_is_given_as_of_a_moment(api: Any, admin: Any, tenant: Any) -> None:
    """Snapshot plus deltas up to then; before anything was stored it is 404 with the reason."""
    name, book = _name(tenant, "watchOrderBook"), OrderBook()
    book.apply([(10.0, 1.0), (9.0, 1.0)], [(11.0, 1.0)], 5)
    epoch = 1_700_000_000_000
    snapshot = BookSnapshot(book.bids.levels(), book.asks.levels(), f"{epoch}-0", book.checksum(), 5)
    async with api.store.batch() as batch:
        batch.snapshot(
            Place(name.snapshot, MessageId(epoch, 1), START_MS),
            MessageId(epoch, 0),
            encode(snapshot),
            nonce=5,
            checksum=book.checksum(),
        )
        for seq in (1, 2):
            delta = encode({"bids": [[9.5, float(seq)]], "asks": [], "nonce": 5 + seq})
            batch.book_delta(Place(str(name), MessageId(epoch, seq), START_MS + 1_000 * seq), delta, 5 + seq)
    path = "/api/v1/orderbooks/kucoin/KCS/USDT"
    then = (await admin.get(path, params={"at": START_MS + 1_500, "depth": 2})).json()
    assert then["bids"] == [[10.0, 1.0], [9.5, 1.0]]
    assert then["messageId"] == f"{epoch}-1"
    assert (await admin.get(path, params={"nonce": 7})).json()["bids"][1] == [9.5, 2.0]
    before = await admin.get(path, params={"at": START_MS - 1_000})
    assert before.status_code == 404
    assert "cannot be rebuilt" in before.json()["detail"]
    assert (await admin.get(path)).status_code == 422


@pytest.mark.parametrize(
    ("status", "kind", "reason"),
    [
        ("rejected", "RiskRefused", "the notional 20000 is above the limit of 10000"),
        ("rejected", "InsufficientFunds", "the account has 3 USDT, 25 are needed"),
        ("expired", "Expired", "its validity ended 300 ms before it was read"),
        ("rejected", "Malformed", "$.payload.price: a limit order needs its limit"),
        ("failed", "NetworkError", "the exchange could not be reached"),
    ],
)
async def test_failed_executions_are_found_with_their_reason(
    status: Any, kind: str, reason: str, api: Any, admin: Any, tenant: Any, place: Any
) -> None:
    """Every kind is found, with the reason in words; and by the request's id with its whole story."""
    request_id = "0f" * 16
    answers = _name(tenant, "createOrder")
    async with api.store.batch() as batch:
        error = RequestError(kind, reason)
        batch.response(place(answers, START_MS), Response(request_id, status, error=error), Trace(accepted=1, sent=5))
    rows = (await admin.get("/api/v1/failed-executions", params={"kind": kind})).json()["items"]
    assert [(row["status"], row["kind"], row["reason"]) for row in rows] == [(status, kind, reason)]
    history = (await admin.get(f"/api/v1/requests/{request_id}")).json()
    assert history["responses"][0]["errorMessage"] == reason
    assert history["order"] is None


async def test_a_number_of_several_orders_must_come_with_its_symbol(admin: Any, twins: str) -> None:
    """Without it the response says what to send, and shows neither order."""
    path = f"/api/v1/orders/{twins}"
    for params in ({}, {"exchange": "binance"}):
        refused = await admin.get(path, params=params)
        assert refused.status_code == 422
        assert "ETH/USDT on binance; XRP/USDT on binance" in refused.json()["detail"]
        assert refused.json()["problems"][0]["path"] == "query.symbol"
    for symbol in ("ETH/USDT", "XRP/USDT"):
        found = (await admin.get(path, params={"symbol": symbol})).json()
        assert (found["order"]["symbol"], len(found["events"])) == (symbol, 1)
    assert (await admin.get(path, params={"symbol": "KCS/USDT"})).status_code == 404


async def test_a_request_is_reported_digit_for_digit(admin: Any, stored: Any) -> None:
    """A request is returned as published, with every digit."""
    for path in ("/api/v1/requests", f"/api/v1/requests/{stored['request_id']}"):
        assert '"amountBase":12345678.123456789012}' in (await admin.get(path)).text


async def test_an_export_is_every_row_in_both_forms(admin: Any, trades: int) -> None:
    """CSV and Parquet hold the same rows, digit for digit."""
    text = await admin.get("/api/v1/exports/trades", params={"format": "csv"})
    rows = list(csv.DictReader(io.StringIO(text.text)))
    binary = await admin.get("/api/v1/exports/trades", params={"format": "parquet"})
    frame = polars.read_parquet(io.BytesIO(binary.content))
    assert len(rows) == len(frame) == trades
    assert rows[0]["price"] == frame["price"][0] == "10.5"
    assert "attachment" in binary.headers["content-disposition"]


async def test_an_export_is_of_a_source_where_it_can_be(admin: Any, stored: Any) -> None:
    """Orders and what came of them are; of trades of the market none can be asked for."""
    for source, rows in (("nobody", 0), (None, 1)):
        params = {"format": "csv"} | ({} if source is None else {"source": source})
        found = await admin.get("/api/v1/exports/ownTrades", params=params)
        assert len(found.text.splitlines()) == 1 + rows
    refused = await admin.get("/api/v1/exports/trades", params={"source": "nobody"})
    assert refused.status_code == 422
    assert "leave `source` out" in refused.json()["detail"]


async def test_a_cursor_of_nothing_is_refused_in_words(admin: Any) -> None:
    """One that no page gave is a mistake of the client's, named as such."""
    found = await admin.get("/api/v1/trades", params={"cursor": "nonsense"})
    assert found.status_code == 422
    assert "start without one" in found.json()["detail"]
