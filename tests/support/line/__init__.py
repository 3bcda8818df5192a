"""The line to an exchange, which passes everything on until a test wants otherwise.

    async with line_to("http://127.0.0.1:9080") as line:
        ...  # clients connect to line.url

Requests and sockets share its port. Sockets are relayed frame by frame: `frames` reads them, `socket` passes them on,
`requests` passes on what is no socket.
"""

from tests.support.line.line import Line, line_to, served
from tests.support.line.socket import Socket

__all__ = ["Line", "Socket", "line_to", "served"]
