"""Starts services as the processes that they are in operation."""

import asyncio
import os
import sys
from asyncio.subprocess import Process
from pathlib import Path


async def start_service(kind: str, agent: str, redis_url: str, log: Path, *options: str) -> Process:
    """Start a service that ends with this process; what it logs is added to a file."""
    where = ("--agent-id", agent, "--redis-url", redis_url, *options)
    with log.open("ab") as output:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", f"millrace_{kind}", f"--die-with-parent={os.getpid()}", *where),
            env={**os.environ},
            stdout=output,
            stderr=output,
        )
