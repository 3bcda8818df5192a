"""Recordings of a running platform."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.support.platform import Platform, until

from millrace_backtest.recording.files import RecordingWriter
from millrace_backtest.recording.recorder import Recorder, recorded_tenant
from millrace_bus import Bus
from millrace_core.clock import now_ns
from millrace_core.names import PUBLIC, Tenant

TENANT = Tenant("StrankaXY")


@asynccontextmanager
async def recording(platform: Platform, file: Path) -> AsyncIterator[None]:
    """Record while the body runs."""
    stop = asyncio.Event()
    async with Bus.connect(platform.server.url, name="record") as bus:
        with RecordingWriter(file, now_ns()) as writer:
            task = asyncio.create_task(
                Recorder(bus, writer, [recorded_tenant(TENANT), recorded_tenant(PUBLIC)]).run(stop)
            )

            async def has_begun() -> bool:
                return writer.messages > 0 or task.done()

            await until(has_begun, "the recorder records", platform=platform)
            try:
                yield
            finally:
                stop.set()
                await task
