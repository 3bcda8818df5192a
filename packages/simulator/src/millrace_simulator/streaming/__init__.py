"""What the streams of every dialect share: the frames, the connection below them, and who listens to what.

frames ── the bytes of a WebSocket message; written once for all of its subscribers
connection ── one client: writing in bursts, pings, limits
hub ── subscriptions; an event is rendered only when somebody listens, and once for each form
"""

from millrace_simulator.streaming.connection import ClientConnection, ConnectionRules, close_all
from millrace_simulator.streaming.frames import CloseCode, payload_of, text_frame
from millrace_simulator.streaming.hub import Hub, Subscriber

__all__ = [
    "ClientConnection",
    "CloseCode",
    "ConnectionRules",
    "Hub",
    "Subscriber",
    "close_all",
    "payload_of",
    "text_frame",
]
