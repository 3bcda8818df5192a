"""Queries of how the platform does: positions, gaps, latency, agents, configurations, dead letters."""

from millrace_core.ids import MessageId
from millrace_core.names import AgentId
from millrace_store.database import Database
from millrace_store.records import (
    AgentRecord,
    ConfigRecord,
    DeadLetter,
    EpochRecord,
    GapRecord,
    LatencyRecord,
    StreamRecord,
)
from millrace_store.scope import DEFAULT_LIMIT, Page, Scope


class Operations:
    """How the platform does."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def positions(self) -> dict[str, MessageId]:
        """Give how far every journal is stored, by its Redis name."""
        raise NotImplementedError

    async def streams(self, scope: Scope) -> list[StreamRecord]:
        """Give how far a tenant's journals are stored, and how many messages."""
        raise NotImplementedError

    async def epochs(self, name: str) -> list[EpochRecord]:
        """Give what is stored of each epoch of one journal, so that its messages can be counted one for one."""
        raise NotImplementedError

    async def gaps(self, scope: Scope, *, limit: int = DEFAULT_LIMIT, cursor: str | None = None) -> Page[GapRecord]:
        """Give the losses, newest first."""
        raise NotImplementedError

    async def latencies(self, scope: Scope, *, interval_ms: int = 60_000) -> list[LatencyRecord]:
        """Give percentiles by stream, hop and interval, oldest first; intervals are whole minutes."""
        raise NotImplementedError

    async def agents(self) -> list[AgentRecord]:
        """Give the newest that each agent said of itself."""
        raise NotImplementedError

    async def agent_history(
        self, agent: AgentId, *, limit: int = DEFAULT_LIMIT, cursor: str | None = None
    ) -> Page[AgentRecord]:
        """Give what an agent said of itself, newest first."""
        raise NotImplementedError

    async def configs(
        self, agent: AgentId, *, limit: int = DEFAULT_LIMIT, cursor: str | None = None
    ) -> Page[ConfigRecord]:
        """Give an agent's configurations, newest first."""
        raise NotImplementedError

    async def dead_letters(
        self, scope: Scope, *, limit: int = DEFAULT_LIMIT, cursor: str | None = None
    ) -> Page[DeadLetter]:
        """Give messages that could not be understood, newest first."""
        raise NotImplementedError
