import asyncio
from decimal import Decimal

import msgspec

from millrace_core.config import OrderLimits, RiskLimits
from millrace_core.halts import HaltNote, HaltScope, HaltState
from millrace_core.names import ExchangeId
from millrace_core.requests import CreateOrder, CreatePayload
from millrace_executor.risk.checks import Approved, Facts, RiskRejection
from millrace_executor.risk.terms import terms_of
from millrace_executor.trading_controls import TradingControls

BINANCE = ExchangeId("binance")
ORDER = CreateOrder(
    exchange_id="binance",
    payload=CreatePayload(symbol="KCS/USDT", side="buy", type="limit", amount_base=Decimal(1), price=Decimal(1)),
)


async def test_nothing_is_known_before_both_limits_and_halts_are() -> None:
    """Waiting for the controls ends once limits and halts are both set, in either order."""
    controls = TradingControls()
    known = asyncio.ensure_future(controls.known())
    controls.set_limits(RiskLimits())
    await asyncio.sleep(0)
    assert not known.done()
    controls.trust_halts()
    await known


async def test_while_halts_are_in_doubt_nothing_may_be_sent() -> None:
    """Doubt is a decision too: accounts open, so that orders can be canceled; it ends, and what was learned stays."""
    controls = TradingControls()
    controls.set_limits(RiskLimits())
    controls.doubt_halts("nobody knows")
    await controls.known()
    assert controls.halt_reason(BINANCE, "James") == "nobody knows"
    controls.learn_halts(HaltState().halted(HaltScope(BINANCE), HaltNote(1)))
    controls.trust_halts()
    assert controls.halt_reason(BINANCE, "James") == "trading on binance is halted"
    assert controls.halt_reason(ExchangeId("kucoin"), "James") is None


async def test_a_halt_stops_just_what_it_covers() -> None:
    """Everything, one exchange, one source, or one source on one exchange; the reason names by whom and why."""
    controls = TradingControls()
    pingpong = HaltScope(BINANCE, "PingPong")
    controls.trust_halts()
    controls.learn_halts(state := HaltState().halted(pingpong, HaltNote(1, reason="too fast", by="Ann")))
    assert controls.halt_reason(BINANCE, "PingPong") == "trading on binance for PingPong is halted by Ann: too fast"
    assert controls.halt_reason(BINANCE, "James") is None
    assert controls.halt_reason(ExchangeId("kucoin"), "PingPong") is None
    controls.learn_halts(state.resume(pingpong, 2).halted(HaltScope(), HaltNote(1)))
    assert controls.halt_reason(BINANCE, "PingPong") == "all trading of this tenant is halted"
    assert controls.halt_reason(ExchangeId("kucoin"), None) == "all trading of this tenant is halted"


def decide(controls: TradingControls, now_ms: int, **terms: object) -> Approved | RiskRejection:
    """Judge an order at a moment."""
    payload = msgspec.structs.replace(ORDER.payload, **terms)
    request = msgspec.structs.replace(ORDER, payload=payload)
    return controls.decide(request, BINANCE, Facts(terms_of(request, None), now_ms))


async def test_the_rate_counts_what_was_approved_and_only_lately() -> None:
    """Orders beyond the rate are refused until the window has moved on; refused ones do not count."""
    controls = TradingControls()
    controls.set_limits(RiskLimits(max_orders_per_second=2))
    decisions = [decide(controls, now_ms) for now_ms in (0, 10, 20, 999, 1000, 1009, 1010)]
    wanted = [Approved, Approved, RiskRejection, RiskRejection, Approved, RiskRejection, Approved]
    assert [type(decision) for decision in decisions] == wanted
    assert "may be sent in 981 ms" in str(decide(controls, 1019))


async def test_an_order_that_is_sent_twice_is_refused_for_a_while() -> None:
    """The same terms from the same source count as one mistake; other terms, or another source, do not."""
    controls = TradingControls()
    controls.set_limits(RiskLimits(duplicate_window_ms=500))
    assert isinstance(decide(controls, 0), Approved)
    assert "sent 499 ms ago" in str(decide(controls, 499))
    assert isinstance(decide(controls, 499, price=Decimal(2)), Approved)
    assert isinstance(decide(controls, 499, order_source="Ann"), Approved)
    assert isinstance(decide(controls, 500), Approved)


async def test_limits_of_an_account_and_of_a_source_bind_only_those() -> None:
    """An order has to be within the limits of its tenant, of its account, and of its source."""
    controls = TradingControls()
    own = OrderLimits(symbols=())
    controls.set_limits(RiskLimits(accounts={ExchangeId("kucoin"): own}, sources={"Ann": OrderLimits(symbols=())}))
    assert isinstance(decide(controls, 0), Approved)
    assert "sources.Ann.symbols" in str(decide(controls, 0, order_source="Ann"))
    request = msgspec.structs.replace(ORDER, exchange_id="kucoin")
    refused = controls.decide(request, ExchangeId("kucoin"), Facts(terms_of(request, None), 0))
    assert "accounts.kucoin.symbols" in str(refused)


async def test_other_limits_hold_from_the_next_order_on() -> None:
    """Limits change without a restart of anything."""
    controls = TradingControls()
    controls.set_limits(RiskLimits())
    assert isinstance(decide(controls, 0), Approved)
    controls.set_limits(RiskLimits(symbols=()))
    assert isinstance(decide(controls, 1), RiskRejection)
