"""A strategy that was stopped for its errors is run afresh on request."""

import asyncio
import itertools
from typing import Any

from millrace_bus import Bus
from millrace_core.names import AgentId

ONCE_FAULTY = '''
from pathlib import Path
from millrace_strategy import Strategy


class OnceFaulty(Strategy):
    """Raises at every book until its cause is mended."""

    def on_order_book(self, event):
        if not Path(__file__).with_name("mended").exists():
            raise ValueError("mine")
'''


async def test_a_strategy_that_was_stopped_runs_again_on_request(magicbox: Any, venue: Any, bus: Bus) -> None:
    """Its configuration has not changed; it stays stopped until it is asked for, and is live afterwards."""
    (magicbox.folder / "once_faulty.py").write_text(ONCE_FAULTY)
    await magicbox.start({"pluginName": "OnceFaulty", "limits": {"errorsPerMinute": 1}})
    await magicbox.unit_in_state("OnceFaulty", "live")
    async with asyncio.timeout(60):
        for number in itertools.count():
            venue.tell_book(9.98, 10.03 + number)
            if (await magicbox.unit_in_state("OnceFaulty", "live", "stopped")).state == "stopped":
                break
    (magicbox.folder / "mended").touch()
    assert await bus.request_restart(AgentId("MAGICBOX"), "StrankaXY.OnceFaulty")
    await magicbox.unit_in_state("OnceFaulty", "live")
