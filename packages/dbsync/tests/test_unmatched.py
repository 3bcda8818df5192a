from millrace_dbsync.reading.unmatched import unmatched_assets

JOURNALS = [
    "stream.Ann.binance.watchTrades.ETH/BTC",
    "stream.snapshot.Ann.binance.watchTrades.ETH/BTC",
    "stream.snapshot.Ann.binance.watchOrders.ETH/BTC",
    "Ann.traderActions",
]


def test_assets_that_match_a_stream_or_its_snapshots_are_fine() -> None:
    """A stream of which only the snapshots are left counts."""
    assets = ["stream.Ann.*", "stream.Ann.binance.watchTrades.ETH/BTC", "stream.Ann.*.watchOrders.*"]
    assert unmatched_assets(assets, JOURNALS) is None


def test_assets_that_match_nothing_are_named_with_what_is_near() -> None:
    """Of a pattern nothing is near; of a name, streams of the same kind of data."""
    assert unmatched_assets(["stream.Ann.kucoin.*", "stream.Ann.binance.watchTrades.ETHBTC"], JOURNALS) == (
        "stream.Ann.kucoin.* matches no stream; stream.Ann.binance.watchTrades.ETHBTC matches no stream; "
        "did you mean stream.Ann.binance.watchTrades.ETH/BTC?"
    )
