"""Whether the exchanges that configurations name can be reached, and how far our clock is from theirs."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from pydantic import ValidationError

from millrace_bus import Bus
from millrace_cli.doctor.finding import Finding, fail, ok, warn
from millrace_core.config import Credentials
from millrace_core.json_problems import UNREADABLE
from millrace_core.names import PUBLIC, AgentId
from millrace_exchange import ExchangeError, UnknownExchange
from millrace_exchange.ccxt.exchange_clock import ServerClock
from millrace_exchange.ccxt.server_clock import server_clock

_CLOCK_WARN_MS: Final = 500
_CLOCK_FAIL_MS: Final = 1_000
"""Binance refuses signed requests that are more than 1 s ahead of its clock."""
_NTP: Final = "timedatectl set-ntp true"
_NETWORK: Final = "check this machine's network, its proxy and the exchange's status"
_PUBLIC: Final = {"test", "urls", "options"}
"""What decides where an exchange is reached. Keys are left out: none is sent."""


async def exchange_findings(bus: Bus, configs: Mapping[AgentId, bytes]) -> list[Finding]:
    """Return what was found of each exchange, all asked at once."""
    return list(await asyncio.gather(*(_ask(bus, *each) for each in _exchanges(configs))))


def _exchanges(configs: Mapping[AgentId, bytes]) -> list[tuple[str, Credentials]]:
    found: dict[str, tuple[str, Credentials]] = {}
    for text in configs.values():
        try:
            accounts = msgspec.json.decode(text, type=_Accounts).exchanges
        except UNREADABLE:
            continue
        for exchanges in accounts.values():
            for exchange, account in exchanges.items():
                if (address := _address(account)) is not None:
                    found[f"{exchange} {address.model_dump_json()}"] = (exchange, address)
    return [found[key] for key in sorted(found)]


class _Accounts(msgspec.Struct):
    """The accounts of any agent's configuration."""

    exchanges: dict[str, dict[str, dict[str, Any]]] = {}


def _address(account: dict[str, Any]) -> Credentials | None:
    try:
        return Credentials.model_validate({name: account[name] for name in _PUBLIC & account.keys()})
    except ValidationError:
        # The agent's own finding lists its mistakes.
        return None


async def _ask(bus: Bus, exchange: str, address: Credentials) -> Finding:
    subject = f"exchange {exchange}" + (f" at {base}" if (base := address.urls.get("base")) else "")
    try:
        clock = await server_clock(exchange, address, bus.budget(PUBLIC))
    except UnknownExchange as error:
        return fail(subject, str(error), "millrace exchanges")
    except ExchangeError as error:
        return fail(subject, f"{error.kind}: {error}", _NETWORK)
    return _clock(subject, clock)


def _clock(subject: str, clock: ServerClock) -> Finding:
    answered = f"answered in {clock.round_trip_ms} ms"
    if clock.offset_ms is None:
        return ok(subject, f"{answered}; it does not tell its time")
    text = f"{answered}; its clock differs from ours by {clock.offset_ms:+} ms"
    if clock.proven_ms > _CLOCK_FAIL_MS:
        return fail(subject, f"{text}: it may refuse orders", _NTP)
    return warn(subject, text, _NTP) if clock.proven_ms > _CLOCK_WARN_MS else ok(subject, text)
