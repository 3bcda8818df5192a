"""Run a campaign: `python -m tests.takeovers`, with the options that --help lists."""

import argparse
import asyncio
import shutil
import sys
import tempfile
from pathlib import Path

from tests.support.exchanges import EXCHANGES, TradedExchange
from tests.takeovers.campaign import Figures, campaign


def main() -> int:
    """Run it; return 1 if something was found that must not be."""
    parser = argparse.ArgumentParser("takeovers", description="Disturb the executor that acts; compare what happened.")
    parser.add_argument("--takeovers", type=int, default=100, metavar="N", help="how many (default %(default)s)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the moments (default %(default)s)")
    parser.add_argument("--folder", type=Path, help="where logs are left")
    parser.add_argument(
        "--exchange", choices=EXCHANGES, default="binance", help="where they trade (default %(default)s)"
    )
    options = parser.parse_args()
    figures = asyncio.run(_run(options.takeovers, options.seed, options.folder, EXCHANGES[options.exchange]))
    _say(figures.summary())
    return int(bool(figures.violations))


async def _run(takeovers: int, seed: int, folder: Path | None, exchange: TradedExchange) -> Figures:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as made:
        used = folder or Path(made)
        # What an earlier campaign left would be the past of another exchange.
        shutil.rmtree(used, ignore_errors=True)
        used.mkdir()
        async with campaign(used, seed, exchange) as running:
            return await running.run(takeovers, _say)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
