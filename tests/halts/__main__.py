"""Run a campaign: `python -m tests.halts`, with the options that --help lists."""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from tests.halts.campaign import Figures, campaign


def main() -> int:
    """Run it; return 1 if not every open order was canceled."""
    parser = argparse.ArgumentParser("halts", description="Halt an executor under load, and with open orders.")
    parser.add_argument("--halts", type=int, default=10, metavar="N", help="how many of each (default %(default)s)")
    parser.add_argument("--orders", type=int, default=100, metavar="N", help="open ones (default %(default)s)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the exchange (default %(default)s)")
    options = parser.parse_args()
    figures = asyncio.run(_run(options))
    sys.stdout.write(f"{figures.summary()}\n")
    return int(any(canceled != options.orders for canceled in figures.canceled))


async def _run(options: argparse.Namespace) -> Figures:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        async with campaign(Path(folder), options.seed) as running:
            return await running.run(options.halts, options.orders)


if __name__ == "__main__":
    sys.exit(main())
