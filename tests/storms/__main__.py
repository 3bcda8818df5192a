"""Run a campaign: `python -m tests.storms`, with the options that --help lists."""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

import uvloop
from tests.storms import report
from tests.storms.dialects import DIALECTS
from tests.storms.faults import STEADY, STORM
from tests.storms.figures import Figures
from tests.storms.plan import Plan
from tests.storms.processes import campaign


def main() -> int:
    """Run it; return 1 if something was found that must not be."""
    options = _parser().parse_args()
    plan = Plan(
        dialect=options.dialect,
        adapter=options.adapter,
        frames=options.frames,
        seed=options.seed,
        weather=STEADY if options.steady else STORM,
        events_per_second=options.events_per_second,
        frames_a_run=options.frames_a_run,
    )
    _say(str(plan))
    figures = uvloop.run(_run(plan, options.folder))
    _say(report.summary(figures))
    return int(bool(figures.violations))


async def _run(plan: Plan, folder: Path | None) -> Figures:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as made:
        used = folder or Path(made)
        # What an earlier campaign left would be the past of another exchange.
        shutil.rmtree(used, ignore_errors=True)
        used.mkdir()
        async with campaign(plan, used) as running:
            return await running.run(lambda figures: _say(report.progress(figures)))


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("storms", description="Disturb a gatherer by a seed, and compare what it shows.")
    parser.add_argument("--frames", type=int, default=100_000, metavar="N", help="how long (default %(default)s)")
    parser.add_argument("--dialect", choices=DIALECTS, default="binance", help="the exchange's (default %(default)s)")
    parser.add_argument("--adapter", choices=("native", "ccxt"), default="native", help="(default %(default)s)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of market and faults (default %(default)s)")
    parser.add_argument("--steady", action="store_true", help="one fault in 30 s a stream, in place of one in 2 s")
    parser.add_argument("--events-per-second", type=float, default=3_000, metavar="N", help="(default %(default)s)")
    parser.add_argument(
        "--frames-a-run", type=int, default=50_000, metavar="N", help="frames until the account is compared"
    )
    parser.add_argument("--folder", type=Path, help="where logs are left")
    return parser


if __name__ == "__main__":
    sys.exit(main())
