"""The demo's configurations in Redis: written anew at each start, but for those that somebody changed since."""

from collections.abc import Sequence
from pathlib import Path

from millrace_bus import Bus
from millrace_cli.configs import AgentFile
from millrace_cli.data_folder import Written, note_written, written
from millrace_core.names import AgentId


async def put_configs(bus: Bus, agents: Sequence[AgentFile], folder: Path, exchange_url: str) -> list[AgentId]:
    """Write each agent's configuration unless it was changed since a demo wrote it; return the agents that keep theirs.

    In a kept one only the simulated exchange's address is brought up to date.
    """
    before = written(folder)
    kept: list[AgentId] = []
    for file in agents:
        present, text = await bus.get_config(file.agent), file.text
        if present is not None and present.decode(errors="replace") != before.configs.get(file.agent):
            kept.append(file.agent)
            text = present.decode(errors="replace").replace(before.exchange_url or exchange_url, exchange_url)
        if text.encode() != present:
            await bus.put_config(file.agent, text)
    note_written(folder, Written(exchange_url, {file.agent: file.text for file in agents}))
    return kept
