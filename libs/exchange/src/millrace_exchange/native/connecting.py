"""Opens a WebSocket to an exchange."""

from typing import Any

from picows import WSListener, WSTransport, ws_connect


async def connected(listener: WSListener, url: str, **settings: Any) -> WSTransport:
    """Return the transport of a WebSocket that is open; `settings` are those of picows, such as its pings.

    Raises:
        OSError, WSError: it cannot be opened, or the other end left before it was, of which no listener learns.
    """
    transport, _ = await ws_connect(
        lambda: listener, url, disconnect_on_exception=False, enable_auto_ping=True, **settings
    )
    if transport.is_disconnected:
        raise ConnectionError("the exchange ended the connection before it was open")
    return transport
