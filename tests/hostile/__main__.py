"""Run campaigns: `python -m tests.hostile --seeds 20`, on both kinds of database each."""

import argparse
import asyncio
import logging
import sys
import tempfile
from pathlib import Path

import structlog
from tests.hostile.campaign import Campaign, Findings
from tests.support import databases
from tests.support.databases import Database

from millrace_bus import Bus, EmbeddedServer
from millrace_store.testing import PostgresServer


def main() -> int:
    """Run them; return 1 if something was found that must not be."""
    parser = argparse.ArgumentParser("hostile", description="Leave hostile inputs beside good traffic, by a seed.")
    parser.add_argument("--seeds", type=int, default=20, metavar="N", help="how many (default %(default)s)")
    parser.add_argument("--first", type=int, default=1, metavar="N", help="the first seed (default %(default)s)")
    parser.add_argument("--inputs", type=int, default=1_000, metavar="N", help="of each seed (default %(default)s)")
    options = parser.parse_args()
    # What dbsync says of each dead letter would hide what the campaign says.
    logging.disable()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    seeds = range(options.first, options.first + options.seeds)
    return int(asyncio.run(_run(seeds, options.inputs)))


async def _run(seeds: range, inputs: int) -> bool:
    """Return whether something was violated."""
    violated = False
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as made:
        folder = Path(made)
        async with await PostgresServer.start(folder / "postgres") as postgres:
            for seed in seeds:
                for opened in (databases.sqlite(folder / f"sqlite{seed}"), databases.postgres(postgres)):
                    async with opened as database:
                        found = await one(seed, inputs, database, folder / f"{database.kind}{seed}")
                    _say(seed, database, found)
                    violated |= bool(found.violations)
    return violated


async def one(seed: int, inputs: int, database: Database, folder: Path) -> Findings:
    """Return what one campaign found."""
    async with await EmbeddedServer.start(folder) as server, Bus.connect(server.url, name="hostile") as bus:
        return await Campaign(server, bus, database, folder).run(seed, inputs)


def _say(seed: int, database: Database, found: Findings) -> None:
    sys.stdout.write(
        f"seed {seed} on {database.kind}: {found.inputs} inputs, {found.refused_by_redis} refused by Redis, "
        f"{found.dead_letters} dead letters, {found.good} good messages, {len(found.violations)} violations\n"
    )
    sys.stdout.writelines(f"  {each}\n" for each in found.violations)
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
