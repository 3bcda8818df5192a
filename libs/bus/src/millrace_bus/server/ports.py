"""Finds the process that listens on a TCP port of this machine."""

import contextlib
import socket
from pathlib import Path

_LISTEN = "0A"


def port_is_free(host: str, port: int) -> bool:
    """Tell whether a server could listen there now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def owner_of(port: int) -> str:
    """Name the process that listens on a port, such as `redis-server (process 812)`, if that may be seen."""
    sockets = {f"socket:[{inode}]" for inode in _listening(port)}
    for process in Path("/proc").glob("[0-9]*"):
        if sockets & _held(process):
            return f"{(process / 'comm').read_text().strip()} (process {process.name})"
    return "another process"


def _listening(port: int) -> set[str]:
    """Return the inodes of the sockets that listen on a port."""
    inodes = set()
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        lines = table.read_text().splitlines()[1:] if table.exists() else []
        for fields in (line.split() for line in lines):
            if fields[3] == _LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                inodes.add(fields[9])
    return inodes


def _held(process: Path) -> set[str]:
    """Return the open files of a process; none of another user's process, or one that has just ended."""
    held = set()
    with contextlib.suppress(OSError):
        for descriptor in (process / "fd").iterdir():
            # One may be closed between being listed and being looked at.
            with contextlib.suppress(FileNotFoundError):
                held.add(str(descriptor.readlink()))
    return held
