from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace_core.names import ExchangeId
from millrace_exchange import profile_of
from millrace_exchange.ccxt.recording.book_proofs import BrokenChain, SequenceCheck
from millrace_exchange.ccxt.recording.frame_numbers import sequence_check


def kucoin(first: int, last: int | None = None, *, market: str = "BTC-USDT") -> dict[str, Any]:
    """A spot increment in KuCoin's form."""
    return {
        "type": "message",
        "topic": f"/market/level2:{market}",
        "subject": "trade.l2update",
        "data": {
            "changes": {"asks": [["18906", "0.00331", str(first)]], "bids": []},
            "sequenceStart": first,
            "sequenceEnd": first if last is None else last,
            "symbol": market,
            "time": 1663747970273,
        },
    }


def kucoin_futures(number: int) -> dict[str, Any]:
    """A futures increment in KuCoin's form."""
    data = {"sequence": number, "change": "5000.0,sell,83", "timestamp": 1551770400000}
    return {"type": "message", "topic": "/contractMarket/level2:XBTUSDTM", "subject": "level2", "data": data}


def kucoin_unified(number: int, kind: str = "delta") -> dict[str, Any]:
    """A frame of KuCoin's unified account."""
    data = {"O": number, "C": number, "M": "1774624848673000000", "a": [], "b": [["66532.4", "0.1"]], "s": "ETH-USDT"}
    return {"T": "obu.SPOT", "dp": "increment", "t": kind, "P": "1774624848680504909", "d": data}


def bybit(number: int, kind: str = "delta", market: str = "BTCUSDT") -> dict[str, Any]:
    """A frame in Bybit's form."""
    data = {"s": market, "b": [["30247.20", "30.028"]], "a": [], "u": number, "seq": 66544703342}
    return {"topic": f"orderbook.50.{market}", "type": kind, "ts": 1687940967466, "data": data}


def hitbtc(number: int, kind: str = "update", market: str = "ETHBTC") -> dict[str, Any]:
    """A frame in HitBTC's form."""
    book = {"t": 1626866578902, "s": number, "a": [], "b": [["0.060439", "4.4095"]]}
    return {"ch": "orderbook/full", kind: {market: book}}


def coinbase(number: int, channel: str = "l2_data") -> dict[str, Any]:
    """A frame in Coinbase's form."""
    event = {"type": "update", "product_id": "BTC-USD", "updates": []}
    return {"channel": channel, "timestamp": "2023-02-09T20:32:50.7Z", "sequence_num": number, "events": [event]}


def gate(number: int, kind: str = "update", market: str = "BTC_USDT") -> dict[str, Any]:
    """A spot frame in Gate's form, of two numbers; a full one has no first."""
    result: dict[str, Any] = {"t": 1748572394325, "s": f"ob.{market}.50", "u": 2 * number, "b": [["105958.9", "0"]]}
    result |= {"full": True} if kind == "snapshot" else {"U": 2 * number - 1}
    return {"channel": "spot.obu", "event": "update", "time_ms": 1748572394325, "result": result}


def mexc(number: int, market: str = "BTCUSDT") -> dict[str, Any]:
    """A frame in MEXC's form, as ccxt decodes it; it covers two numbers."""
    depths = {"asks": [], "bids": [], "fromVersion": str(2 * number - 1), "toVersion": str(2 * number)}
    return {"channel": f"spot@public.aggre.depth@{market}", "symbol": market, "publicAggreDepths": depths}


def htx(number: int, market: str = "btcusdt") -> dict[str, Any]:
    """A spot increment in HTX's form, whose numbers are not consecutive."""
    tick = {"seqNum": 7 * number, "prevSeqNum": 7 * number - 7, "bids": [[1.0, 0.0]], "asks": []}
    return {"ch": f"market.{market}.mbp.150", "ts": 1573199608679, "tick": tick}


def htx_swap(number: int, kind: str = "update") -> dict[str, Any]:
    """A contract's frame in HTX's form."""
    tick = {"version": number, "event": kind, "asks": [], "bids": [], "mrid": 1}
    return {"ch": "market.BTC-USDT.depth.size_150.high_freq", "ts": 1, "tick": tick}


FORMS: dict[str, Any] = {
    "kucoin": kucoin,
    "bybit": bybit,
    "hitbtc": hitbtc,
    "coinbase": coinbase,
    "gate": gate,
    "mexc": mexc,
    "htx": htx,
}
FUTURES = {"kucoin futures": kucoin_futures, "kucoin unified": kucoin_unified, "htx swap": htx_swap}
ALL = FORMS | FUTURES


def check(name: str) -> SequenceCheck:
    """A new connection's check."""
    found = sequence_check(profile_of(ExchangeId(name.split()[0])).book)
    assert found is not None
    return found


def first(name: str, number: int, **market: str) -> Any:
    """The frame that begins a chain: a whole book where the exchange sends one."""
    kind = {"kind": "snapshot"} if check(name).begins_whole else {}
    return ALL[name](number, **kind, **market)


def broken(sequence: SequenceCheck, frames: Iterable[dict[str, Any]]) -> list[BrokenChain]:
    """What a check finds missing before some frames."""
    return [chain for frame in frames for chain in sequence.broken_chains(frame)]


@pytest.mark.parametrize("name", ALL)
@given(start=st.integers(1, 10**12), count=st.integers(1, 12), lost=st.integers(0, 12))
def test_exactly_a_lost_frame_is_a_gap(name: str, start: int, count: int, lost: int) -> None:
    """Frames that follow each other prove nothing; the first after a lost one does, and only that one."""
    frames = [first(name, start), *(ALL[name](start + place) for place in range(1, count))][:count]
    found = broken(check(name), (frame for place, frame in enumerate(frames) if place != lost))
    is_first_needed = lost == 0 and count > 1 and check(name).begins_whole
    assert len(found) == (1 if 0 < lost < count - 1 or is_first_needed else 0)


@pytest.mark.parametrize("name", sorted(set(ALL) - {"coinbase"}))
def test_after_subscribing_again_the_chain_begins_anew(name: str) -> None:
    """A broken chain reports nothing until it was forgotten; then the next frame is the first."""
    sequence, form = check(name), ALL[name]
    [chain] = broken(sequence, map(form, (5, 7, 9)))
    sequence.forget(chain.market_id or "")
    assert len(broken(sequence, map(form, (20, 21, 23)))) == 1


def test_subscribing_to_one_book_forgets_nothing_of_a_connection() -> None:
    """Coinbase numbers all frames of a connection: a frame that is lost just then is noticed all the same."""
    sequence = check("coinbase")
    assert sequence.broken_chains(coinbase(5)) == []
    sequence.forget("BTC-USD")
    assert len(sequence.broken_chains(coinbase(7))) == 1


@given(steps=st.lists(st.tuples(st.integers(-3, 3), st.integers(0, 3)), max_size=12))
def test_kucoins_frames_may_overlap(steps: list[tuple[int, int]]) -> None:
    """A frame may begin before the end of the one before, and an older one is left out; beyond the next is a gap."""
    sequence, last = check("kucoin"), 100
    assert sequence.broken_chains(kucoin(100)) == []
    for back, length in steps:
        first = last + back
        found = sequence.broken_chains(kucoin(first, first + length))
        assert found == ([BrokenChain("BTC-USDT", last + 1, first)] if back > 1 else [])
        if found:
            return
        last = max(last, first + length)


@pytest.mark.parametrize("name", ["bybit", "hitbtc", "kucoin unified", "gate", "htx swap"])
def test_a_whole_book_needs_nothing_before_it(name: str) -> None:
    """A snapshot heals a broken chain, and begins one at any number."""
    sequence, form = check(name), ALL[name]
    assert sequence.broken_chains(form(8, "snapshot")) == []
    assert len(sequence.broken_chains(form(10))) == 1
    assert sequence.broken_chains(form(1, "snapshot")) == []
    assert sequence.broken_chains(form(2)) == []


@pytest.mark.parametrize("name", ["bybit", "hitbtc", "coinbase"])
def test_an_old_frame_is_a_gap_where_it_would_be_applied(name: str) -> None:
    """Ccxt applies whatever comes there: the same frame again, or a restart of the numbers, makes the book wrong."""
    for number in (5, 1):
        sequence = check(name)
        assert len(broken(sequence, [first(name, 5), FORMS[name](number)])) == 1


@pytest.mark.parametrize("name", ["kucoin", "bybit", "hitbtc", "gate", "mexc", "htx"])
def test_books_are_numbered_each_for_itself(name: str) -> None:
    """A gap concerns one market; the others go on, also while it is subscribed again."""
    sequence, form = check(name), FORMS[name]
    for market, number in (("A", 1), ("B", 51)):
        assert broken(sequence, [first(name, number, market=market), form(number + 1, market=market)]) == []
    assert [chain.market_id for chain in sequence.broken_chains(form(9, market="A"))] == ["A"]
    sequence.forget("A")
    assert sequence.broken_chains(form(53, market="B")) == []
    assert [chain.market_id for chain in sequence.broken_chains(form(55, market="B"))] == ["B"]


def test_coinbases_other_frames_count_too() -> None:
    """All channels of a connection share the numbers, and a gap concerns every book."""
    sequence = check("coinbase")
    assert sequence.broken_chains(coinbase(0, "subscriptions")) == []
    assert sequence.broken_chains(coinbase(1)) == []
    assert sequence.broken_chains(coinbase(2, "heartbeats")) == []
    assert sequence.broken_chains(coinbase(4)) == [BrokenChain(None, 3, 4)]


OTHERS: list[dict[str, Any]] = [
    {},
    {"id": "1", "type": "ack"},
    {"topic": None},
    {"success": True, "op": "subscribe"},
    {"topic": "/spotMarket/level2Depth5:BTC-USDT", "data": {"asks": [], "bids": [], "timestamp": 1}},
    {"ch": "orderbook/D5/500ms", "data": {"BTCUSDT": {"t": 1, "s": 9, "a": [], "b": []}}},
]


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("frame", OTHERS)
def test_other_frames_say_nothing(name: str, frame: dict[str, Any]) -> None:
    """Acknowledgements, whole small books and the rest are passed over."""
    assert check(name).broken_chains(frame) == []


def test_where_ccxt_looks_itself_nothing_is_checked() -> None:
    """No frame is looked at twice."""
    assert sequence_check(profile_of(ExchangeId("okx")).book) is None


def binance(number: int, time: int = 1) -> dict[str, Any]:
    """An update in Binance's form."""
    return {"e": "depthUpdate", "E": time, "s": "BTCUSDT", "U": number, "u": number, "b": [], "a": []}


def at(frame: dict[str, Any], *path: str, time: int) -> dict[str, Any]:
    """A frame with the exchange's time in one of its fields."""
    inner = frame
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = time
    return frame


@pytest.mark.parametrize(
    ("name", "form", "path"),
    [
        ("binance", binance, ("E",)),
        ("binanceusdm", binance, ("E",)),
        ("kucoin", kucoin, ("data", "time")),
        ("kucoin futures", kucoin_futures, ("data", "timestamp")),
        ("kucoin unified", kucoin_unified, ("d", "M")),
        ("gate", gate, ("result", "t")),
        ("htx swap", htx_swap, ("tick", "ts")),
    ],
)
def test_a_book_that_is_numbered_anew_is_broken(name: str, form: Any, path: tuple[str, ...]) -> None:
    """Ccxt leaves out all that follows for what came late; what came late is older."""
    sequence = check(name)
    assert broken(sequence, [at(form(number), *path, time=number) for number in (50, 51)]) == []
    assert broken(sequence, [at(form(3), *path, time=time) for time in (40, 51)]) == []
    [chain] = broken(sequence, [at(form(number), *path, time=number + 100) for number in (3, 4)])
    sequence.forget(chain.market_id or "")
    assert broken(sequence, [at(form(number), *path, time=number + 200) for number in (5, 6)]) == []


def test_gaps_that_ccxt_finds_are_left_to_it() -> None:
    """Binance."""
    assert broken(check("binance"), map(binance, (5, 9, 10))) == []


def test_mexcs_frames_carry_the_version_after_them() -> None:
    """Ccxt takes the first version for the book's, and leaves out a frame that a snapshot falls into."""
    frame = mexc(5)
    check("mexc").correct(frame)
    assert frame["publicAggreDepths"]["version"] == "10"
