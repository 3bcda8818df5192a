"""Halts without a person: a key that the exchange refuses, a source that runs away."""

from typing import Any

from millrace_core.halts import HaltScope
from millrace_core.names import ExchangeId, Tenant
from millrace_simulator.faults import FaultKind, FaultRule

TENANT = Tenant("StrankaXY")
BINANCE, ALL = ExchangeId("binance"), ExchangeId("all")


def order(source: str = "PingPong") -> dict[str, Any]:
    payload = {"symbol": "KCS/USDT", "side": "buy", "type": "limit", "amountBase": 1, "price": 8.5}
    return {"action": "createOrder", "exchangeId": "binance", "payload": payload | {"orderSource": source}}


async def test_a_revoked_key_halts_the_account_until_a_person_resumes(platform: Any) -> None:
    """The first order fails, the next are refused without asking the exchange; the halt says why, and is kept."""
    await platform.start()
    answers, halted = await platform.answers(), await platform.answers("halt", None)
    platform.simulator.faults.set(FaultRule(kinds=(FaultKind.REVOKED,)))
    await platform.publish(order())
    failed = (await answers.number(1)).response
    assert failed.status == "failed", failed.error
    assert (await halted.number(1)).response.status == "done"
    refused_before = sum(platform.simulator.faults.done.values())
    await platform.publish(order())
    refused = (await answers.number(2)).response
    assert (refused.status, refused.error.kind) == ("rejected", "Halted")
    assert "binance refuses the API key" in refused.error.message
    assert sum(platform.simulator.faults.done.values()) == refused_before
    note = (await platform.bus.halts.get(TENANT))[HaltScope(BINANCE)]
    assert note.by == "the executor"
    platform.simulator.faults.set(None)
    resumed = await platform.answers("resume", None)
    await platform.publish({"action": "resume", "exchangeId": "binance", "payload": {"by": "Ann"}})
    assert (await resumed.number(1)).response.status == "done"
    await platform.publish(order())
    assert (await answers.number(3)).response.status == "done"
    await platform.unit_is("StrankaXY.binance", "live")


async def test_a_wrong_key_halts_before_anything_is_sent(platform: Any) -> None:
    """An account that cannot be opened says why at once; requests do not wait until they expire."""
    await platform.bus.put_config("EXECUTOR", platform.config().replace("demo-key", "wrong-key"))
    await platform.start(account_state="failed")
    # Which markets there are is not known.
    answers, halted = await platform.answers(symbol=None), await platform.answers("halt", None)
    assert (await halted.number(1)).response.status == "done"
    await platform.publish(order() | {"validFor": 600_000})
    refused = (await answers.number(1)).response
    assert "binance refuses the API key" in refused.error.message


async def test_a_source_that_runs_away_is_halted_alone(platform: Any) -> None:
    """Whatever became of its orders; others go on, and a person who resumes lets it begin anew."""
    await platform.bus.put_config("EXECUTOR", platform.config(risk={"runawayOrdersPerMinute": 3, "symbols": []}))
    await platform.start()
    answers, halted = await platform.answers(), await platform.answers("halt", None, ALL)
    for _ in range(4):
        await platform.publish(order())
    await answers.number(4)
    # Requests run at the same time: their answers come in any order.
    errors = sorted((each.response.error.kind, each.response.error.message) for each in answers.all)
    assert [kind for kind, _ in errors] == ["Halted"] + ["RiskRefused"] * 3
    assert "runawayOrdersPerMinute is 3, and PingPong asked for more" in errors[0][1]
    assert (await halted.number(1)).response.status == "done"
    assert (await platform.bus.halts.get(TENANT)).keys() == {HaltScope(None, "PingPong")}
    await platform.publish(order("Ann"))
    assert (await answers.number(5)).response.error.kind == "RiskRefused"
    await platform.publish(order())
    assert (await answers.number(6)).response.error.kind == "Halted"
    resumed = await platform.answers("resume", None, ALL)
    await platform.publish({"action": "resume", "payload": {"orderSource": "PingPong"}})
    await resumed.number(1)
    await platform.publish(order())
    assert (await answers.number(7)).response.error.kind == "RiskRefused"
