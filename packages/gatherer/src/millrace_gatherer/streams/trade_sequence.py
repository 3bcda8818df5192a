"""Tracks published trades: each is published once, and missing ones are detected. Pure."""

from collections import Counter, deque
from collections.abc import Container, Iterable, Iterator
from itertools import chain, takewhile

from millrace_core.market import Trade
from millrace_core.states import KEPT_TRADES

_Identity = tuple[object, ...]
"""Trade id and, where it counts, order id; of a trade without an id all that is said of it, and which of those that are
alike it is."""

REMEMBERED = 10 * KEPT_TRADES
"""Number of remembered identities where ids are not consecutive."""
DISORDER_MS = 5_000
"""How far the times of one exchange's trades may be out of order."""


class TradeSequence:
    """The trades of one stream in order, the newest of them, and what has been seen.

    Where an exchange numbers a symbol's trades consecutively, a gap is proven by the ids; elsewhere identities are
    only compared: ids, or with `per_order` trade id and order id, since a self-trade is two records of one trade id.
    Some exchanges have no ids: of their trades that are alike in everything, as many are new as there are more of them.
    """

    def __init__(self, *, consecutive: bool, per_order: bool = False) -> None:
        self.newest: deque[Trade] = deque(maxlen=KEPT_TRADES)
        self.is_consecutive = consecutive
        """Whether the ids show what is missing."""
        self._per_order = per_order
        self._seen: dict[_Identity, int] = {}
        """The time of each, ms."""
        self._last_number: int | None = None
        self._forgotten_until_ms = 0
        """Of trades made before this it is not known whether they were published: a snapshot holds so many only."""

    @property
    def last(self) -> Trade | None:
        """Return the newest trade."""
        return self.newest[-1] if self.newest else None

    def restart(self, newest: Iterable[Trade], earlier: Iterable[Trade]) -> None:
        """Count these as published, and no others; of the earlier ones only the identities matter."""
        trades = list(newest)
        self.newest.clear()
        self.newest.extend(trades)
        self._seen = {
            identity: _time(trade) for each in (earlier, trades) for identity, trade in self._identified(each)
        }
        self._last_number = _number(trades[-1]) if self.is_consecutive and trades else None
        # The earliest of all, since a single wrong time must not hide what comes later.
        self._forgotten_until_ms = min(map(_time, trades)) if len(trades) >= KEPT_TRADES else 0

    def unseen(self, *answers: Iterable[Trade], streamed: Iterable[Trade] = ()) -> list[Trade]:
        """Return those that are new, each once, in order.

        What was streamed came once; an answer holds again what was in others, and what was streamed.
        """
        if self.is_consecutive:
            last = -1 if self._last_number is None else self._last_number
            both = chain(*answers, streamed)
            numbered = {number: trade for trade in both if (number := _number(trade)) > last}
            return [numbered[number] for number in sorted(numbered)]
        new: dict[_Identity, Trade] = {}
        found = [*map(self._identified, answers), self._identified(streamed, but=self._seen)]
        for identity, trade in chain.from_iterable(found):
            if identity not in self._seen and _time(trade) >= self._forgotten_until_ms:
                new.setdefault(identity, trade)
        return sorted(new.values(), key=_place)

    def begins_anew(self, trades: Iterable[Trade]) -> bool:
        """Tell whether the exchange has begun to number its trades anew: a known number has come at a later time."""
        return any(_time(trade) > known_ms + DISORDER_MS for trade in trades if (known_ms := self._known_ms(trade)))

    def missing_before(self, trades: list[Trade]) -> int:
        """Return how many trades are missing between the newest and these, as far as the ids show."""
        if not (self.is_consecutive and trades) or self._last_number is None:
            return 0
        return _number(trades[0]) - self._last_number - 1

    def follows(self, trades: list[Trade]) -> bool:
        """Tell whether none is missing before these or between them, as far as the ids show."""
        if not (self.is_consecutive and trades):
            return True
        before = _number(trades[0]) - 1 if self._last_number is None else self._last_number
        return _number(trades[-1]) == before + len(trades)

    def run(self, trades: list[Trade]) -> list[Trade]:
        """Return the leading ones of these between which none is missing, as far as the ids show."""
        if not self.is_consecutive:
            return trades
        first = _number(trades[0]) if trades else 0
        numbered = enumerate(trades, first)
        return [trade for _, trade in takewhile(lambda pair: _number(pair[1]) == pair[0], numbered)]

    def may_miss_before(self, asked: list[Trade]) -> bool:
        """Tell whether the newest trades of an exchange do not reach back to what was published.

        Without consecutive ids nothing proves it, but nothing that was published is among them.
        """
        if self.is_consecutive or not asked or self.last is None:
            return False
        are_unknown = all(identity not in self._seen for identity, _ in self._identified(asked))
        return are_unknown and _time(asked[0]) > _time(self.last)

    def add(self, trades: list[Trade]) -> None:
        """Count trades that `unseen` returned as published."""
        self.newest.extend(trades)
        if self.is_consecutive:
            self._last_number = _number(trades[-1])
            return
        self._seen.update([(identity, _time(trade)) for identity, trade in self._identified(trades, but=self._seen)])
        while len(self._seen) > REMEMBERED:
            del self._seen[next(iter(self._seen))]

    def _known_ms(self, trade: Trade) -> int | None:
        """Return the latest time at which a trade of this id can have happened; None if the id is not known."""
        if not self.is_consecutive:
            return None if trade.id is None else self._seen.get(self._identity(trade))
        if self.last is None or self._last_number is None or _number(trade) > self._last_number:
            return None
        return _time(self.last)

    def _identified(
        self, trades: Iterable[Trade], but: Container[_Identity] = frozenset()
    ) -> Iterator[tuple[_Identity, Trade]]:
        """Yield trades with their identities; those without an id that are alike have none of the identities `but`."""
        alike: Counter[_Identity] = Counter()
        for trade in trades:
            if trade.id is not None:
                yield self._identity(trade), trade
                continue
            said = (trade.timestamp, trade.side, trade.price, trade.amount, trade.order)
            while (*said, alike[said]) in but:
                alike[said] += 1
            yield (*said, alike[said]), trade
            alike[said] += 1

    def _identity(self, trade: Trade) -> _Identity:
        return trade.id, trade.order if self._per_order else None


def _time(trade: Trade) -> int:
    return trade.timestamp or 0


def _place(trade: Trade) -> tuple[int, int]:
    """Return the sort key of a trade: of those made in the same ms numbers tell, where ids are numbers."""
    return _time(trade), int(trade.id) if trade.id is not None and trade.id.isdecimal() else 0


def _number(trade: Trade) -> int:
    if trade.id is None:
        raise ValueError("a trade of a numbered stream has no id")
    return int(trade.id)
