"""Services in processes of their own: what one of them computes delays none of the others."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


@asynccontextmanager
async def running(package: str, agent_id: str, **settings: str) -> AsyncIterator[None]:
    """Run a service for a block, with settings as in its environment, without the prefix."""
    environment = os.environ | {f"MILLRACE_{name.upper()}": value for name, value in settings.items()}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", package, "--agent-id", agent_id), env=environment, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        yield
    finally:
        with suppress(ProcessLookupError):  # it has ended by itself, which its heartbeat shows
            process.terminate()
        await process.wait()
