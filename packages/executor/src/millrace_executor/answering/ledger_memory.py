"""What a process remembers of an account's ledger while nobody else may write it."""

from dataclasses import dataclass, field

from millrace_core.ids import RequestId
from millrace_executor.answering.intents import Intent


@dataclass(slots=True)
class LedgerMemory:
    """The intents of one account."""

    born_ms: int | None = None
    """Which data of Redis it was read from, or written to, whole (see `Tenure.born_ms`); None until it was read."""
    read_from_ms: int | None = None
    """Which data it was first read from: it holds all that was written since they were born. None until it was read."""
    settled: dict[RequestId, int] = field(default_factory=dict)
    """Until when a copy of each may come, ms."""
    open: dict[RequestId, Intent | None] = field(default_factory=dict)
    """Those that are not settled; None: it cannot be read."""
