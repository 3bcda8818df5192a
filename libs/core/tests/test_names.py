import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace_core import names
from millrace_core.errors import InvalidName
from millrace_core.names import Action, ExchangeId, StreamName, Symbol, Tenant

WORDS = st.from_regex(r"[A-Za-z0-9_-]{1,20}", fullmatch=True)
TENANTS = WORDS.filter(lambda word: word not in {"config", "snapshot"})
SYMBOLS = st.none() | st.from_regex(r"[A-Z0-9]{1,8}/[A-Z0-9]{1,8}(:[A-Z0-9.-]{1,12})?", fullmatch=True)


@given(TENANTS, WORDS, WORDS, SYMBOLS)
def test_a_stream_name_is_read_back_into_its_parts(tenant: str, exchange: str, action: str, symbol: str | None) -> None:
    """The journal's name and the snapshots' name parse to the same parts, even if the symbol holds dots."""
    name = StreamName(Tenant(tenant), ExchangeId(exchange), Action(action), Symbol(symbol) if symbol else None)
    assert StreamName.parse(str(name)) == name
    assert StreamName.parse(name.snapshot) == name
    assert names.is_snapshot(name.snapshot)
    assert not names.is_snapshot(str(name))


def test_the_names_are_those_of_the_protocol() -> None:
    """The spelling is a contract with clients that are not ours."""
    name = StreamName(Tenant("StrankaXY"), ExchangeId("kucoin"), Action("watchOrderBook"), Symbol("KCS/USDT"))
    assert str(name) == "stream.StrankaXY.kucoin.watchOrderBook.KCS/USDT"
    assert name.snapshot == "stream.snapshot.StrankaXY.kucoin.watchOrderBook.KCS/USDT"
    assert names.trader_actions(name.tenant) == "StrankaXY.traderActions"
    assert names.config_key(names.agent_id("GATHERER")) == "stream.config.GATHERER"
    assert names.order_key(name.tenant, "7") == "order.{StrankaXY}.7"
    assert names.full_order_key(name.tenant, "binance", "BTC/USDT", "7") == "order.{StrankaXY}.binance:BTC/USDT:7"
    assert names.full_order_key(name.tenant, "binance", None, "7") == "order.{StrankaXY}.binance::7"
    assert names.orders_key(name.tenant, name.exchange, Symbol("KCS/USDT")) == "orders.{StrankaXY}.kucoin.KCS/USDT"
    opened = names.open_orders_key(name.tenant, name.exchange, Symbol("KCS/USDT"))
    assert opened == "openOrders.{StrankaXY}.kucoin.KCS/USDT"
    assert names.intents_key(name.tenant, name.exchange) == "intents.{StrankaXY}.kucoin"
    assert names.halt_key(name.tenant) == "halt.{StrankaXY}"
    assert names.journals_index(name.tenant) == "index.journals.StrankaXY"
    assert names.budget_key("kucoin", "default", "Public") == "budget.{kucoin}.default.Public"
    assert names.budget_users_key("budget.{kucoin}.x.y") == "budget.{kucoin}.x.y.users"
    assert names.budget_peers_key("kucoin") == "budget.{kucoin}.peers"
    assert names.BUDGET_STOPS == "budget.stops"


@pytest.mark.parametrize("text", ["", "a.b", "a b", "x" * 65])
def test_an_egress_that_would_break_the_names_is_refused(text: str) -> None:
    """It is a part of keys, as a tenant is."""
    assert names.egress("vps-1") == "vps-1"
    with pytest.raises(InvalidName):
        names.egress(text)


@pytest.mark.parametrize("text", ["", "config", "snapshot", "a.b", "a b", "x" * 65, "é"])
def test_a_tenant_that_would_break_the_names_is_refused(text: str) -> None:
    """Reserved words, dots and foreign letters cannot be tenants."""
    with pytest.raises(InvalidName):
        names.tenant(text)


@pytest.mark.parametrize(
    "text", ["x", "stream.a.b", "stream.snapshot.a.b", "stream.a..c.D/E", "stream.config.b.c.D", "stream.a.b.c."]
)
def test_what_is_no_stream_name_is_refused(text: str) -> None:
    """A name with parts missing or empty is an error that says what was wanted."""
    with pytest.raises(InvalidName, match=r"stream\.|a tenant|a symbol"):
        StreamName.parse(text)


def test_what_is_watched_has_snapshots_and_answers_have_none() -> None:
    """The action decides whether a stream has snapshots."""
    assert StreamName.parse("stream.PUBLIC.binance.watchTrades.ETH/BTC").has_snapshots
    assert not StreamName.parse("stream.PUBLIC.binance.createOrder.ETH/BTC").has_snapshots


@pytest.mark.parametrize(
    "symbol", ["KC\0S/USDT", "KC\nS/USDT", "KC\x7fS", "\ud800", "K\ufffd", "K S", "K*", "K" * 65, "\u202eK"]
)
def test_a_symbol_that_cannot_be_stored_or_shown_is_no_symbol(symbol: str) -> None:
    """A stream of that name is nobody's: it is neither read nor written."""
    with pytest.raises(InvalidName):
        names.symbol(symbol)
    with pytest.raises(InvalidName):
        StreamName.parse(f"stream.Ann.binance.watchTrades.{symbol}")


@pytest.mark.parametrize("name", ["stream.Ann.{}.watchTrades.K", "stream.Ann.binance.{}.K"])
def test_the_parts_of_a_name_have_a_length(name: str) -> None:
    """Whoever may write any key must not fill the memory of those who read the index."""
    with pytest.raises(InvalidName):
        StreamName.parse(name.format("x" * 65))


def test_symbols_may_have_the_letters_of_any_language() -> None:
    """Exchanges list them."""
    assert StreamName.parse("stream.Ann.binance.watchTrades.币安人生/USDT").symbol == "币安人生/USDT"
