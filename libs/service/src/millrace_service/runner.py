"""An agent's whole life within one event loop."""

import asyncio

from millrace_service.agent import Agent, ConfigT, UnitConfigT
from millrace_service.settings import Settings


async def run_agent(agent: Agent[ConfigT, UnitConfigT], settings: Settings, *, stop: asyncio.Event) -> None:
    """Run an agent until `stop` is set, then end everything in order.

    Neither signals nor logging are touched, so several agents may run in one process, as tests do.
    """
    raise NotImplementedError
