"""Every route, export and stream × every kind of token × PUBLIC's data, the tenant's own and another tenant's."""

import itertools
import json
from collections.abc import Iterator
from typing import Any, get_args

import httpx
import pytest
import pytest_asyncio

from millrace_api.app import make_app
from millrace_core.actions import MARKET_ACTIONS
from millrace_core.clock import now_ms
from millrace_core.heartbeat import ErrorReport, Heartbeat, UnitHealth
from millrace_core.ids import MessageId
from millrace_core.market import Balance, ExchangePosition, Trade
from millrace_core.messages import Response
from millrace_core.names import PUBLIC, Action, AgentId, ExchangeId, StreamName, Symbol, Tenant, trader_actions
from millrace_core.orders import Order
from millrace_core.trace import Trace
from millrace_store import Place
from millrace_store.exports.histories import ExportKind

SYMBOL, EXCHANGE = Symbol("KCS/USDT"), ExchangeId("okx")
MARKET, ACCOUNT, OWN, OPERATOR, NOBODYS = "market", "account", "own", "operator", "nobodys"
"""What a route shows: a market, which PUBLIC shares; an account; things that are a tenant's own, and that an operator
administers; the operator's alone; what is no tenant's."""
ROUTES = {
    **dict.fromkeys(
        ("list_trades", "list_candles", "list_tickers", "list_markets", "list_events", "get_order_book"), MARKET
    ),
    **dict.fromkeys(("list_streams", "list_gaps", "list_latencies", "export"), MARKET),
    **dict.fromkeys(("list_orders", "get_order", "list_requests", "get_request", "list_answers"), ACCOUNT),
    **dict.fromkeys(("list_own_trades", "list_balances", "list_exchange_positions"), ACCOUNT),
    **dict.fromkeys(("list_failed_executions", "list_positions", "list_profits", "list_equity"), ACCOUNT),
    **dict.fromkeys(("list_dead_letters", "list_audit"), ACCOUNT),
    **dict.fromkeys(("create_order", "edit_order", "cancel_order", "cancel_all_orders"), ACCOUNT),
    **dict.fromkeys(("list_halts", "halt", "resume", "list_tokens", "create_token", "revoke_token"), OWN),
    **dict.fromkeys(("list_agents", "follow_agents", "list_agent_history", "restart_unit"), MARKET),
    **dict.fromkeys(("get_config", "validate_config", "diff_config", "put_config", "list_plugins"), MARKET),
    **dict.fromkeys(("list_config_history", "roll_back_config", "list_configs", "list_config_kinds"), MARKET),
    **dict.fromkeys(("list_redis_names", "get_redis_value"), MARKET),
    "list_tenants": OPERATOR,
    **dict.fromkeys(("log_in", "use_sign_in_code", "get_session", "log_out"), NOBODYS),
    **dict.fromkeys(("get_health", "get_readiness", "get_metrics"), NOBODYS),
}
"""Every operation has a row, or the first test fails."""
_ACCOUNT_EXPORTS = {
    *("ownTrades", "orders", "orderEvents", "balances", "exchangePositions"),
    *("requests", "responses", "failedExecutions"),
}
SHARED_EXPORTS = set(get_args(ExportKind)) - _ACCOUNT_EXPORTS
ROLES = ("read", "trade", "admin")
ACTIONS = (*("watchTrades", "watchFundingRate"), *("watchOrders", "watchBalance", "createOrder", "unknown"))


def _secret(of: str) -> str:
    """Return the word that stands in everything of a tenant's account, and nowhere else."""
    return f"word-of-{of}"


@pytest_asyncio.fixture(loop_scope="session")
async def world(api: Any, bus: Any, tenant: Any, other: Any) -> Any:
    """Store an account's worth of everything for PUBLIC, the tenant, and another one; and run an agent for all."""
    for of in (PUBLIC, tenant, other):
        await _store(api, of)
        await bus.put_config(AgentId(f"X-{of}"), json.dumps({"agent": {"id": f"X-{of}"}, "risk": {of: {"a": 1}}}))
    units = [
        UnitHealth(f"{of}.{EXCHANGE}.{action}.{SYMBOL}", "live", 1, detail=_detail(of, action))
        for of in (PUBLIC, tenant, other)
        for action in ACTIONS
    ] + [UnitHealth(f"{of}.Quoter", "live", 1, detail=_secret(of)) for of in (PUBLIC, tenant, other)]
    errors = [ErrorReport(1, f"{of}.Quoter", _secret(of)) for of in (PUBLIC, tenant, other)]
    beat = Heartbeat(f"SHARED-{tenant}", "gatherer", "running", 1, 1, now_ms(), "1", units=units, last_errors=errors)
    await bus.heartbeat(beat)
    async with api.store.batch() as batch:
        batch.agent(beat)
    return beat


def _detail(of: str, action: str) -> str:
    return "a market" if action in MARKET_ACTIONS else _secret(of)


async def _store(api: Any, of: Tenant) -> None:
    word, at_ms = _secret(of), now_ms() - 120_000

    def at(action: str, seq: int = 1) -> Place:
        return Place(str(StreamName(of, EXCHANGE, Action(action), SYMBOL)), MessageId(1, seq), at_ms)

    order = Order(id=word, symbol=SYMBOL, status="open", timestamp=at_ms)
    trade = Trade(word, at_ms, SYMBOL, "buy", 10.5, 0.1, order=word)
    async with api.store.batch() as batch:
        batch.trades(at("watchTrades"), [Trade("1", at_ms, SYMBOL, "buy", 10.5, 0.1)])
        batch.own_trades(at("watchMyTrades"), [trade])
        batch.orders(at("watchOrders"), [order])
        batch.balances(at("watchBalance"), {word: Balance(1.0, 0.0, 1.0)})
        batch.exchange_positions(at("watchPositions"), [ExchangePosition(word, "long", contracts=2.0)])
        asked = json.dumps({"requestId": word, "payload": {"orderSource": word}}).encode()
        batch.request(Place(trader_actions(of), MessageId(1, 1), at_ms), asked, {"requestId": word})
        batch.response(at("createOrder"), Response(word, "done", order), Trace(accepted=1, sent=2))
        batch.dead_letter(at("watchOrders", 2), word, word.encode())
        batch.gap(at("watchOrders").name, 1, 5, 9, at_ms, word)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def operations(shared: Any) -> dict[str, tuple[str, str]]:
    """Return method and path of every route that the application serves, by operation."""
    document = make_app(shared.services).openapi_schema
    assert document is not None
    return {
        operation["operationId"]: (method.upper(), path)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def _calls(operations: dict[str, tuple[str, str]], of: str) -> Iterator[tuple[str, str, str, dict[str, str]]]:
    """Yield every call that asks for a tenant's data: operation, method, path, query."""
    word = _secret(of)
    parts = {"exchange": EXCHANGE, "symbol": SYMBOL, "order_id": word, "request_id": "0" * 32}
    parts |= {"agent_id": f"X-{of}", "token_id": "0" * 12}
    queries: dict[str, list[dict[str, str]]] = {
        "list_candles": [{"timeframe": "1m"}, {"interval": "5m", "exchange": EXCHANGE, "symbol": SYMBOL}],
        "get_order_book": [{"at": "2026-01-01"}],
        "follow_agents": [{"seconds": "0.01"}],
        "get_redis_value": [{"name": f"stream.config.X-{of}"}, {"name": f"{of}.traderActions"}]
        + [{"name": f"stream.{of}.{EXCHANGE}.{action}.{SYMBOL}"} for action in ACTIONS],
        "cancel_order": [{"exchange": EXCHANGE, "symbol": SYMBOL}],
        "cancel_all_orders": [{"exchange": EXCHANGE}],
    }
    for operation, (method, path) in operations.items():
        kinds = get_args(ExportKind) if operation == "export" else ("",)
        actions = ACTIONS if operation == "list_events" else ("",)
        for kind, action, query in itertools.product(kinds, actions, queries.get(operation, [{}])):
            filled = path.format(**parts, kind=kind, action=action)
            yield operation, method, filled, {"format": "csv"} if kind else query


async def test_every_route_has_a_row(operations: Any) -> None:
    """A new route is in the matrix from its first day."""
    assert set(operations) == set(ROUTES)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("holder", ["own", "public"])
async def test_nothing_leaks(
    api: Any, tenant: Any, other: Any, world: Any, operations: Any, holder: str, role: Any
) -> None:
    """No answer holds anything of another tenant's account; of PUBLIC, market data alone is readable."""
    api.services.configure(api.services.config.model_copy(update={"answer_timeout_ms": 0}))
    mine = tenant if holder == "own" else PUBLIC
    foreign = [of for of in (PUBLIC, tenant, other) if of != mine]
    is_operator = holder == "public" and role == "admin"
    async with api.client(await api.token(mine, role)) as client:
        for of in foreign:
            for call in _calls(operations, of):
                # An export is a process of its own: those of one role are enough.
                for named in (of, None) if "X-" in call[2] + str(call[3]) else (of,):
                    if call[0] != "export" or role == "read" or call[2].endswith(("/trades", "/orders")):
                        await _ask(client, call, named, foreign, is_operator=is_operator)


async def _ask(
    client: httpx.AsyncClient,
    call: tuple[str, str, str, dict[str, str]],
    named: str | None,
    foreign: list[str],
    *,
    is_operator: bool,
) -> None:
    operation, method, path, query = call
    params = query if named is None or ROUTES[operation] == NOBODYS else query | {"tenant": named}
    found = await client.request(method, path, params=params, json={})
    assert found.status_code < 500, (*call, found.text)
    if is_operator and ROUTES[operation] != ACCOUNT and not path.startswith("/api/v1/exports"):
        return
    leaked = [of for of in foreign if _secret(of) in found.text and _secret(of) not in path + str(params)]
    assert not leaked, (*call, named, found.text)
    if named in foreign and method == "GET" and ROUTES[operation] in (ACCOUNT, OWN):
        assert found.status_code == 403, (*call, found.text)
    if operation == "export" and named == PUBLIC in foreign:
        assert found.status_code == (200 if path.rpartition("/")[2] in SHARED_EXPORTS else 403), found.text


async def test_live_streams_follow_the_same_rule(
    api: Any, tenant: Any, other: Any, connect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A socket follows its tenant's streams and PUBLIC's markets; everything else is refused."""
    monkeypatch.setattr("millrace_api.live.hub.SILENT_S", 0.05)
    socket = await connect(await api.token(tenant, "read"))
    names = [StreamName(of, EXCHANGE, Action(a), SYMBOL) for of in (PUBLIC, tenant, other) for a in ACTIONS]
    allowed = {str(n) for n in names if n.tenant == tenant or (n.tenant == PUBLIC and n.action in MARKET_ACTIONS)}
    for name in names:
        socket.say(op="subscribe", stream=str(name))
    await socket.until(
        lambda: len({each["stream"] for each in socket.of_type("error", "waiting", "live")}) == len(names)
    )
    refused = {each["stream"] for each in socket.of_type("error")}
    assert refused == {str(name) for name in names} - allowed


@pytest.mark.parametrize("cookie", [False, True], ids=["nothing", "an unknown session"])
async def test_nobody_sees_anything(fresh: Any, operations: Any, cookie: bool) -> None:
    """Without a token every route but the open ones is 401."""
    headers = {"Cookie": "millrace_session=x"} if cookie else {}
    async with fresh.client() as nobody:
        for operation, method, path, query in _calls(operations, "SOMEBODY"):
            if operation in ("get_health", "get_readiness", "log_in", "use_sign_in_code"):
                continue
            found = await nobody.request(method, path, params=query, headers=headers)
            assert found.status_code == 401, (operation, found.text)
