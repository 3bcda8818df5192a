"""Every message is in the database exactly once, whichever process is killed; losses are recorded."""

import logging
from pathlib import Path

import pytest
from tests.support.comparison import Gap, caught_up, compare
from tests.support.databases import Database, on_databases
from tests.support.holes import Holes
from tests.support.ordeal import KILLS, SECONDS, Ordeal, seeded
from tests.support.platform import STORED_KINDS, running
from tests.support.recording import recording
from tests.support.served import TENANT, Api, api_of
from tests.support.trading import BUSY, end_feeds, trades_on, two_pairs

log = logging.getLogger(__name__)


@on_databases("postgresql")
@pytest.mark.system
@pytest.mark.timeout(120 + 2 * SECONDS)
async def test_the_rows_are_the_messages_whichever_process_is_killed(tmp_path: Path, database: Database) -> None:
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


@on_databases("sqlite")
@pytest.mark.system
@pytest.mark.timeout(240)
async def test_every_loss_is_one_gap_with_the_exact_count(tmp_path: Path, database: Database) -> None:
    """Entries removed before they were read are known: one row per gap, and everything else is stored."""
    random = seeded()
    async with (
        running(tmp_path, STORED_KINDS, simulator=BUSY, change=two_pairs, database=database) as platform,
        recording(platform.server.url) as recorded,
    ):
        holes = Holes(platform, recorded, random)
        await holes.wait(database)
        await platform.kill("dbsync")
        await holes.make(database)
        await platform.start_service("dbsync")
        await trades_on(platform)
        await end_feeds(platform)
        await caught_up(platform, recorded, database)
        result = await compare(recorded, database)
        lost = sum(hole.missing for hole in holes.made)
        log.info("%s: %d holes were made, of %d messages together", database.kind, len(holes.made), lost)
        log.info("%s: %s", database.kind, result)
        assert result.differences == []
        assert result.gaps == holes.made
        assert sum(map(len, result.unstored.values())) == lost
        async with api_of(platform) as api:
            assert await reported(api) == holes.made


async def reported(api: Api) -> list[Gap]:
    """Return the gaps that the API lists for the tenant: its own and those of the public feeds."""
    rows = [row for tenant in (TENANT, "PUBLIC") for row in await api.all("/gaps", tenant=tenant)]
    return sorted(Gap(*(row[field] for field in ("stream", "epoch", "firstSeq", "lastSeq", "missing"))) for row in rows)
