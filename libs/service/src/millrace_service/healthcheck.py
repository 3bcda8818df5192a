"""Tells whether an agent is alive: `python -m millrace_service.healthcheck`, with the agent's own environment.

Exit code 0: Redis has a heartbeat of the agent, or cannot be asked, in which case starting the agent again would not
help. Exit code 1: Redis answers and has none, so the process hangs or was never able to start its work.
"""

import asyncio
import os
import sys
from collections.abc import Sequence

from millrace_bus.connection.address import Address
from millrace_bus.connection.connection import connect
from millrace_bus.errors import BusError
from millrace_core.names import AgentId, agent_key
from millrace_service.settings import read_settings

TIMEOUT_S = 5.0


def main(arguments: Sequence[str] = ()) -> int:
    """Return the exit code, and say on standard error why it is 1."""
    settings = read_settings("agent", arguments, {"MILLRACE_AGENT_ID": "API", **os.environ})
    try:
        is_alive = asyncio.run(has_heartbeat(settings.redis_url, settings.agent_id))
    except (OSError, BusError, TimeoutError) as error:
        sys.stderr.write(f"Redis cannot be asked: {error or 'it does not answer'}\n")
        return 0
    if not is_alive:
        sys.stderr.write(f"no heartbeat of {settings.agent_id}\n")
    return 0 if is_alive else 1


async def has_heartbeat(redis_url: str, agent: AgentId) -> bool:
    """Tell whether Redis has a heartbeat of an agent.

    Raises:
        OSError, BusError, TimeoutError: Redis does not answer.
    """
    async with asyncio.timeout(TIMEOUT_S):
        connection = await connect(Address.parse(redis_url), "healthcheck")
        try:
            return await connection.call("GET", agent_key(agent)) is not None
        finally:
            connection.abort()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
