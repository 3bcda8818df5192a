"""`make bench`: measure everything, or what is named: `make bench ARGS="bus feed"`."""

import argparse
import sys
import tempfile
from pathlib import Path

import uvloop
from rich.console import Console

from benchmarks import bus, database, feed, footprint, tick_to_trade
from benchmarks.figures import Figure, as_json, show

PARTS = {
    "bus": bus.run,
    "feed": feed.run,
    "tick-to-trade": tick_to_trade.run,
    "database": database.run,
    "footprint": footprint.run,
}


async def measure(names: list[str], console: Console) -> list[Figure]:
    """Run the named parts one after the other, each on a server of its own."""
    figures = []
    for name in names:
        console.print(f"measuring {name} …")
        with tempfile.TemporaryDirectory() as folder:
            figures += await PARTS[name](Path(folder))
    return figures


def main() -> int:
    """Measure, show, and fail when a target is missed."""
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="what to measure; all when not given")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    arguments = parser.parse_args()
    console = Console(width=130)
    figures = uvloop.run(measure(arguments.parts or list(PARTS), console))
    show(figures, console)
    if arguments.json:
        arguments.json.write_text(as_json(figures) + "\n")
    return 1 if any(figure.met is False for figure in figures) else 0


if __name__ == "__main__":
    sys.exit(main())
