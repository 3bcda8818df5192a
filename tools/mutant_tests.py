"""Runs the tests of one module again and again, each time in a fork of a process that has imported what they need.

To start Python and import the platform takes ten times as long as tests that are pure. `tools/mutants.py` starts the
server; for each mutant Cosmic Ray runs this file with the address alone, which asks for one run and ends like it.
"""

import contextlib
import io
import os
import resource
import select
import signal
import socket
import sys
from collections.abc import Sequence
from typing import Final

READY: Final = "ready"
MOST_CPU_S: Final = 20
"""What the tests take at most, however busy the machine is: an endless loop takes more."""
TIMED_OUT: Final = "timeout"
"""What Cosmic Ray says itself of tests that do not end in time."""
LAST_CODE: Final = 5
"""The highest exit code of pytest."""


def serve(address: str, member: str, arguments: Sequence[str]) -> None:
    """Print `READY`, then run pytest for each that connects, one after the other, until killed.

    `member` is the package of the module that changes: it is imported anew each time, as are the tests.
    """
    import pytest
    from hypothesis import HealthCheck, Phase, settings

    # The same examples each time, in whatever time a busy machine takes; which is the smallest that fails is no matter.
    phases, checks = (Phase.explicit, Phase.generate), (HealthCheck.too_slow,)
    settings.register_profile(
        "mutants", derandomize=True, database=None, deadline=None, phases=phases, suppress_health_check=checks
    )
    settings.load_profile("mutants")
    with contextlib.redirect_stdout(io.StringIO()) as said:
        code = pytest.main(["--collect-only", *arguments])
    if code:
        raise SystemExit(said.getvalue())
    for name in [name for name in sys.modules if name.split(".")[0] in (member, "libs", "packages")]:
        del sys.modules[name]
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        sys.stdout.write(f"{READY}\n")
        sys.stdout.flush()
        while True:
            with listener.accept()[0] as connection:
                _run(connection, arguments)


def _run(connection: socket.socket, arguments: Sequence[str]) -> None:
    """Send what pytest prints, and its exit code as the last byte; end it if the other side does not wait any more."""
    import pytest

    if (child := os.fork()) == 0:
        os.setsid()
        resource.setrlimit(resource.RLIMIT_CPU, (MOST_CPU_S, MOST_CPU_S + 1))
        os.dup2(connection.fileno(), 1)
        os.dup2(connection.fileno(), 2)
        code = int(pytest.main(list(arguments)))
        sys.stdout.flush()
        os._exit(code)
    ended = os.pidfd_open(child)
    # The other side sends nothing: that it can be read means that it is gone.
    if ended not in select.select([connection.fileno(), ended], [], [])[0]:
        os.killpg(child, signal.SIGKILL)
    status = os.waitpid(child, 0)[1]
    os.close(ended)
    with contextlib.suppress(OSError):
        connection.sendall(bytes([os.waitstatus_to_exitcode(status) & 0xFF]))
        connection.shutdown(socket.SHUT_WR)


def ask(address: str) -> int:
    """Have the tests run once; print what pytest printed, and return its exit code.

    Raises:
        SystemExit: they did not end; nothing is printed to standard output.
    """
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(address)
        said = b"".join(iter(lambda: connection.recv(1 << 16), b""))
    if said and said[-1] == -signal.SIGXCPU & 0xFF:
        sys.stdout.write(TIMED_OUT)
        return 1
    if not said or said[-1] > LAST_CODE:
        raise SystemExit("the tests did not end")
    sys.stdout.buffer.write(said[:-1])
    return said[-1]


if __name__ == "__main__":
    if len(sys.argv) > 2:
        serve(sys.argv[1], sys.argv[2], sys.argv[3:])
    sys.exit(ask(sys.argv[1]))
