"""Which heartbeats are worth keeping: each change of an agent's state, and one a minute. Pure."""

from collections.abc import Iterable

from millrace_core.heartbeat import Heartbeat
from millrace_core.names import AgentId

KEPT_EVERY_MS = 60_000


class HeartbeatSieve:
    """Knows what was kept last of each agent."""

    def __init__(self) -> None:
        self._kept: dict[AgentId, Heartbeat] = {}

    def worth_keeping(self, heartbeats: Iterable[Heartbeat]) -> list[Heartbeat]:
        """Return those that tell something new, and count them as kept."""
        chosen = [heartbeat for heartbeat in heartbeats if self._is_news(heartbeat)]
        self._kept.update({AgentId(heartbeat.id): heartbeat for heartbeat in chosen})
        return chosen

    def _is_news(self, heartbeat: Heartbeat) -> bool:
        last = self._kept.get(AgentId(heartbeat.id))
        if last is None:
            return True
        return _gist(last) != _gist(heartbeat) or heartbeat.sent_at - last.sent_at >= KEPT_EVERY_MS


def _gist(heartbeat: Heartbeat) -> tuple[object, ...]:
    """Return what of a heartbeat does not change as long as all goes on as it did."""
    return (
        heartbeat.state,
        heartbeat.started_at,
        heartbeat.config_revision,
        heartbeat.config_errors,
        [(unit.name, unit.state) for unit in heartbeat.units],
        heartbeat.last_errors,
    )
