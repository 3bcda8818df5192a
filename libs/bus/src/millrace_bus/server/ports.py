"""TCP ports of this machine: which are free, and who listens on the others."""

import contextlib
import socket
from pathlib import Path

_HOST = "127.0.0.1"
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


def free_port(preferred: int = 0) -> int:
    """Return `preferred` if a server could listen there now, else a port that the system keeps for us for a minute.

    Without that, any other program could be given the port while our server starts. So a connection is made
    there and closed from the server's side: while it waits for late packets (`TIME_WAIT`), the system gives the port
    to nobody who asks for any port. A server that names it, with `SO_REUSEADDR` as all of ours do, may listen there.

    A process that another thread starts meanwhile holds a copy of our listener until it runs its own program. Such a
    port is left to it, and another one taken.
    """
    port = preferred
    while not port or not port_is_free(_HOST, port):
        port = _kept_port()
    return port


def _kept_port() -> int:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((_HOST, 0))
        listener.listen(1)
        port = int(listener.getsockname()[1])
        with socket.create_connection((_HOST, port)) as client:
            listener.accept()[0].close()
            client.recv(1)
        return port


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
