"""Which settings are tried next: by optuna, in an order that depends on the seed, and on no clock."""

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Final, Literal, NamedTuple

from millrace_backtest.sweep.space import SearchSpace

Method = Literal["tpe", "random", "grid"]
AHEAD: Final = 16
"""Settings are suggested before the results of so many earlier ones are known: work for as many workers."""

Rated = Callable[[int, dict[str, Any]], Awaitable[float | None]]


class Search(NamedTuple):
    """How settings are searched."""

    method: Method
    trials: int
    seed: int
    ahead: int = AHEAD

    async def run(self, space: SearchSpace, rate: Rated) -> None:
        """Suggest settings, and learn from what each is worth; more is better, None is not rated.

        `rate` is called with the number of a trial and its settings, in order, and may take its time.

        Raises:
            SpaceInvalid: the space has no grid.
        """
        study, trials = self._study(space)
        waiting: deque[tuple[Any, asyncio.Task[float | None]]] = deque()
        number = 0
        try:
            while number < trials or waiting:
                while number < trials and len(waiting) < self.ahead:
                    trial = study.ask()
                    # A result counts once all before it do, so that the order of suggestions depends on no clock.
                    waiting.append((trial, asyncio.ensure_future(rate(number, space.suggest(trial)))))
                    number += 1
                trial, task = waiting[0]
                value = await task
                waiting.popleft()
                study.tell(trial, value, state=_failed() if value is None else None)
        finally:
            for _, task in waiting:
                task.cancel()
            await asyncio.gather(*(task for _, task in waiting), return_exceptions=True)

    def count(self, space: SearchSpace) -> int:
        """Return the number of trials.

        Raises:
            SpaceInvalid: the space has no grid.
        """
        return min(self.trials, space.grid_size()) if self.method == "grid" else self.trials

    def _study(self, space: SearchSpace) -> tuple[Any, int]:
        # Imported on use: it takes half a second.
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        random_sampler = optuna.samplers.RandomSampler(seed=self.seed)
        sampler = optuna.samplers.TPESampler(seed=self.seed) if self.method == "tpe" else random_sampler
        study = optuna.create_study(direction="maximize", sampler=sampler)
        trials = self.count(space)
        if self.method == "grid":
            chosen = random.Random(self.seed).sample(space.grid(), trials)  # noqa: S311 - no secret
            for parameters in chosen:
                study.enqueue_trial(parameters)
        return study, trials


def _failed() -> Any:
    from optuna.trial import TrialState

    return TrialState.FAIL
