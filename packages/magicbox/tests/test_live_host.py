"""What is shown of a strategy's hooks, and when."""

import time

import pytest
import structlog

from millrace_bus import Bus
from millrace_core.names import Tenant
from millrace_magicbox.failures import Failures
from millrace_magicbox.hook_times import SLOW_NS
from millrace_magicbox.input_journal import InputJournal
from millrace_magicbox.live_host import LiveHost
from millrace_service.health import ErrorLog, UnitHealthReporter
from millrace_strategy import StartEvent


async def test_faults_are_shown_although_the_clock_was_set_back(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not each is, if there are many; that is not told by a clock that somebody sets."""
    errors = ErrorLog()
    health = UnitHealthReporter("unit", changed=lambda: None, errors=errors)
    journal = InputJournal(bus, Tenant("StrankaXY"), "Looker", health)
    nothing = lambda *_: None  # noqa: E731
    host = LiveHost(health, structlog.get_logger(), send=nothing, look_up=nothing, failures=Failures(), journal=journal)
    event = StartEvent(timestamp=1)
    for later_s in (0, 120):
        past_ns, passed_ns = time.time_ns() - later_s * 3_600 * 10**9, time.monotonic_ns() + later_s * 10**9
        monkeypatch.setattr(time, "time_ns", lambda now=past_ns: now)
        monkeypatch.setattr(time, "monotonic_ns", lambda now=passed_ns: now)
        host.hook_failed(event, ZeroDivisionError(f"after {later_s} s"), 1)
        host.event_handled(event, SLOW_NS + 1)
    shown = [error.message for error in errors.reports()]
    assert len(shown) == 4, shown
