"""Rows of a market's trades, made column by column: the greater part of all rows there are. Pure."""

from collections.abc import Sequence
from itertools import chain, repeat
from typing import Any, Final, Protocol

import msgspec

from millrace_core.ids import MessageId

_AHEAD_MS: Final = 86_400_000


class MarketTrade(Protocol):
    """What is kept of a trade."""

    @property
    def id(self) -> str | None:
        """The exchange's."""

    @property
    def timestamp(self) -> int | None:
        """When it was made, ms."""

    @property
    def side(self) -> str | None:
        """`buy` or `sell`: what the taker did."""

    @property
    def price(self) -> float:
        """In the quote currency."""

    @property
    def amount(self) -> float:
        """In the base currency."""


def traded_at(trade: MarketTrade, published_ms: int) -> int:
    """Give when a trade was made; an exchange's time that is absent or absurd gives way to ours."""
    at_ms = trade.timestamp
    return at_ms if at_ms is not None and 0 <= at_ms <= published_ms + _AHEAD_MS else published_ms


def digits(numbers: Sequence[float]) -> list[str]:
    """Give the shortest digits that mean each number exactly; several times quicker than `repr` of each."""
    return msgspec.json.encode(numbers)[1:-1].decode().split(",")


def trade_rows(
    stream: int, ids: Sequence[MessageId], published_ms: Sequence[int], trades: Sequence[Sequence[MarketTrade]]
) -> list[tuple[Any, ...]]:
    """Give a row for each trade of each message."""
    counts = [len(made) for made in trades]
    flat = list(chain.from_iterable(trades))
    if not flat:
        return []
    epochs, seqs = zip(*ids, strict=True)
    return list(
        zip(
            repeat(stream),
            map(traded_at, flat, _spread(published_ms, counts)),
            _spread(epochs, counts),
            _spread(seqs, counts),
            chain.from_iterable(map(range, counts)),
            [_id(trade) for trade in flat],
            [trade.side for trade in flat],
            digits([trade.price for trade in flat]),
            digits([trade.amount for trade in flat]),
        )
    )


def _spread(values: Sequence[int], counts: Sequence[int]) -> "chain[int]":
    """Give each value as often as its message has trades."""
    return chain.from_iterable(map(repeat, values, counts))


def _id(trade: MarketTrade) -> str | None:
    """Give a trade's id as both databases can hold it: PostgreSQL refuses NUL."""
    return trade.id if trade.id is None or "\x00" not in trade.id else trade.id.replace("\x00", "\ufffd")
