"""A process that runs backtests: it reads a `SweptStrategy`, then a line for each job, and answers each with a line.

What strategies print goes nowhere.
"""

import asyncio
import os
import pickle
import sys

import msgspec

from millrace_backtest.sweep.job import Job, SweptStrategy, run_job, sources_of
from millrace_core.messages import encode


def main() -> None:
    """Work until nobody asks any more."""
    with os.fdopen(os.dup(1), "wb") as outcomes:
        os.dup2(2, 1)
        swept: SweptStrategy = pickle.load(sys.stdin.buffer)  # noqa: S301 - the process that started this one
        sources, jobs = sources_of(swept), msgspec.json.Decoder(Job)
        for line in sys.stdin.buffer:
            outcome = asyncio.run(run_job(swept, sources, jobs.decode(line)))
            outcomes.write(encode(outcome) + b"\n")
            outcomes.flush()


if __name__ == "__main__":
    main()
