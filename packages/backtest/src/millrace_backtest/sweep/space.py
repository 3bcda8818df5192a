"""The search space of a sweep: which settings of a strategy are tried, and in which ranges. Pure.

    {
      "amount": {"from": 1, "to": 5, "step": 0.5},
      "backoffMs": {"from": 100, "to": 10000, "log": true},
      "side": ["buy", "sell"]
    }

Names are those of the strategy's configuration. Whole ends make whole numbers; other ranges without a step have six
significant digits.
"""

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import product
from math import prod
from typing import Any, Final, NamedTuple, Protocol

from pydantic import ValidationError

from millrace_backtest.errors import SpaceInvalid
from millrace_core.errors import ConfigInvalid, Problem
from millrace_core.json_problems import JsonObject, silent_mistakes
from millrace_strategy import read_configuration

_KEYS: Final = {"from", "to", "step", "log"}
_MOST_VALUES: Final = 10_000
"""Values of one parameter: a range with more of them is searched without a step."""


class Trial(Protocol):
    """What suggests where a parameter is tried next; optuna's trials are."""

    def suggest_int(self, name: str, low: int, high: int) -> int:
        """Return a whole number from low to high."""

    def suggest_float(self, name: str, low: float, high: float, *, log: bool) -> float:
        """Return a number from low to high."""

    def suggest_categorical(self, name: str, choices: Sequence[int]) -> Any:
        """Return one of the choices."""


class Choices(NamedTuple):
    """Values without an order."""

    values: tuple[Any, ...]

    def suggest(self, name: str, trial: Trial) -> Any:
        """Return the value to try."""
        return self.values[trial.suggest_categorical(name, range(len(self.values)))]

    @property
    def extremes(self) -> Sequence[Any]:
        """Return the values that must be valid for all to be: all."""
        return self.values


class Steps(NamedTuple):
    """Numbers at equal distances, exact to the last digit."""

    low: Decimal
    step: Decimal
    size: int

    def value(self, at: int) -> int | float:
        """Return the value after so many steps."""
        return _plain(self.low + at * self.step)

    def suggest(self, name: str, trial: Trial) -> int | float:
        """Return the value to try."""
        return self.value(trial.suggest_int(name, 0, self.size - 1))

    @property
    def extremes(self) -> Sequence[Any]:
        """Return the lowest and the highest value."""
        return self.value(0), self.value(self.size - 1)


class Range(NamedTuple):
    """All numbers between two ends."""

    low: float
    high: float
    is_log: bool
    is_whole: bool

    def suggest(self, name: str, trial: Trial) -> int | float:
        """Return the value to try."""
        found = float(f"{trial.suggest_float(name, self.low, self.high, log=self.is_log):.6g}")
        kept = min(max(found, self.low), self.high)
        return round(kept) if self.is_whole else kept

    @property
    def extremes(self) -> Sequence[Any]:
        """Return the lowest and the highest value."""
        return (round(self.low), round(self.high)) if self.is_whole else (self.low, self.high)


Parameter = Choices | Steps | Range


class SearchSpace(NamedTuple):
    """The parameters that are searched, by name."""

    parameters: Mapping[str, Parameter]

    def suggest(self, trial: Trial) -> dict[str, Any]:
        """Return the settings to try next."""
        return {name: parameter.suggest(name, trial) for name, parameter in self.parameters.items()}

    def grid_size(self) -> int:
        """Return the number of combinations.

        Raises:
            SpaceInvalid: a range has no step.
        """
        endless = [name for name, parameter in self.parameters.items() if isinstance(parameter, Range)]
        if endless:
            raise SpaceInvalid([Problem(f"$.{name}", "needs a step to be searched as a grid") for name in endless])
        return prod(map(_length, self.parameters.values()))

    def grid(self) -> list[dict[str, int]]:
        """Return each combination, as what a trial would suggest; call `grid_size` before."""
        ranges = [range(_length(parameter)) for parameter in self.parameters.values()]
        return [dict(zip(self.parameters, each, strict=True)) for each in product(*ranges)]

    def check(self, model: type[Any], configuration: Mapping[str, Any]) -> None:
        """Check each parameter's extreme values, and each choice, by the strategy's own model.

        Raises:
            SpaceInvalid: the strategy has no such parameter, or does not take a value.
        """
        first = {name: parameter.extremes[0] for name, parameter in self.parameters.items()}
        problems: dict[Problem, None] = {}
        for name, parameter in self.parameters.items():
            for value in parameter.extremes:
                try:
                    read_configuration(model, {**configuration, **first, name: value})
                except ConfigInvalid as error:
                    if not _is_of_combination(error):
                        problems |= dict.fromkeys(error.problems)
        if problems:
            raise SpaceInvalid(list(problems))


def _is_of_combination(error: ConfigInvalid) -> bool:
    """Tell whether only settings together are wrong, as a fast average that is slower than the slow one."""
    cause = error.__cause__
    return isinstance(cause, ValidationError) and not any(each["loc"] for each in cause.errors())


def read_space(text: str) -> SearchSpace:
    """Return the search space that a text describes.

    Raises:
        SpaceInvalid: it is of another form; every mistake is named.
    """
    try:
        given = json.loads(text, parse_float=Decimal, parse_int=Decimal, object_pairs_hook=JsonObject)
    except (ValueError, RecursionError) as error:
        raise SpaceInvalid([Problem("$", f"is not JSON: {error}")]) from error
    if not isinstance(given, dict) or not given:
        raise SpaceInvalid([Problem("$", 'must be an object of parameters, such as {"amount": {"from": 1, "to": 5}}')])
    parameters, problems = {}, [*silent_mistakes(given)]
    for name, described in given.items():
        try:
            parameters[name] = _parameter(described)
        except ValueError as error:
            problems.append(Problem(f"$.{name}", str(error)))
    if problems:
        raise SpaceInvalid(problems)
    return SearchSpace(parameters)


def _parameter(described: Any) -> Parameter:
    if isinstance(described, list) and described:
        return Choices(tuple(json.loads(json.dumps(each, default=_plain)) for each in described))
    if not isinstance(described, dict) or not {"from", "to"} <= described.keys() <= _KEYS:
        raise ValueError('must be a list of values, or {"from": …, "to": …} with a "step" or "log": true')
    low, high, step = described["from"], described["to"], described.get("step")
    if not isinstance(low, Decimal) or not isinstance(high, Decimal) or not (step is None or isinstance(step, Decimal)):
        raise ValueError("has ends or a step that are no numbers")
    return _range(low, high, step, is_log=described.get("log", False) is True)


def _range(low: Decimal, high: Decimal, step: Decimal | None, *, is_log: bool) -> Parameter:
    if high < low or (step is not None and step <= 0) or (is_log and low <= 0):
        raise ValueError("must go up from `from` to `to`, by a step above 0; from above 0 if it is logarithmic")
    if is_log and step is not None:
        raise ValueError("has both a step and `log`")
    is_whole = low == int(low) and high == int(high)
    steps = (high - low) / (step or 1)
    if is_log or (step is None and (not is_whole or steps >= _MOST_VALUES)):
        return Range(float(low), float(high), is_log, is_whole)
    if steps >= _MOST_VALUES:
        raise ValueError(f"has more than {_MOST_VALUES:,} steps")
    return Steps(low, step or Decimal(1), int(steps) + 1)


def _length(parameter: Parameter) -> int:
    if isinstance(parameter, Range):
        raise TypeError("a range without a step has no length")
    return len(parameter.values) if isinstance(parameter, Choices) else parameter.size


def _plain(number: Decimal) -> int | float:
    return int(number) if number == int(number) else float(number)
