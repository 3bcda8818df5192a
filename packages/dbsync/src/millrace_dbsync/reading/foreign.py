"""What other programs left among a tenant's journals: names of no journal, entries that stop one; each is told once."""

from collections.abc import Iterable, Mapping
from typing import Final

import structlog

from millrace_bus import Extent
from millrace_core.errors import InvalidName
from millrace_core.ids import MessageId
from millrace_core.names import StreamName, Tenant, journals_index, trader_actions
from millrace_service import UnitHealthReporter

_SHOWN: Final = 100
"""Characters of a foreign name that are reported."""
_MOST: Final = 20
"""Foreign names that are reported one by one: a writer of the index may add any number."""

log = structlog.get_logger()


class ForeignEntries:
    """Reports what is no journal of a tenant, and what stops one."""

    def __init__(self, tenant: Tenant, health: UnitHealthReporter) -> None:
        self._tenant, self._health = tenant, health
        self._requests = trader_actions(tenant)
        self._names: set[str] = set()
        self._stopped: dict[str, MessageId] = {}

    def among(self, names: Iterable[str]) -> None:
        """Report the names in the tenant's index that no journal can have; their keys are not read."""
        foreign = {name for name in names if not self._is_journal(name)}
        for name in sorted(foreign - self._names)[: max(0, _MOST - len(self._names))]:
            index = journals_index(self._tenant)
            log.error("a name in the index of journals is none of the protocol", index=index, name=ascii(name[:_SHOWN]))
            self._health.error(f"{name[:_SHOWN]!a} in {index} is no name of a journal: it is not read; ZREM it")
        self._names = foreign
        self._health.gauge("foreignNames", len(foreign))

    def stopping(self, extents: Mapping[str, Extent]) -> set[str]:
        """Return the journals whose newest id no writer can have, and report them: Redis takes nothing after it."""
        stopped = {name: extent.newest for name, extent in extents.items() if extent.newest.is_last}
        for name in stopped.keys() - self._stopped.keys():
            newest = str(stopped[name])
            log.error("an entry of another program stops a journal; delete the key", stream=name, newest=newest)
            self._health.error(f"{name} ends with {newest}, an id that no writer has: nothing can follow it; DEL it")
        self._stopped = stopped
        return set(stopped)

    def _is_journal(self, name: str) -> bool:
        try:
            return name == self._requests or bool(StreamName.parse(name))
        except InvalidName:
            return False
