"""Run a campaign: `python -m tests.poison`, with the options that --help lists."""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from tests.poison.campaign import Figures, campaign


def main() -> int:
    """Run it; return 1 if something was found that must not be."""
    parser = argparse.ArgumentParser("poison", description="Send poisonous requests between good ones.")
    parser.add_argument("--requests", type=int, default=100_000, metavar="N", help="poisonous (default %(default)s)")
    parser.add_argument("--good", type=int, default=2_000, metavar="N", help="good, in each part (default %(default)s)")
    parser.add_argument("--rate", type=float, default=300, metavar="N", help="poisonous a second (default %(default)s)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="(default %(default)s)")
    figures = asyncio.run(_run(parser.parse_args()))
    sys.stdout.write(f"{figures.summary()}\n")
    return int(bool(figures.violations))


async def _run(options: argparse.Namespace) -> Figures:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        async with campaign(Path(folder), options.seed) as running:
            return await running.run(options.good, options.requests, per_second=options.rate)


if __name__ == "__main__":
    sys.exit(main())
