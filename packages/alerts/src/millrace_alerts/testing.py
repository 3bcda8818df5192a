"""Sends a test message to the receivers of a configuration, to see whether they get it."""

import asyncio
from collections.abc import Mapping

from millrace_alerts.agent import receivers
from millrace_alerts.conditions import utc
from millrace_alerts.delivery import deliver, keep_quiet
from millrace_bus import Bus
from millrace_core.clock import now_ms
from millrace_core.config import AlertsConfig
from millrace_core.errors import MillraceError
from millrace_core.names import AgentId, config_key
from millrace_service.configuration import opened_config


class NothingToTest(MillraceError):
    """There is no configuration, or it has no receivers; the text says what to do."""


async def send_test(bus: Bus, agent: AgentId, key: bytes | None) -> Mapping[str, str | None]:
    """Send a test message to every receiver, by name; return why each did not take it, or None.

    Raises:
        NothingToTest: no receiver is configured.
        ConfigInvalid: the configuration has mistakes, or a receiver cannot be decrypted with this key.
    """
    text = await bus.get_config(agent)
    if text is None:
        raise NothingToTest(f"{config_key(agent)} is not in Redis: write the configuration first")
    plans = receivers(opened_config(AlertsConfig, agent, text, key).config)
    if not plans:
        raise NothingToTest(f"{config_key(agent)} has no receivers: nobody would be told anything")
    keep_quiet()
    body = f"A test of {agent}, sent by hand. If you read this, alerts reach you."
    sent = await asyncio.gather(
        *(deliver(plan.address, f"millrace: test at {utc(now_ms())}", body) for plan in plans.values())
    )
    return dict(zip(plans, sent, strict=True))
