"""ccxt's streams, message by message: what it applies is told to a listener, and nothing is coalesced or lost.

ccxt hands out its whole state whenever somebody awaits it, and forgets what happened between two awaits. Here a
subscription is awaited once, for ever; meanwhile each message that ccxt applies is told where it is applied.
"""

from millrace_exchange.ccxt.recording.recorded_exchange import RecordedExchange, recorded
from millrace_exchange.listeners import Event, Listener

__all__ = ["Event", "Listener", "RecordedExchange", "recorded"]
