import asyncio
from decimal import Decimal

from millrace_bus import HaltNote, HaltScope
from millrace_core.config import RiskLimits
from millrace_core.names import ExchangeId
from millrace_core.requests import CreateOrder, CreatePayload
from millrace_executor.controls import Controls
from millrace_executor.risk import Approved, RiskRejection

BINANCE = ExchangeId("binance")
ORDER = CreateOrder(
    exchange_id="binance",
    payload=CreatePayload(symbol="KCS/USDT", side="buy", type="limit", amount_base=Decimal(1), price=Decimal(1)),
)


async def test_nothing_is_known_before_both_limits_and_halts_are() -> None:
    """Waiting for the controls ends once limits and halts are both set, in either order."""
    controls = Controls()
    known = asyncio.ensure_future(controls.known())
    controls.set_limits(RiskLimits())
    await asyncio.sleep(0)
    assert not known.done()
    controls.set_halts({})
    await known


async def test_a_halt_stops_just_what_it_covers() -> None:
    """Everything, one exchange, one source, or one source on one exchange; the reason names by whom and why."""
    controls = Controls()
    controls.set_halts({HaltScope(BINANCE, "PingPong"): HaltNote(1, reason="too fast", by="Ann")})
    assert controls.halt_reason(BINANCE, "PingPong") == "trading on binance for PingPong is halted by Ann: too fast"
    assert controls.halt_reason(BINANCE, "James") is None
    assert controls.halt_reason(ExchangeId("kucoin"), "PingPong") is None
    controls.set_halts({HaltScope(): HaltNote(1)})
    assert controls.halt_reason(ExchangeId("kucoin"), None) == "all trading of this tenant is halted"


async def test_the_rate_counts_what_was_approved_and_only_lately() -> None:
    """Orders beyond the rate are refused until the window has moved on; refused ones do not count."""
    controls = Controls()
    controls.set_limits(RiskLimits(max_orders_per_second=2))
    decisions = [controls.decide(ORDER, None, now_ms) for now_ms in (0, 10, 20, 999, 1000, 1009, 1010)]
    wanted = [Approved, Approved, RiskRejection, RiskRejection, Approved, RiskRejection, Approved]
    assert [type(decision) for decision in decisions] == wanted


async def test_other_limits_hold_from_the_next_order_on() -> None:
    """Limits change without a restart of anything."""
    controls = Controls()
    controls.set_limits(RiskLimits())
    assert isinstance(controls.decide(ORDER, None, 0), Approved)
    controls.set_limits(RiskLimits(symbols=()))
    assert isinstance(controls.decide(ORDER, None, 1), RiskRejection)
