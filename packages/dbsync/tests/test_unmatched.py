import pytest

from millrace_core.names import StreamName
from millrace_dbsync.reading import unmatched
from millrace_dbsync.reading.unmatched import UnmatchedAssets

JOURNALS = [
    "stream.Ann.binance.watchTrades.ETH/BTC",
    "stream.snapshot.Ann.binance.watchTrades.ETH/BTC",
    "stream.snapshot.Ann.binance.watchOrders.ETH/BTC",
    "Ann.traderActions",
]


def test_assets_that_match_a_stream_or_its_snapshots_are_fine() -> None:
    """A stream of which only the snapshots are left counts."""
    assets = ["stream.Ann.*", "stream.Ann.binance.watchTrades.ETH/BTC", "stream.Ann.*.watchOrders.*"]
    assert UnmatchedAssets(assets).among(JOURNALS) is None


def test_assets_that_match_nothing_are_named_with_what_is_near() -> None:
    """Of a pattern nothing is near; of a name, streams of the same kind of data."""
    assert UnmatchedAssets(["stream.Ann.kucoin.*", "stream.Ann.binance.watchTrades.ETHBTC"]).among(JOURNALS) == (
        "stream.Ann.kucoin.* matches no stream; stream.Ann.binance.watchTrades.ETHBTC matches no stream; "
        "did you mean stream.Ann.binance.watchTrades.ETH/BTC?"
    )


def test_the_same_journals_are_searched_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are asked about every 2 s; other journals are searched again."""
    wanted: list[StreamName] = []
    search = unmatched.near_streams

    def counted(name: StreamName, streams: set[StreamName]) -> list[StreamName]:
        wanted.append(name)
        return search(name, streams)

    monkeypatch.setattr(unmatched, "near_streams", counted)
    assets = UnmatchedAssets(["stream.Ann.binance.watchTrades.ETHBTC"])
    assert assets.among(JOURNALS) == assets.among(list(JOURNALS)) is not None
    assert len(wanted) == 1
    assert assets.among([*JOURNALS, "stream.Ann.binance.watchTrades.ETHBTC"]) is None
