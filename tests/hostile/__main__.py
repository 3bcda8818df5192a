"""Run campaigns: `python -m tests.hostile --seeds 20`, on both kinds of database each."""

import argparse
import asyncio
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.hostile.campaign import Campaign, Findings
from tests.hostile.delays import Phase, Way
from tests.support import databases
from tests.support.databases import Database

from millrace_bus import Bus, EmbeddedServer
from millrace_store.testing import PostgresServer

MOST_DELAYED: Final = 3.0
"""How much longer good messages may take beside hostile inputs, p99."""


def main() -> int:
    """Run them; return 1 if something was found that must not be."""
    parser = argparse.ArgumentParser("hostile", description="Leave hostile inputs beside good traffic, by a seed.")
    parser.add_argument("--seeds", type=int, default=20, metavar="N", help="how many (default %(default)s)")
    parser.add_argument("--first", type=int, default=1, metavar="N", help="the first seed (default %(default)s)")
    parser.add_argument("--inputs", type=int, default=1_000, metavar="N", help="of each seed (default %(default)s)")
    parser.add_argument("--pace", type=float, default=5.0, metavar="MS", help="between inputs (default %(default)s)")
    options = parser.parse_args()
    seeds = range(options.first, options.first + options.seeds)
    return int(asyncio.run(_run(seeds, options.inputs, options.pace / 1_000)))


async def _run(seeds: range, inputs: int, pace_s: float) -> bool:
    """Return whether something was violated."""
    violated, delays = False, defaultdict[tuple[str, Way, Phase], list[float]](list)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as made:
        folder = Path(made)
        async with await PostgresServer.start(folder / "postgres") as postgres:
            for seed in seeds:
                for opened in (databases.sqlite(folder / f"sqlite{seed}"), databases.postgres(postgres)):
                    async with opened as database:
                        found = await one(seed, inputs, database, folder / f"{database.kind}{seed}", pace_s)
                    _say(seed, database, found)
                    violated |= bool(found.violations)
                    for (phase, way), taken_ms in found.delays.taken_ms.items():
                        delays[database.kind, way, phase] += taken_ms
    return _say_delays(delays) or violated


async def one(seed: int, inputs: int, database: Database, folder: Path, pace_s: float = 0.0) -> Findings:
    """Return what one campaign found."""
    async with await EmbeddedServer.start(folder) as server, Bus.connect(server.url, name="hostile") as bus:
        return await Campaign(server, bus, database, folder).run(seed, inputs, pace_s)


def _say(seed: int, database: Database, found: Findings) -> None:
    sys.stdout.write(
        f"seed {seed} on {database.kind}: {found.inputs} inputs, {found.refused_by_redis} refused by Redis, "
        f"{found.dead_letters} dead letters, {found.good} good messages, {len(found.violations)} violations\n"
    )
    sys.stdout.writelines(f"  {each}\n" for each in found.violations)
    sys.stdout.flush()


def _say_delays(delays: Mapping[tuple[str, Way, Phase], list[float]]) -> bool:
    """Print by how much hostile inputs delay good messages; return whether any is delayed by too much."""
    too_much = False
    for kind, way, phase in sorted(delays):
        if phase == "quiet":
            quiet, hostile = (_p99(delays[kind, way, each]) for each in ("quiet", "hostile"))
            too_much |= (ratio := hostile / quiet) > MOST_DELAYED
            sys.stdout.write(
                f"good messages on {kind}, {way}: p99 {quiet:.1f} ms in quiet, {hostile:.1f} ms beside hostile inputs: "
                f"{ratio:.2f} times (at most {MOST_DELAYED:g})\n"
            )
    return too_much


def _p99(taken_ms: list[float]) -> float:
    return statistics.quantiles(taken_ms, n=100)[98]


if __name__ == "__main__":
    sys.exit(main())
