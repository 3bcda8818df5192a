"""Following ccxt's streams: subscribing, handing every message to a listener, and ending the subscription."""

from functools import partial
from typing import Any

from millrace_core.actions import BIDS_ASKS, StreamAction
from millrace_core.clock import now_ns
from millrace_exchange.ccxt.caller import CcxtCaller, was_cancelled
from millrace_exchange.ccxt.polling import fields_of, is_polled, poll
from millrace_exchange.ccxt.recording.recorder import Recorder, StreamKey
from millrace_exchange.ccxt.subscriptions import METHODS, unsubscribe
from millrace_exchange.listeners import EventTimes, ExchangeListener, FieldsListener


async def follow(
    caller: CcxtCaller, action: StreamAction, symbol: str | None, listener: ExchangeListener, *arguments: Any
) -> None:
    """Call a listener for every message of a stream until cancelled; `arguments` are those of ccxt's method.

    Order books are followed by `follow_book`.

    Raises:
        Retryable, Rejected, Fatal: why the stream broke. `kind` says how: `NetworkError`, ….
    """
    if is_polled(caller.ccxt, action):
        await poll(caller, action, symbol, listener, *(arguments if symbol is None else arguments[1:]))
    recorder: Recorder = caller.ccxt.recorder
    key: StreamKey = (action.name, symbol, arguments[-1] if action.per_timeframe else None)
    recorder.add(key, listener)
    try:
        await caller.follow(action.name, getattr(caller.ccxt, METHODS[action]), *arguments)
    finally:
        recorder.remove(key, listener)
        if was_cancelled():
            await unsubscribe(caller, action, *(part for part in key[1:] if part is not None))


async def follow_fields(caller: CcxtCaller, action: StreamAction, symbol: str, listener: FieldsListener) -> None:
    """Call a listener with what one of ccxt's streams returns: several messages at once are the newest state.

    Raises:
        Retryable, Rejected, Fatal: why the stream broke.
    """
    asked = [symbol] if action is BIDS_ASKS else symbol
    await caller.follow(
        action.name, getattr(caller.ccxt, METHODS[action]), asked, take=partial(_deliver_fields, symbol, listener)
    )


def _deliver_fields(symbol: str, listener: FieldsListener, returned: Any) -> None:
    fields = fields_of(returned, symbol)
    listener.fields_changed(fields, EventTimes(fields.get("timestamp"), now_ns()))
