"""The control plane under /simulator, for operators and tests; it is no part of any dialect.

- GET  /simulator/status                       how fast it goes, what it lists, whether it is paused
- GET  /simulator/book?symbol=&updateId=       the whole book, now or (recorded) as of an update id
- GET  /simulator/changes?symbol=&fromUpdateId=  (recorded) the changes of the book from an update id on, 10,000 at most
- GET  /simulator/trades?symbol=&fromId=       every trade from an id on, without a limit
- POST /simulator/symbols                      list a symbol: JSON as in `symbols` of the settings
- DELETE /simulator/symbols?symbol=             list a symbol no more: its open orders end
- POST /simulator/halt?symbol=, /simulator/trade?symbol=  accept no new orders on a symbol; accept them again
- POST /simulator/faults                       let something happen to answers from now on: a rule as JSON
- GET, DELETE /simulator/faults                the rule and what has happened by rules so far; no rule any more
- POST /simulator/pause, /simulator/resume     stop and start the background participants
"""

from __future__ import annotations

from typing import Any

import msgspec
from aiohttp import web

from millrace_matching import Side
from millrace_simulator.config import SimulatorConfig, symbol_problem
from millrace_simulator.faults import FaultRule, Faults
from millrace_simulator.market import Market
from millrace_simulator.venue import BookChange, BookSnapshot, Instrument, Listener, PublicTrade, Scale, SymbolRules
from millrace_simulator.venue.clock import WallClock
from millrace_simulator.venue.history import BookHistory

PREFIX = "/simulator"
_MOST_CHANGES = 10_000
"""Changes in one answer."""


class _Pace(Listener):
    """Counts the changes of all books."""

    def __init__(self, now_us: int) -> None:
        self.started_us = now_us
        self.events = 0

    def on_book(self, change: BookChange) -> None:
        self.events += change.last_update_id - change.first_update_id + 1


class ControlPlane:
    """Serves the paths under /simulator."""

    def __init__(self, market: Market, config: SimulatorConfig, faults: Faults) -> None:
        venue = self._venue = market.venue
        self._market = market
        self._config = config
        self._faults = faults
        self._pace = _Pace(venue.clock.now_us())
        venue.listen(self._pace)

    async def status(self, _: web.Request) -> web.Response:
        """Return the simulator's status."""
        running_s = (self._venue.clock.now_us() - self._pace.started_us) / 1_000_000
        return _json(
            {
                "dialect": self._config.dialect,
                "seed": self._config.seed,
                "paused": self._market.paused,
                "eventsPerSecond": self._market.events_per_second,
                "events": self._pace.events,
                "eventsPerSecondSeen": round(self._pace.events / running_s, 1) if running_s else 0.0,
                "runningSeconds": round(running_s, 3),
                "recording": self._venue.history is not None,
                "symbols": {
                    symbol: {
                        "lastUpdateId": instrument.last_update_id,
                        "lastPrice": instrument.scale.price_text(instrument.last_price),
                    }
                    for symbol, instrument in self._venue.instruments.items()
                },
            }
        )

    async def book(self, request: web.Request) -> web.Response:
        """Return the whole book of a symbol, now or as of `updateId`."""
        instrument = self._instrument(request)
        update_id = _integer(request, "updateId")
        if update_id is None:
            return _json(_book(instrument.scale, instrument.depth()))
        try:
            snapshot = self._history.book_as_of(instrument.symbol, update_id)
        except LookupError:
            raise _refusal(web.HTTPNotFound, f"no book of {instrument.symbol} as of update {update_id}") from None
        return _json(_book(instrument.scale, snapshot))

    async def changes(self, request: web.Request) -> web.Response:
        """Return the changes of a symbol's book, one for each update id from `fromUpdateId` on."""
        instrument = self._instrument(request)
        first, changes = self._history.changes(instrument.symbol, _integer(request, "fromUpdateId") or 0, _MOST_CHANGES)
        return _json({"firstUpdateId": first, "changes": [_change(instrument.scale, *change) for change in changes]})

    async def trades(self, request: web.Request) -> web.Response:
        """Return all stored trades of a symbol from `fromId` on."""
        instrument = self._instrument(request)
        trades = instrument.tape.since(_integer(request, "fromId") or 0)
        return _json([_trade(instrument.scale, trade) for trade in trades])

    async def list_symbol(self, request: web.Request) -> web.Response:
        """List a symbol, until the simulator ends; its book is full at once."""
        try:
            rules = msgspec.json.decode(await request.read(), type=SymbolRules)
        except (msgspec.MsgspecError, RecursionError) as error:
            raise _refusal(web.HTTPBadRequest, str(error)) from None
        if (mistake := symbol_problem(rules)) is not None:
            raise _refusal(web.HTTPBadRequest, mistake)
        if rules.symbol in self._venue.instruments:
            raise _refusal(web.HTTPConflict, f"{rules.symbol} is listed already")
        self._market.list_symbol(rules)
        return _json({"symbol": rules.symbol})

    async def delist_symbol(self, request: web.Request) -> web.Response:
        """List a symbol no more; its open orders end."""
        symbol = self._instrument(request).symbol
        self._market.delist(symbol)
        return _json({"symbol": symbol})

    async def halt(self, request: web.Request) -> web.Response:
        """Accept no new order on a symbol; those that are open stay."""
        return self._trade(request, trading=False)

    async def trade(self, request: web.Request) -> web.Response:
        """Accept orders on a symbol again."""
        return self._trade(request, trading=True)

    def _trade(self, request: web.Request, *, trading: bool) -> web.Response:
        instrument = self._instrument(request)
        instrument.trading = trading
        return _json({"symbol": instrument.symbol, "trading": trading})

    async def pause(self, _: web.Request) -> web.Response:
        """Stop the background participants; clients go on trading with each other."""
        self._market.paused = True
        return _json({"paused": True})

    async def resume(self, _: web.Request) -> web.Response:
        """Resume the background participants."""
        self._market.paused = False
        return _json({"paused": False})

    async def shift_clock(self, request: web.Request) -> web.Response:
        """Be `aheadMs` ahead of the machine's clock from now on; behind it if that is below zero."""
        text = request.query.get("aheadMs", "")
        if not text.removeprefix("-").isdecimal() or not isinstance(self._venue.clock, WallClock):
            raise _refusal(web.HTTPBadRequest, "aheadMs must be a number of ms")
        self._venue.clock.shift(int(text))
        return _json({"aheadMs": int(text)})

    async def faults(self, _: web.Request) -> web.Response:
        """Return the rule by which faults happen, and how often each has happened."""
        return _json({"rule": self._faults.rule, "done": self._faults.done})

    async def set_faults(self, request: web.Request) -> web.Response:
        """Let faults happen by a rule, in place of the last one."""
        try:
            rule = msgspec.json.decode(await request.read(), type=FaultRule)
        except (msgspec.MsgspecError, RecursionError) as error:
            raise _refusal(web.HTTPBadRequest, str(error)) from None
        self._faults.set(rule)
        return await self.faults(request)

    async def end_faults(self, request: web.Request) -> web.Response:
        """Let no more faults happen."""
        self._faults.set(None)
        return await self.faults(request)

    @property
    def _history(self) -> BookHistory:
        if self._venue.history is None:
            raise _refusal(web.HTTPConflict, "the simulator does not record: start it with --record")
        return self._venue.history

    def _instrument(self, request: web.Request) -> Instrument:
        instrument = self._venue.instruments.get(request.query.get("symbol", ""))
        if instrument is None:
            raise _refusal(web.HTTPNotFound, f"symbol is one of {', '.join(self._venue.instruments)}")
        return instrument


def add_control_routes(app: web.Application, market: Market, config: SimulatorConfig, faults: Faults) -> None:
    """Serve the control plane of a market and its venue."""
    plane = ControlPlane(market, config, faults)
    app.router.add_get(PREFIX + "/status", plane.status)
    app.router.add_get(PREFIX + "/book", plane.book)
    app.router.add_get(PREFIX + "/changes", plane.changes)
    app.router.add_get(PREFIX + "/trades", plane.trades)
    app.router.add_post(PREFIX + "/symbols", plane.list_symbol)
    app.router.add_delete(PREFIX + "/symbols", plane.delist_symbol)
    app.router.add_post(PREFIX + "/halt", plane.halt)
    app.router.add_post(PREFIX + "/trade", plane.trade)
    app.router.add_post(PREFIX + "/clock", plane.shift_clock)
    app.router.add_get(PREFIX + "/faults", plane.faults)
    app.router.add_post(PREFIX + "/faults", plane.set_faults)
    app.router.add_delete(PREFIX + "/faults", plane.end_faults)
    app.router.add_post(PREFIX + "/pause", plane.pause)
    app.router.add_post(PREFIX + "/resume", plane.resume)


def _book(scale: Scale, book: BookSnapshot) -> dict[str, Any]:
    return {
        "lastUpdateId": book.last_update_id,
        "bids": [(scale.price_text(price), scale.quantity_text(total)) for price, total in book.bids],
        "asks": [(scale.price_text(price), scale.quantity_text(total)) for price, total in book.asks],
    }


def _change(scale: Scale, side: Side, price: int, total: int) -> tuple[str, str, str]:
    return side.name, scale.price_text(price), scale.quantity_text(total)


def _trade(scale: Scale, trade: PublicTrade) -> dict[str, Any]:
    return {
        "id": trade.trade_id,
        "price": scale.price_text(trade.price),
        "qty": scale.quantity_text(trade.quantity),
        "time": trade.time_us // 1000,
        "isBuyerMaker": trade.buyer_is_maker,
    }


def _integer(request: web.Request, name: str) -> int | None:
    value = request.query.get(name)
    if value is None:
        return None
    if not value.isdecimal():
        raise _refusal(web.HTTPBadRequest, f"{name} must be a number")
    return int(value)


def _refusal(kind: type[web.HTTPError], reason: str) -> web.HTTPError:
    return kind(text=msgspec.json.encode({"error": reason}).decode(), content_type="application/json")


def _json(answer: Any) -> web.Response:
    return web.Response(body=msgspec.json.encode(answer), content_type="application/json")
