"""One hostile input after the other, by a seed: what any program with access to Redis can leave there."""

from collections.abc import Iterator
from random import Random
from typing import Final, NamedTuple

from tests.hostile.bodies import DATA, EPOCH, message

Command = tuple[str | bytes | int, ...]
"""A command of Redis."""


class Entry(NamedTuple):
    """An entry of a journal."""

    key: str
    entry_id: str
    body: bytes


_SYMBOLS: Final = ("A/USDT", "B/USDT:USDT", "币/USDT", "C.D/E")
_ODD_SYMBOLS: Final = (b"K\0", b"K\n", b"\xff\xfe", b"K" * 200, b"*", b"\xef\xbf\xbd", b" ")
_AGENTS: Final = (b"X", b"\xff", b"A B", b"DBSYNC2")
_IDS: Final = ("18446744073709551615-18446744073709551615", f"{2**63}-1", "100000000000000-1")


class Inputs:
    """Makes hostile inputs for the journals of a tenant, and for the channel of one of its good streams."""

    def __init__(self, seed: int, tenant: str, channel: str) -> None:
        self._random, self._tenant, self._channel = Random(seed), tenant, channel
        self._next: dict[str, int] = {}
        self._ended: set[str] = set()
        """Journals that hold an id after which nothing can come."""
        self._snapshots = ("watchOrderBook", "watchTicker", "watchBalance", "watchOrders")

    def of(self, count: int) -> Iterator[Entry | Command]:
        """Yield so many inputs."""
        for _ in range(count):
            choice = self._random.random()
            if choice < 0.7:
                yield self._entry()
            elif choice < 0.8:
                yield self._published()
            else:
                yield self._foreign_key() if choice < 0.9 else self._config()

    def _entry(self) -> Entry:
        random = self._random
        action = random.choice(list(DATA))
        is_snapshot = action in self._snapshots and random.random() < 0.3
        key = self._key(action, random.choice(_SYMBOLS), is_snapshot=is_snapshot)
        kind = "response" if action == "createOrder" else "snapshot" if is_snapshot else "delta"
        entry_id = self._id(key)
        return Entry(key, entry_id, message(random, action, entry_id, kind))

    def _key(self, action: str, symbol: str, *, is_snapshot: bool) -> str:
        if action == "requests":
            return f"{self._tenant}.traderActions"
        return f"stream.{'snapshot.' * is_snapshot}{self._tenant}.binance.{action}.{symbol}"

    def _id(self, key: str) -> str:
        """Return the next id of a journal, rarely one that no writer has."""
        if self._random.random() < 0.01 and key not in self._ended:
            self._ended.add(key)
            return self._random.choice(_IDS)
        self._next[key] = seq = self._next.get(key, 0) + self._random.choice((1, 1, 1, 1, 1, 7))
        return f"{EPOCH}-{seq}"

    def _published(self) -> Command:
        epoch = self._random.choice((EPOCH, 95_000_000_000_000, 2**63, 2**64 - 1))
        entry_id = f"{epoch}-{self._random.choice((1, 5_000, 2**63))}"
        return "PUBLISH", self._channel, message(self._random, "watchTrades", entry_id, "delta")

    def _foreign_key(self) -> Command:
        random = self._random
        symbol, index = random.choice(_ODD_SYMBOLS), f"index.journals.{self._tenant}"
        key = b"stream.%b.binance.watchTrades.%b" % (self._tenant.encode(), symbol)
        return random.choice((
            ("ZADD", index, "+inf", key),
            ("SADD", "index.tenants", random.randbytes(4)),
            ("SADD", "index.agents", random.choice(_AGENTS)),
            ("SET", b"agent." + random.choice(_AGENTS), random.randbytes(20)),
            ("SET", key, random.randbytes(8)),
            ("HSET", f"order.{{{self._tenant}}}.{random.randrange(9)}", "order", random.randbytes(9)),
            ("HSET", f"halt.{{{self._tenant}}}x", random.randbytes(5), random.randbytes(5)),
        ))  # fmt: skip

    def _config(self) -> Command:
        agent = self._random.choice(_AGENTS)
        if self._random.random() < 0.3:
            return "SADD", "index.configs", agent
        return "SET", b"stream.config." + agent, message(self._random, "requests", "", "")
