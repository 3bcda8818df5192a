"""Run schedules of faults: `python -m tests.faults`, with the options that --help lists."""

import argparse
import asyncio
import json
import os
import sys
import tempfile
from collections import Counter
from pathlib import Path
from time import monotonic

from tests.faults.plan import Plan, plan_of
from tests.faults.schedule import Outcome, run
from tests.support.exchanges import EXCHANGES

from millrace_store import Store


def main() -> int:
    """Run them; return 1 if something was found that must not be."""
    options = _parser().parse_args()
    if options.alone is not None:
        outcome = asyncio.run(run(plan_of(options.alone, options.exchange), options.database, options.folder))
        sys.stdout.write(json.dumps(_record(outcome)) + "\n")
        return 0
    seeds = range(options.first, options.first + options.seeds)
    return asyncio.run(_run_all(seeds, options.parallel, options.folder, options.exchange))


def _record(outcome: Outcome) -> dict[str, object]:
    return {
        "requests": outcome.requests,
        "statuses": outcome.statuses,
        "faults": outcome.faults,
        "settled_s": outcome.settled_s,
        "violations": outcome.violations,
        "shown": outcome.shown,
    }


async def _run_all(seeds: range, parallel: int, keep: Path | None, exchange: str | None) -> int:
    """Run each schedule in a process of its own, some at a time; say what became of each."""
    totals: Counter[str] = Counter()
    failed: list[int] = []
    turns, began_s = asyncio.Semaphore(parallel), monotonic()
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "empty.db"
        async with Store.open(f"sqlite:///{database}"):
            pass

        async def one(seed: int) -> None:
            async with turns:
                try:
                    record = await _alone(seed, database, None if keep is None else keep / str(seed), exchange)
                except (OSError, ValueError) as error:
                    # One schedule that cannot be run, or says nothing, does not end the others'.
                    _say(f"seed {seed}: {error!r}")
                    record = None
            if record is None or record["violations"]:
                failed.append(seed)
            if record is not None:
                totals.update(record["statuses"])
                totals["requests"] += record["requests"]
                totals["faults at the exchange"] += sum(record["faults"].values())
            totals["schedules"] += 1
            _say(_line(plan_of(seed, exchange), record, totals["schedules"], len(seeds)))

        await asyncio.gather(*(one(seed) for seed in seeds))
    took_s = monotonic() - began_s
    _say(f"{dict(totals)} in {took_s:.0f} s, {took_s / len(seeds):.1f} s a schedule")
    _say(f"{len(failed)} schedules with violations: {sorted(failed)}")
    return int(bool(failed))


async def _alone(seed: int, database: Path, keep: Path | None, exchange: str | None) -> dict[str, object] | None:
    if keep is not None:
        keep.mkdir(parents=True)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.faults", "--alone", str(seed), "--database", str(database)),
        *(() if keep is None else ("--folder", str(keep))),
        *(() if exchange is None else ("--exchange", exchange)),
        env=os.environ,
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    lines = output.decode().splitlines()
    return json.loads(lines[-1]) if process.returncode == 0 and lines else None


def _line(plan: Plan, record: dict[str, object] | None, done: int, of: int) -> str:
    head = f"{done}/{of} seed {plan.seed}: {plan}"
    if record is None:
        return f"{head}: THE CAMPAIGN FAILED"
    text = f"{head}: {record['requests']} requests, {record['statuses']}, settled in {record['settled_s']:.1f} s"
    shown = [f"in the end: {each}" for each in record["shown"]] if record["violations"] else []  # type: ignore[attr-defined]
    return "\n  ".join([text, *map(str, record["violations"]), *shown])  # type: ignore[call-overload]


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "faults", description="Let everything fail around executors, and judge the answers."
    )
    parser.add_argument("--seeds", type=int, default=10, metavar="N", help="how many schedules (default %(default)s)")
    parser.add_argument("--first", type=int, default=1, metavar="N", help="the first seed (default %(default)s)")
    parser.add_argument("--parallel", type=int, default=3, metavar="N", help="at a time (default %(default)s)")
    parser.add_argument("--exchange", choices=EXCHANGES, help="in place of the one that each seed chooses")
    parser.add_argument("--alone", type=int, metavar="SEED", help=argparse.SUPPRESS)
    parser.add_argument("--database", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help="where logs are left")
    return parser


if __name__ == "__main__":
    sys.exit(main())
