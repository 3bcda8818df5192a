"""Runs units afresh when people ask for it. See docs/protocol.md, "Restarts"."""

import structlog

from millrace_bus import Bus
from millrace_core.names import AgentId
from millrace_service.agent_units import AgentUnits

log = structlog.get_logger()


async def follow_restarts(bus: Bus, agent: AgentId, units: AgentUnits) -> None:
    """Follow the requests to an agent until cancelled."""
    async for unit in bus.restart_requests(agent):
        if units.restart(unit):
            log.info("unit is run afresh, as requested", unit=unit)
        else:
            log.warning("restart requested of a unit that does not exist", unit=unit)
