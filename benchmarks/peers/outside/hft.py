"""The peer hftbacktest: its engine over the changes of a recording's first symbol. Runs in a Python that has it.

python benchmarks/peers/outside/hft.py RECORDING    prints the number of changes and the seconds of the compiled loop
"""

import gzip
import json
import sys
import time
from typing import Any

import numpy as np
from hftbacktest import BacktestAsset, HashMapMarketDepthBacktest
from hftbacktest.types import BUY_EVENT, DEPTH_EVENT, EXCH_EVENT, LOCAL_EVENT, SELL_EVENT, event_dtype
from numba import njit


@njit  # type: ignore[misc]
def watch(backtest: Any) -> int:
    """Look at the best prices at each row."""
    seen = 0
    while backtest.wait_next_feed(False, 10**18) != 1:
        depth = backtest.depth(0)
        if depth.best_bid < depth.best_ask:
            seen += 1
    return seen


def rows(path: str) -> tuple[int, Any]:
    """Return how many messages, and the engine's rows."""
    names: dict[int, str] = {}
    found: list[tuple[Any, ...]] = []
    first, messages = None, 0
    with gzip.open(path) as lines:
        for line in map(json.loads, lines):
            if isinstance(line, dict):
                names |= {line["stream"]: line["name"]} if "stream" in line else {}
            elif ".watchOrderBook." in names[line[0]] and (first is None or names[line[0]].endswith(first)):
                first = names[line[0]].rsplit(".", 1)[1]
                messages += 1
                for side, levels in ((BUY_EVENT, line[3]["data"]["bids"]), (SELL_EVENT, line[3]["data"]["asks"])):
                    kind = DEPTH_EVENT | EXCH_EVENT | LOCAL_EVENT | side
                    found += [(kind, line[1], line[1], price, amount, 0, 0, 0.0) for price, amount in levels]
    return messages, np.array(found, dtype=event_dtype)


def backtest(data: Any) -> Any:
    """Return an engine over rows."""
    asset = (
        BacktestAsset()
        .data(data)
        .linear_asset(1.0)
        .constant_order_latency(5_000_000, 5_000_000)
        .risk_adverse_queue_model()
        .no_partial_fill_exchange()
        .trading_value_fee_model(0.001, 0.001)
        .tick_size(0.01)
        .lot_size(0.01)
    )
    return HashMapMarketDepthBacktest([asset])


def main(path: str) -> None:
    """Run."""
    messages, data = rows(path)
    watch(backtest(data[:1_000]))  # Compiles it.
    engine = backtest(data)
    began = time.perf_counter()
    watch(engine)
    print(json.dumps({"changes": messages, "from_memory": time.perf_counter() - began}))


if __name__ == "__main__":
    main(sys.argv[1])
