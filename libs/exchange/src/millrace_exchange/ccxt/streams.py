"""Following ccxt's streams: subscribing, handing every message to a listener, and ending the subscription."""

from typing import Any

from millrace_core.actions import StreamAction
from millrace_exchange.ccxt.caller import CcxtCaller, was_cancelled
from millrace_exchange.ccxt.recording.recorder import Recorder, StreamKey
from millrace_exchange.ccxt.subscriptions import METHODS, unsubscribe
from millrace_exchange.listeners import ExchangeListener


async def follow(
    caller: CcxtCaller, action: StreamAction, symbol: str | None, listener: ExchangeListener, *arguments: Any
) -> None:
    """Call a listener for every message of a stream until cancelled; `arguments` are those of ccxt's method.

    Order books are followed by `follow_book`.

    Raises:
        Retryable, Rejected, Fatal: why the stream broke. `kind` says how: `NetworkError`, ….
    """
    recorder: Recorder = caller.ccxt.recorder
    key: StreamKey = (action.name, symbol, arguments[-1] if action.per_timeframe else None)
    recorder.add(key, listener)
    try:
        await caller.follow(action.name, getattr(caller.ccxt, METHODS[action]), *arguments)
    finally:
        recorder.remove(key, listener)
        if was_cancelled():
            await unsubscribe(caller, action, *(part for part in key[1:] if part is not None))
