"""Following ccxt's streams: subscribing, handing every message to a listener, and ending the subscription."""

from collections.abc import Callable
from functools import partial
from typing import Any, Final, NoReturn

from millrace_core.actions import BIDS_ASKS, FUNDING_RATE, StreamAction
from millrace_core.clock import now_ns
from millrace_exchange.ccxt.caller import CcxtCaller
from millrace_exchange.ccxt.polling import fields_of, is_polled, poll
from millrace_exchange.ccxt.recording.late_events import place_of
from millrace_exchange.ccxt.recording.recorder import Recorder, StreamKey
from millrace_exchange.ccxt.subscriptions import METHODS, subscribed
from millrace_exchange.errors import ExchangeError, Retryable
from millrace_exchange.listeners import EventTimes, ExchangeListener, FieldsListener
from millrace_exchange.newest import Newest

RETURNED: Final = (BIDS_ASKS, FUNDING_RATE)
"""Streams that are taken as ccxt returns them, not recorded: of several messages at once the newest state is enough."""


async def follow(
    caller: CcxtCaller, action: StreamAction, symbol: str | None, listener: ExchangeListener, *arguments: Any
) -> None:
    """Call a listener for every message of a stream until cancelled; `arguments` follow the symbol in ccxt's method.

    Order books are followed by `follow_book`.

    Raises:
        Retryable, Rejected, Fatal: why the stream broke. `kind` says how: `NetworkError`, ….
    """
    if is_polled(caller.ccxt, action):
        await poll(caller, action, symbol, listener, *arguments)
    if symbol is not None and action in RETURNED:
        await _follow_returned(caller, action, symbol, listener)
    recorder: Recorder = caller.ccxt.recorder
    key: StreamKey = (action.name, symbol, arguments[-1] if action.per_timeframe else None)
    asked = [part for part in (symbol, *arguments) if part is not None]
    recorder.add(key, listener)
    async with subscribed(caller, action, *asked):
        try:
            await _follow_batched(caller, action, *asked)
        finally:
            recorder.remove(key, listener)


async def _follow_returned(caller: CcxtCaller, action: StreamAction, symbol: str, listener: FieldsListener) -> NoReturn:
    take = partial(_deliver_fields, symbol, listener, Newest(), caller.profile.best_prices_number)
    async with subscribed(caller, action, [symbol] if action is BIDS_ASKS else symbol):
        await _follow_batched(caller, action, symbol, take=take)


async def _follow_batched(
    caller: CcxtCaller, action: StreamAction, *asked: Any, take: Callable[[Any], None] | None = None
) -> NoReturn:
    """Follow a stream that is subscribed together with others, where that is possible."""
    watch = getattr(caller.ccxt, METHODS[action])
    one = partial(watch, [asked[0]] if action is BIDS_ASKS else asked[0], *asked[1:]) if asked else watch
    try:
        await caller.batches.join(action, one, *asked)
        await caller.follow(action.name, one, take=take)
    except ExchangeError as error:
        if not (isinstance(error, Retryable) and error.is_disconnected):
            caller.batches.refused(action, *asked)
        raise


def _deliver_fields(
    symbol: str, listener: FieldsListener, newest: Newest, number_field: str | None, returned: Any
) -> None:
    if newest.is_late(symbol, place_of(returned.get(symbol, returned), number_field)):
        return
    fields = fields_of(returned, symbol)
    listener.fields_changed(fields, EventTimes(fields.get("timestamp"), now_ns()))
