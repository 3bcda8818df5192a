"""Binance's WebSocket API, `/ws-api/v3`: requests of every kind, and user data events.

- `requests`      reads what was sent and writes what is answered; knows what a signature covers.
- `methods`       says which method is which operation of the exchange.
- `session`       one connection: who is logged on, what it listens to, each request's way.
- `user_streams`  hears the venue and delivers accounts' events to the sessions; `events` writes their JSON.
"""

from millrace_simulator.binance.wsapi.server import add_wsapi_routes

__all__ = ["add_wsapi_routes"]
