"""The forms in which exchanges number the frames of their order books. Pure."""

from collections.abc import Iterator, Mapping
from typing import Final

from millrace_exchange.ccxt.recording.book_proofs import Frame, FrameSpan, SequenceCheck
from millrace_exchange.profile import BookRules, FrameNumbers


class BinanceSequence(SequenceCheck):
    """Ccxt compares the numbers itself. It takes each frame of a book that is numbered anew for one that came late.

    Source: Binance's documentation, "Diff. Depth Stream".
    """

    drops_old = True
    finds_gaps = False

    def spans(self, frame: Frame) -> Iterator[FrameSpan]:
        """Return the place of an update."""
        if frame.get("e") == "depthUpdate" and "u" in frame:
            market_id = frame.get("s")
            yield FrameSpan(str(market_id), market_id, int(frame["U"]), int(frame["u"]), time=_time(frame.get("E")))


class KucoinSequence(SequenceCheck):
    """Level 2: a frame begins at most one behind the end of the one before.

    Source: KuCoin's documentation, "Orderbook - Increment": spot by `sequenceStart` and `sequenceEnd`, futures by
    `sequence`, the unified account by `O` and `C`.
    """

    drops_old = True

    def spans(self, frame: Frame) -> Iterator[FrameSpan]:
        """Return the place of an increment."""
        topic, market_id = _split(frame.get("topic"), ":")
        if topic in ("/market/level2", "/contractMarket/level2"):
            data = frame.get("data") or {}
            last = data.get("sequenceEnd", data.get("sequence"))
            if last is not None:
                first = data.get("sequenceStart", last)
                time = _time(data.get("time", data.get("timestamp")))
                yield FrameSpan(topic + market_id, market_id, int(first), int(last), time=time)
        elif str(frame.get("T", "")).startswith("obu.") and "C" in (data := frame.get("d") or {}):
            is_whole = frame.get("t") == "snapshot"
            chain = f"{frame['T']} {frame.get('dp')} {data.get('s')}"
            first, last, time = int(data.get("O", data["C"])), int(data["C"]), _time(data.get("M"))
            yield FrameSpan(chain, data.get("s"), first, last, is_whole, time)


class BybitSequence(SequenceCheck):
    """Each frame of a subscription has the next `u`; one that restarts it is whole.

    Source: Bybit's documentation, "Orderbook".
    """

    begins_whole = True

    def spans(self, frame: Frame) -> Iterator[FrameSpan]:
        """Return the place of a snapshot or delta."""
        topic, data = str(frame.get("topic", "")), frame.get("data")
        if topic.startswith("orderbook.") and isinstance(data, Mapping) and "u" in data:
            update_id = int(data["u"])
            yield FrameSpan(topic, data.get("s"), update_id, update_id, frame.get("type") == "snapshot")


class HitbtcSequence(SequenceCheck):
    """Each update of a full book has the next `s`.

    Source: HitBTC's documentation, "Subscribe to full order book".
    """

    begins_whole = True

    def spans(self, frame: Frame) -> Iterator[FrameSpan]:
        """Return the places of all books in a frame."""
        if frame.get("ch") != "orderbook/full":
            return
        for kind in ("snapshot", "update"):
            for market_id, book in (frame.get(kind) or {}).items():
                number = int(book["s"])
                yield FrameSpan(market_id, market_id, number, number, kind == "snapshot")


class CoinbaseSequence(SequenceCheck):
    """All frames of a connection are numbered together, so a gap may concern any of its books.

    Source: Coinbase's documentation of Advanced Trade, "WebSocket overview", `sequence_num`.
    """

    def spans(self, frame: Frame) -> Iterator[FrameSpan]:
        """Return the place of any numbered frame."""
        if (number := frame.get("sequence_num")) is not None:
            yield FrameSpan("connection", None, int(number), int(number))


class GateSequence(SequenceCheck):
    """Spot: a frame begins one behind the end of the one before; one that is full replaces the book.

    Source: Gate's announcement 45317, "Gate Spot Depth Channel Upgrade", channel `spot.obu`. ccxt compares those of
    other channels itself.
    """

    drops_old = True

    def spans(self, frame: Frame) -> Iterator[FrameSpan]:
        """Return the place of a full or incremental frame."""
        result = frame.get("result")
        if frame.get("channel") != "spot.obu" or not isinstance(result, Mapping) or "u" not in result:
            return
        _, _, rest = str(result.get("s", "")).partition(".")
        last = int(result["u"])
        first, is_whole, time = int(result.get("U", last)), bool(result.get("full")), _time(result.get("t"))
        yield FrameSpan(str(result["s"]), rest.rpartition(".")[0], first, last, is_whole, time)


class MexcSequence(SequenceCheck):
    """Spot: `fromVersion` is one behind the `toVersion` before.

    Source: MEXC's API v3, "How to properly maintain a local copy of the order book".
    """

    drops_old = True

    def correct(self, frame: Frame) -> None:
        """Name the end of a frame as its version.

        ccxt takes the beginning for it: of a frame that a snapshot falls into, it leaves out what came after.
        """
        if (depths := frame.get("publicAggreDepths")) is not None and "toVersion" in depths:
            depths["version"] = depths["toVersion"]

    def spans(self, frame: Frame) -> Iterator[FrameSpan]:
        """Return the place of an increment."""
        if (depths := frame.get("publicAggreDepths")) is not None and "toVersion" in depths:
            market_id = frame.get("symbol")
            yield FrameSpan(str(market_id), market_id, int(depths["fromVersion"]), int(depths["toVersion"]))


class HtxSequence(SequenceCheck):
    """Spot: each frame names the number of the one before. Contracts: each has the next `version`.

    Source: HTX's spot API, "Market By Price (incremental update)"; its contracts' API, "Subscribe Incremental Market
    Depth Data".
    """

    drops_old = True

    def spans(self, frame: Frame) -> Iterator[FrameSpan]:
        """Return the place of an increment."""
        channel, tick = str(frame.get("ch", "")), frame.get("tick")
        market_id = channel.split(".")[1] if channel.count(".") > 1 else None
        if not isinstance(tick, Mapping):
            return
        if ".mbp." in channel and "prevSeqNum" in tick:
            yield FrameSpan(channel, market_id, int(tick["prevSeqNum"]) + 1, int(tick["seqNum"]))
        elif channel.endswith(".high_freq") and "version" in tick:
            version = int(tick["version"])
            is_whole, time = tick.get("event") == "snapshot", _time(tick.get("ts"))
            yield FrameSpan(channel, market_id, version, version, is_whole, time)


_CHECKS: Final[dict[FrameNumbers, type[SequenceCheck]]] = {
    "event_range": BinanceSequence,
    "update_id": BybitSequence,
    "connection_sequence": CoinbaseSequence,
    "book_sequence": HitbtcSequence,
    "previous_sequence": HtxSequence,
    "sequence_range": KucoinSequence,
    "update_range": GateSequence,
    "version_range": MexcSequence,
}


def sequence_check(book: BookRules) -> SequenceCheck | None:
    """Return the check of one new connection; None where millrace compares no numbers."""
    return None if book.frame_numbers is None else _CHECKS[book.frame_numbers]()


def _split(topic: object, separator: str) -> tuple[str, str]:
    head, _, tail = topic.partition(separator) if isinstance(topic, str) else ("", "", "")
    return head, tail


def _time(value: object) -> int | None:
    return int(value) if isinstance(value, int | str) and str(value).isdecimal() else None
