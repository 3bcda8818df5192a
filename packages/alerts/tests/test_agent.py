"""Alerts as a service, from what is in Redis to what a receiver gets."""

import asyncio
import json
import logging

import pytest
from structlog.testing import capture_logs

from millrace_bus import Bus, EmbeddedServer, HaltNote, HaltScope
from millrace_core.clock import now_ms
from millrace_core.config import AlertsConfig, parse_config
from millrace_core.errors import ConfigInvalid
from millrace_core.heartbeat import UnitHealth, UnitState
from millrace_core.messages import RequestError, Response
from millrace_core.names import PUBLIC, Action, ExchangeId, StreamName, Symbol, Tenant, agent_key, trader_actions
from millrace_service.encryption import encrypt

from .conftest import ID, KEY, PATH, Inbox, beats, config, running, shows

MINE = Tenant("StrankaXY")


def streams(count: int, state: UnitState) -> list[UnitHealth]:
    """Return so many streams in a state."""
    return [
        UnitHealth(name=f"{MINE}.binance.watchTrades.{n}/BTC", state=state, since=now_ms(), detail="silent")
        for n in range(count)
    ]


async def test_a_storm_is_one_message_and_its_end_another(bus: Bus, server: EmbeddedServer, inbox: Inbox) -> None:
    """A hundred stale streams are one message with the count and examples; their recovery is told once."""
    async with running(bus, server, config(inbox, {"kind": "staleStream"})):
        await beats(bus, *streams(100, "stale"))
        first = await inbox.message(0)
        assert first.startswith("millrace test: stale stream: 100 new\n100 new, first ")
        assert "- StrankaXY.binance.watchTrades.0/BTC is stale: silent" in first
        assert first.endswith("- and 95 more")
        await beats(bus, *streams(100, "live"))
        assert (await inbox.message(1)).startswith("millrace test: stale stream: 100 resolved\n100 resolved:\n")
        await beats(bus, *streams(1, "stale"))
        assert (await inbox.message(2)).startswith("millrace test: stale stream: 1 new\n")
        assert len(inbox.got) == 3


async def test_a_storm_of_rules_that_flap_delays_no_other_alert(bus: Bus, server: EmbeddedServer, inbox: Inbox) -> None:
    """1,200 conditions of 60 rules come and go all the time; a halt is told within seconds by a slow messenger."""
    inbox.pace_s = 0.3
    rules = [{"kind": "staleStream", "threshold": 0, "name": f"rule {n}"} for n in range(60)]
    async with running(bus, server, config(inbox, *rules, {"kind": "halt"})):
        storm = asyncio.create_task(flap(bus))
        await inbox.message(5)
        await bus.register_journals(MINE, trader_actions(MINE))
        await bus.halts.set(MINE, HaltScope(), HaltNote(since=now_ms(), by="James"))
        before = len(inbox.got)
        await inbox.until(lambda inbox: "halt" in inbox.text)
        assert len(inbox.got) - before <= 4
        beat = await shows(bus, lambda beat: beat.units[1].counters.get("waiting"))
        assert beat.units[1].counters["waiting"] <= 2 * len(rules)
        assert "dropped" not in beat.units[1].counters or not beat.units[1].counters["dropped"]
        assert len(await bus.alert_memory.get(ID) or b"") < 2_000_000
        storm.cancel()
        await asyncio.wait({storm})


async def flap(bus: Bus) -> None:
    """Let every stream of a gatherer fail and recover, again and again."""
    while True:
        for state in ("stale", "live"):
            await beats(bus, *streams(20, state))  # type: ignore[arg-type]  # both are states of units
            await asyncio.sleep(0.1)  # twice as long as between two looks


async def test_what_cannot_be_delivered_waits_and_is_shown(bus: Bus, server: EmbeddedServer, inbox: Inbox) -> None:
    """A receiver that refuses is tried again, the heartbeat says so; once it takes messages it gets all, together."""
    inbox.status = 503
    rules = ({"kind": "staleStream"}, {"kind": "halt"})
    async with running(bus, server, config(inbox, *rules)):
        await beats(bus, *streams(1, "stale"))
        await inbox.until(lambda inbox: inbox.attempts >= 3)
        beat = await shows(bus, lambda beat: beat.units[0].state == "stale")
        assert beat.units[0].name == "PUBLIC.ops"
        assert "the receiver answered 503" in str(beat.units[0].detail)
        await bus.register_journals(MINE, trader_actions(MINE))
        await bus.halts.set(MINE, HaltScope(), HaltNote(since=now_ms(), by="James"))
        await shows(bus, lambda beat: beat.units[1].counters.get("waiting") == 2)
        inbox.status = 200
        both = await inbox.message(0)
        assert "stale stream: 1 new (and 1 more)" in both
        assert "StrankaXY: */* (exchange/source) is halted by James" in both
        beat = await shows(bus, lambda beat: beat.units[0].state == "live")
        assert beat.units[0].counters["sent"] == 2


async def test_a_restart_loses_and_repeats_nothing(bus: Bus, server: EmbeddedServer, inbox: Inbox) -> None:
    """What waited is sent by the next process, which does not tell again what was told."""
    inbox.status = 503
    document = config(inbox, {"kind": "staleStream"})
    async with running(bus, server, document):
        await beats(bus, *streams(1, "stale"))
        await inbox.until(lambda inbox: inbox.attempts >= 1)
    inbox.status = 200
    async with running(bus, server, document):
        assert "stale stream: 1 new" in await inbox.message(0)
        await shows(bus, lambda beat: beat.units[1].counters.get("waiting") == 0)
    async with running(bus, server, document):
        await beats(bus, *streams(1, "live"))
        assert "stale stream: 1 resolved" in await inbox.message(1)
    assert len(inbox.got) == 2


async def test_what_is_on_its_way_at_the_end_is_sent_once(bus: Bus, server: EmbeddedServer, inbox: Inbox) -> None:
    """The receiver has got a message and answers only after the end has begun."""
    document = config(inbox, {"kind": "staleStream"})
    inbox.may_answer.clear()
    async with running(bus, server, document):
        await beats(bus, *streams(1, "stale"))
        await inbox.message(0)
        asyncio.get_running_loop().call_later(0.3, inbox.may_answer.set)
    async with running(bus, server, document):
        await beats(bus, *streams(1, "live"))
        assert "stale stream: 1 resolved" in await inbox.message(1)
    assert len(inbox.got) == 2


async def test_failed_executions_are_reported_once_each(bus: Bus, server: EmbeddedServer, inbox: Inbox) -> None:
    """Those before alerts were first started are the past; those made while it was down are not."""
    stream = StreamName(MINE, ExchangeId("binance"), Action("createOrder"), Symbol("KCS/USDT"))
    writer = bus.writer(stream, None)
    await writer.open()

    def answer(status: str, text: str) -> None:
        error = RequestError("InsufficientFunds", text)
        response = Response("0" * 32, status, order_source="James", error=error)  # type: ignore[arg-type]
        writer.response(response)

    document = config(inbox, {"kind": "failedExecution", "threshold": 1})
    answer("rejected", "long ago")
    await writer.drained()
    async with running(bus, server, document):
        answer("unknown", "who knows")
        answer("done", "filled")
        answer("rejected", "too little money")
        text = await inbox.message(0)
        assert "failed execution: 1 new" in text
        assert (
            "- StrankaXY: createOrder on binance, KCS/USDT, by James: rejected: InsufficientFunds: too little" in text
        )
    answer("failed", "while alerts were down")
    await writer.drained()
    async with running(bus, server, document):
        assert "while alerts were down" in await inbox.message(1)
    assert len(inbox.got) == 2


async def test_an_agent_that_is_gone_is_reported(bus: Bus, server: EmbeddedServer, inbox: Inbox) -> None:
    """And that it is back. Its streams are not called recovered meanwhile."""
    async with running(bus, server, config(inbox, {"kind": "agentDown"}, {"kind": "staleStream"})):
        await beats(bus, *streams(1, "stale"))
        await inbox.message(0)
        async with asyncio.timeout(5):
            while b"GATHERER" not in (await bus.alert_memory.get(ID) or b""):
                await asyncio.sleep(0.02)  # a key tells nobody of its change
        await bus.end_heartbeat("GATHERER", 1)  # type: ignore[arg-type]
        assert "agent down: 1 new" in await inbox.message(1)
        await beats(bus, *streams(1, "live"))
        await inbox.until(lambda inbox: "agent down: 1 resolved" in inbox.text and "stream: 1 resolved" in inbox.text)


async def test_redis_itself_is_watched(
    bus: Bus, server: EmbeddedServer, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An outage of Redis is told although everything else is known through it; its end is no resolved stream."""
    monkeypatch.setattr("millrace_alerts.observer._LOOK_LIMIT_S", 0.2)
    monkeypatch.setattr("millrace_alerts.memory._SAVE_LIMIT_S", 0.2)
    async with running(bus, server, config(inbox, {"kind": "agentDown"}, {"kind": "staleStream"})):
        await beats(bus, *streams(1, "stale"))
        await inbox.message(0)
        await server.kill()
        assert "Redis does not answer since" in await inbox.message(1)
        await server.restart()
        await beats(bus, *streams(1, "stale"))
        assert "agent down: 1 resolved" in await inbox.message(2)
    assert len(inbox.got) == 3


async def test_an_address_is_a_secret(
    bus: Bus, server: EmbeddedServer, inbox: Inbox, caplog: pytest.LogCaptureFixture
) -> None:
    """Encrypted it works; neither a log line, nor the heartbeat, nor what is kept in Redis shows any of it."""
    caplog.set_level(logging.DEBUG)
    inbox.status = 401
    document = config(inbox, {"kind": "staleStream"})
    document["receivers"] = {"PUBLIC": {"ops": encrypt(PUBLIC, inbox.address, KEY)}}
    with capture_logs() as lines:
        async with running(bus, server, document):
            await beats(bus, *streams(1, "stale"))
            await inbox.until(lambda inbox: inbox.attempts >= 2)
            await shows(bus, lambda beat: beat.units[0].state == "stale")
            shown = await bus._redis.call("GET", agent_key(ID))
            kept = await bus.alert_memory.get(ID) or b""
            inbox.status = 200
            await inbox.message(0)
    assert PATH not in repr(lines) + caplog.text
    assert PATH.encode() not in shown + kept


async def test_a_plain_address_is_warned_of_and_a_wrong_one_refused(
    bus: Bus, server: EmbeddedServer, inbox: Inbox
) -> None:
    """A configuration with mistakes changes nothing, and its errors do not show the address."""
    async with running(bus, server, config(inbox)):
        beat = await shows(bus, lambda beat: beat.warnings)
        assert "$.receivers.PUBLIC.ops is in plain text; write it as enc:…" in beat.warnings[0]
        wrong = config(inbox) | {"receivers": {"PUBLIC": {"ops": "nonsense://secret-token"}}}
        await bus.put_config(ID, json.dumps(wrong))
        beat = await shows(bus, lambda beat: beat.config_errors)
        assert beat.config_errors[0].path == "$.receivers.PUBLIC.ops"
        assert "secret-token" not in beat.config_errors[0].message


def test_the_mistakes_of_a_configuration_are_named() -> None:
    """Each with its place: a receiver of nobody, a tenant's receiver for everything, a loss without a limit."""
    document = {
        "agent": {"id": "ALERTS"},
        "receivers": {"StrankaXY": {"chat": "json://x"}, "PUBLIC": {"ops": "json://y"}},
        "rules": [
            {"kind": "halt", "tenant": "StrankaXY", "notify": ["chat", "ops"]},
            {"kind": "halt", "notify": ["chat"]},
            {"kind": "lossLimit", "notify": ["ops"]},
            {"kind": "agentDown", "tenant": "StrankaXY", "notify": ["ops"]},
            {"kind": "halt", "tenant": "StrankaXY", "notify": ["ops"]},
        ],
    }
    with pytest.raises(ConfigInvalid) as caught:
        parse_config(AlertsConfig, json.dumps(document))
    assert [problem.path for problem in caught.value.problems] == [
        "$.rules[1].notify[0]", "$.rules[2].threshold", "$.rules[3].tenant", "$.rules[4].name"
    ]  # fmt: skip
