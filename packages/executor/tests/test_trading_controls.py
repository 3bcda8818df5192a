import asyncio
from decimal import Decimal

from millrace_core.config import RiskLimits
from millrace_core.halts import HaltNote, HaltScope, HaltState
from millrace_core.names import ExchangeId
from millrace_core.requests import CreateOrder, CreatePayload
from millrace_executor.risk import Approved, RiskRejection
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


async def test_the_rate_counts_what_was_approved_and_only_lately() -> None:
    """Orders beyond the rate are refused until the window has moved on; refused ones do not count."""
    controls = TradingControls()
    controls.set_limits(RiskLimits(max_orders_per_second=2))
    decisions = [controls.decide(ORDER, None, now_ms) for now_ms in (0, 10, 20, 999, 1000, 1009, 1010)]
    wanted = [Approved, Approved, RiskRejection, RiskRejection, Approved, RiskRejection, Approved]
    assert [type(decision) for decision in decisions] == wanted


async def test_other_limits_hold_from_the_next_order_on() -> None:
    """Limits change without a restart of anything."""
    controls = TradingControls()
    controls.set_limits(RiskLimits())
    assert isinstance(controls.decide(ORDER, None, 0), Approved)
    controls.set_limits(RiskLimits(symbols=()))
    assert isinstance(controls.decide(ORDER, None, 1), RiskRejection)
