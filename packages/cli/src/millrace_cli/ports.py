"""Ports that must not silently become others."""

from millrace_bus.server.ports import free_port, owner_of, port_is_free
from millrace_core.errors import MillraceError


class PortBusy(MillraceError):
    """Another process listens on the port."""


def http_port(whose: str, port: int, option: str, host: str = "127.0.0.1") -> int:
    """Return the port of the API or of the console: this one, or for 0 any free one.

    Raises:
        PortBusy: it is in use; the text says by what, and that `option` chooses another.
    """
    if port == 0:
        return free_port(0)
    if not port_is_free(host, port):
        raise PortBusy(
            f"the {whose}'s port {port} is in use by {owner_of(port)}: end that, or choose another with {option}"
        )
    return port
