"""Everything that travelled is in the database exactly once, whoever is killed meanwhile; what was lost is known."""

import logging
from pathlib import Path

import pytest
from tests.support.comparison import caught_up, compare
from tests.support.databases import Database
from tests.support.ordeal import KILLS, SECONDS, Ordeal, seeded
from tests.support.platform import STORED_KINDS, running
from tests.support.recording import recording
from tests.support.trading import BUSY, end_feeds, trades_on, two_pairs

log = logging.getLogger(__name__)

both_databases = pytest.mark.parametrize("server_if_any", ["sqlite", "postgresql"], indirect=True)


@both_databases
@pytest.mark.system
@pytest.mark.timeout(120 + 2 * SECONDS)
async def test_whoever_is_killed_the_rows_are_the_messages_one_for_one(tmp_path: Path, database: Database) -> None:
    """With dbsync, the database and Redis killed while strategies trade: every message once, as it was, and no gap."""
    random = seeded()
    async with (
        running(tmp_path, STORED_KINDS, simulator=BUSY, change=two_pairs, database=database) as platform,
        recording(platform.server.url) as recorded,
    ):
        await trades_on(platform)
        ordeal = Ordeal(platform, random)
        await ordeal.endure(SECONDS, KILLS)
        await trades_on(platform)
        await end_feeds(platform)
        await caught_up(platform, recorded, database)
        result = await compare(recorded, database)
        log.info("%s, %.0f s, killed: %s", database.kind, SECONDS, " ".join(ordeal.done))
        log.info("%s: %s", database.kind, result)
        assert result.differences == []
        assert result.gaps == []
