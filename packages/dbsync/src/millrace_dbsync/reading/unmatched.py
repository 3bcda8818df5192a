"""Assets of a configuration that match no stream, of which nothing would be stored, in silence."""

from collections.abc import Collection, Iterable

from millrace_core.errors import InvalidName
from millrace_core.names import StreamName
from millrace_core.near_names import near_streams, question
from millrace_dbsync.plan import matches


class UnmatchedAssets:
    """Tells which assets match no journal; searches again only when there are other journals."""

    def __init__(self, assets: Collection[str]) -> None:
        self._assets = assets
        self._journals: Collection[str] | None = None
        self._unmatched: str | None = None

    def among(self, journals: Collection[str]) -> str | None:
        """Return which assets match none of a tenant's journals, with streams that are near; None if each matches."""
        if journals != self._journals:
            self._journals, self._unmatched = journals, _search(self._assets, journals)
        return self._unmatched


def _search(assets: Iterable[str], journals: Iterable[str]) -> str | None:
    streams = {stream for name in journals if (stream := _stream(name)) is not None}
    names = [str(stream) for stream in streams]
    unmatched = [asset for asset in assets if not any(matches(asset, name) for name in names)]
    return "; ".join(f"{asset} matches no stream{_near(asset, streams)}" for asset in unmatched) or None


def _near(asset: str, streams: Iterable[StreamName]) -> str:
    wanted = None if "*" in asset else _stream(asset)
    return "" if wanted is None else question(map(str, near_streams(wanted, streams)))


def _stream(name: str) -> StreamName | None:
    try:
        return StreamName.parse(name)
    except InvalidName:
        return None
