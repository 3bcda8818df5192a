"""Rows of a market's trades, made column by column: the greater part of all rows there are. Pure."""

from collections.abc import Iterable, Sequence
from itertools import chain, repeat
from typing import Final, Protocol

import msgspec

from millrace_core.message_ids import MessageIds
from millrace_store.backends.columns import Columns

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
    """Return when a trade was made; an exchange's time that is absent or absurd gives way to ours."""
    at_ms = trade.timestamp
    return at_ms if at_ms is not None and 0 <= at_ms <= published_ms + _AHEAD_MS else published_ms


def digits(numbers: Sequence[float]) -> list[str]:
    """Return the shortest digits that mean each number exactly; several times quicker than `repr` of each."""
    return msgspec.json.encode(numbers)[1:-1].decode().split(",") if numbers else []


def trade_rows(
    stream: int, ids: MessageIds, published_ms: Sequence[int], trades: Sequence[Sequence[MarketTrade]]
) -> Columns:
    """Return a row for each trade of each message."""
    counts = [len(made) for made in trades]
    flat = list(chain.from_iterable(trades))
    return Columns(
        [
            [stream] * len(flat),
            _times(flat, _spread(published_ms, counts)),
            list(_spread(ids.epochs, counts)),
            list(_spread(ids.seqs, counts)),
            list(chain.from_iterable(map(range, counts))),
            _ids(flat),
            [trade.side for trade in flat],
            digits([trade.price for trade in flat]),
            digits([trade.amount for trade in flat]),
        ]
    )


def _spread(values: Sequence[int], counts: Sequence[int]) -> "chain[int]":
    """Return each value as often as its message has trades."""
    return chain.from_iterable(map(repeat, values, counts))


def _times(trades: Sequence[MarketTrade], published_ms: Iterable[int]) -> list[int]:
    """Return `traded_at` of each, written out: a call for each would cost as much as all the rest."""
    return [
        at if (at := trade.timestamp) is not None and 0 <= at <= published + _AHEAD_MS else published
        for trade, published in zip(trades, published_ms, strict=True)
    ]


def _ids(trades: Sequence[MarketTrade]) -> list[str | None]:
    """Return trades' ids as both databases can hold them: PostgreSQL refuses NUL."""
    ids = [trade.id for trade in trades]
    return [one if one is None or "\x00" not in one else one.replace("\x00", "\ufffd") for one in ids]
