"""Examines an installation: everything that can be examined, whatever else is wrong."""

from collections.abc import Mapping

from millrace_bus import Bus, CommandRefused, Unreachable
from millrace_bus.connection.address import Address
from millrace_cli.doctor.config_findings import agent_findings, secret_findings
from millrace_cli.doctor.database_findings import database_findings
from millrace_cli.doctor.exchange_findings import exchange_findings
from millrace_cli.doctor.finding import Finding, fail, ok
from millrace_cli.doctor.journal_findings import journal_findings
from millrace_cli.doctor.redis_findings import redis_findings
from millrace_cli.running import connected
from millrace_core.clock import now_ms
from millrace_core.errors import InvalidName
from millrace_service.errors import SettingsInvalid
from millrace_service.settings import read_secret_key


async def examine(
    redis_url: str, database_url: str, environ: Mapping[str, str], *, exchanges: bool = True
) -> list[Finding]:
    """Return all findings; with `exchanges` each configured exchange is asked for its time."""
    return [
        *await _redis(redis_url, environ, exchanges=exchanges),
        *await database_findings(database_url),
    ]


async def _redis(redis_url: str, environ: Mapping[str, str], *, exchanges: bool) -> list[Finding]:
    mend = "set MILLRACE_REDIS_URL, or start a server: `millrace up` starts one when no URL is set"
    try:
        async with connected(redis_url, "doctor") as bus:
            return [
                ok("redis", f"{Address.parse(redis_url)} answers"),
                *await _server(bus),
                *await _platform(bus, environ, exchanges=exchanges),
            ]
    except (Unreachable, InvalidName) as error:
        return [fail("redis", str(error), mend)]


async def _server(bus: Bus) -> list[Finding]:
    try:
        state = await bus.server_state()
    except CommandRefused as refused:
        return [fail("redis permissions", str(refused), "millrace doctor, as a Redis user who may INFO and TIME")]
    return list(redis_findings(state, now_ms()))


async def _platform(bus: Bus, environ: Mapping[str, str], *, exchanges: bool) -> list[Finding]:
    configs = await bus.all_configs()
    found = list(await journal_findings(bus))
    found += agent_findings(configs, await bus.heartbeats())
    try:
        found += secret_findings(configs, read_secret_key(environ))
    except SettingsInvalid as error:
        found.append(fail("secret key", str(error), "export MILLRACE_SECRET_KEY=$(millrace secrets keygen)"))
    if exchanges:
        found += await exchange_findings(bus, configs)
    return found
