"""The API returns the order book at any past time as the exchange itself recorded it."""

import asyncio
import json
import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pytest
from tests.support.databases import AWAY, Database, on_databases
from tests.support.ordeal import MOMENTS, SECONDS, seeded
from tests.support.platform import Platform, running, until
from tests.support.recording import Recording, recording
from tests.support.served import Api, api_of
from tests.support.trading import BUSY, MARKETS, two_pairs

from millrace_core.clock import NS_PER_MS
from millrace_core.ids import MessageId

log = logging.getLogger(__name__)

KINDS = ("gatherer", "dbsync", "api")
RECORDED_S = max(6.0, SECONDS / 3)
BUSIER = BUSY | {"eventsPerSecond": 1000, "depthIntervalMs": 20}
DEPTHS = (None, 1, 10, 100)
BOOKS = {symbol: f"PUBLIC.binance.watchOrderBook.{symbol}" for symbol in MARKETS}


class Past(NamedTuple):
    """What was published of one book: of each message its time, how far the book had come, and its number then."""

    at_ms: int
    id: MessageId
    nonce: int | None


@dataclass
class Asked:
    """Books that the API gave, held against the exchange's."""

    equal: int = 0
    different: list[str] = field(default_factory=list)
    proved: int = 0
    """Those of which the API says that a checksum proved them."""


def past_of(recorded: Recording, name: str) -> list[Past]:
    """Return the past of a book as it was published, oldest first."""
    past = []
    for id_, body in recorded.journals[f"stream.{name}"].items():
        message = json.loads(body)
        past.append(Past(message["trace"]["published"] // NS_PER_MS, id_, message["data"].get("nonce")))
    for body in recorded.journals[f"stream.snapshot.{name}"].values():
        message = json.loads(body)
        as_of = MessageId.parse(message["data"]["asOf"])
        past.append(Past(message["trace"]["published"] // NS_PER_MS, as_of, message["data"]["nonce"]))
    return sorted(past, key=lambda each: each[:2])


@on_databases("postgresql")
@pytest.mark.system
@pytest.mark.timeout(120 + SECONDS + MOMENTS)
async def test_the_book_of_any_past_moment_is_the_exchanges_own(tmp_path: Path, database: Database) -> None:
    """Asked for by time, by the exchange's number and by message: equal level by level, also around outages."""
    random = seeded()
    async with (
        running(tmp_path, KINDS, simulator=BUSIER, change=two_pairs, database=database) as platform,
        recording(platform.server.url) as recorded,
        api_of(platform) as api,
    ):
        await recorded_for_long(platform, recorded)
        past = {symbol: past_of(recorded, name) for symbol, name in BOOKS.items()}
        await stored(platform, {BOOKS[symbol]: max(each.id for each in seen) for symbol, seen in past.items()})
        asked = Asked()
        for number in range(MOMENTS):
            symbol = MARKETS[number % len(MARKETS)]
            await ask(platform, api, asked, symbol, past[symbol], random)
        log.info(
            "%s: %d books over %.0f s and %d messages: %d equal, %d different, %d proved by checksum",
            *(database.kind, MOMENTS, RECORDED_S, sum(map(len, past.values()))),
            *(asked.equal, len(asked.different), asked.proved),
        )
        assert asked.different == []
        assert asked.equal == MOMENTS


async def recorded_for_long(platform: Platform, recorded: Recording) -> None:
    """Let the books go on for a while, in which the gatherer dies once, and Redis once."""
    for name in BOOKS.values():

        async def begun(name: str = name) -> bool:
            return len(recorded.journals.get(f"stream.{name}", {})) > 2

        await until(begun, f"{name} has begun", 60, platform)
    await asyncio.sleep(RECORDED_S / 3)
    await platform.kill("gatherer")
    await platform.start_service("gatherer")
    await asyncio.sleep(RECORDED_S / 3)
    await platform.server.kill()
    await platform.server.restart()
    await asyncio.sleep(RECORDED_S / 3)


async def stored(platform: Platform, ends: dict[str, MessageId]) -> None:
    """Wait until each book is stored up to a message."""

    async def is_stored() -> bool:
        assert platform.database is not None
        try:
            rows = await platform.database.fetch("SELECT name, position_epoch, position_seq FROM streams")
        except AWAY:
            return False
        at = {name: MessageId(epoch, seq) for name, epoch, seq in rows}
        return all(at.get(f"stream.{name}", MessageId(0, 0)) >= end for name, end in ends.items())

    await until(is_stored, "the books are stored", 60, platform)


async def ask(platform: Platform, api: Api, asked: Asked, symbol: str, past: list[Past], random: Random) -> None:
    """Ask for one book, in one of the ways that there are, and hold it against the exchange's."""
    question, expected = random.choice((by_time, by_iso_time, by_number, by_message))(past, random)
    depth = random.choice(DEPTHS)
    shallow = {} if depth is None else {"depth": depth}
    book = await api.get(f"/orderbooks/binance/{symbol}", tenant="PUBLIC", **question, **shallow)
    theirs = await platform.get("/simulator/book", symbol=symbol.replace("/", ""), updateId=book["nonce"])
    sides = {side: [[float(p), float(q)] for p, q in theirs[side]][:depth] for side in ("bids", "asks")}
    asked.proved += book["checked"]
    if expected not in (book["messageId"], book["nonce"]):
        asked.different.append(f"{symbol} {question}: {book['messageId']}, {book['nonce']} instead of {expected}")
    elif {side: book[side] for side in sides} != sides:
        asked.different.append(f"{symbol} {question} {shallow}: not the exchange's book at {book['nonce']}")
    else:
        asked.equal += 1


def by_time(past: list[Past], random: Random) -> tuple[dict[str, Any], str]:
    """Ask by ms; the newest message until then is expected."""
    at_ms = random.randint(past[0].at_ms, past[-1].at_ms)
    return {"at": at_ms}, str(max(each.id for each in past if each.at_ms <= at_ms))


def by_iso_time(past: list[Past], random: Random) -> tuple[dict[str, Any], str]:
    """Ask by the same written as people write it."""
    question, expected = by_time(past, random)
    at = datetime.fromtimestamp(question["at"] // 1_000, UTC).replace(microsecond=question["at"] % 1_000 * 1_000)
    return {"at": at.isoformat()}, expected


def by_number(past: list[Past], random: Random) -> tuple[dict[str, Any], int]:
    """Ask by any number of the exchange's, also one between two messages; the newest book until then is expected."""
    numbers = [each.nonce for each in past if each.nonce is not None]
    number = random.randint(min(numbers), max(numbers))
    return {"nonce": number}, max(each for each in numbers if each <= number)


def by_message(past: list[Past], random: Random) -> tuple[dict[str, Any], str]:
    """Ask by a message; the book after it is expected."""
    message = str(random.choice(past).id)
    return {"message_id": message}, message
