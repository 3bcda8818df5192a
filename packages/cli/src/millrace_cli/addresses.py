"""Ports of this machine: the wanted one when it is free, else any."""

import asyncio
import socket

_LOOPBACK = "127.0.0.1"
_RETRY_S = 0.02


def free_port(preferred: int) -> int:
    """Return `preferred` when nobody listens there, else a port that the system picks."""
    for port in (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((_LOOPBACK, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OSError("this machine has no free port")


async def listening(port: int, timeout: float) -> None:
    """Wait until somebody listens on a port.

    Raises:
        TimeoutError: nobody did within `timeout` seconds.
    """
    async with asyncio.timeout(timeout):
        while True:
            try:
                _, writer = await asyncio.open_connection(_LOOPBACK, port)
            except OSError:
                await asyncio.sleep(_RETRY_S)
            else:
                writer.close()
                return
