"""`make bench`: measure everything, or what is named: `make bench ARGS="bus feed"`."""

import argparse
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path

import uvloop
from rich.console import Console

from benchmarks import (
    backtest,
    bus,
    console,
    console_beside,
    console_pages,
    database,
    feed,
    footprint,
    halt_outages,
    history,
    isolation,
    orders,
    strategy_process,
    tenants,
    tick_to_trade,
)
from benchmarks.figures import Figure, as_json, show

Part = Callable[[Path], Awaitable[list[Figure]]]

PARTS: dict[str, Part] = {
    "bus": bus.run,
    "feed": feed.run,
    "tick-to-trade": tick_to_trade.run,
    "orders": orders.run,
    "database": database.run,
    "isolation": isolation.run,
    "footprint": footprint.run,
    "history": history.run,
    "strategy-process": strategy_process.run,
    "console": console.run,
    "console-pages": console_pages.run,
    "console-beside": console_beside.run,
    "tenants": tenants.run,
    "halt-outages": halt_outages.run,
    "backtest": backtest.run,
}
LONG = {
    *(
        "history",
        "strategy-process",
        "console",
        "console-pages",
        "console-beside",
        "tenants",
        "halt-outages",
        "backtest",
    )
}
"""Parts that run only when they are named."""


async def measure(parts: Mapping[str, Part], console: Console) -> list[Figure]:
    """Run parts one after the other, each on a server of its own."""
    figures = []
    for name, part in parts.items():
        console.print(f"measuring {name} …")
        with tempfile.TemporaryDirectory() as folder:
            figures += await part(Path(folder))
    return figures


def main() -> int:
    """Measure, print, and fail when a target is missed."""
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument(
        "parts",
        nargs="*",
        choices=[*PARTS, []],
        help=f"what to measure; all but {', '.join(sorted(LONG))} when not given",
    )
    parser.add_argument("--json", type=Path, help="write the figures here too")
    parser.add_argument("--trades", type=int, default=history.TRADES, help="how many trades history is asked of")
    arguments = parser.parse_args()
    console = Console(width=130)
    parts = PARTS | {"history": partial(history.run, trades=arguments.trades)}
    names = arguments.parts or [name for name in PARTS if name not in LONG]
    figures = uvloop.run(measure({name: parts[name] for name in names}, console))
    show(figures, console)
    if arguments.json:
        arguments.json.write_text(as_json(figures) + "\n")
    return 1 if any(figure.met is False for figure in figures) else 0


if __name__ == "__main__":
    sys.exit(main())
