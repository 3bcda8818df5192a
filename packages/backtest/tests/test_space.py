"""Search spaces: read, checked against a strategy's own model, and turned into settings that are exact."""

from typing import Any

import pytest
from pydantic import Field, model_validator

from millrace_backtest.errors import SpaceInvalid
from millrace_backtest.sweep.space import read_space
from millrace_strategy import StrategyConfiguration


class Highest:
    """A trial that suggests the highest of everything."""

    def suggest_int(self, name: str, low: int, high: int) -> int:
        """Return the end."""
        return high

    def suggest_float(self, name: str, low: float, high: float, *, log: bool) -> float:
        """Return what a logarithm makes of the end."""
        return high * 0.9999999 if log else high

    def suggest_categorical(self, name: str, choices: Any) -> Any:
        """Return the last one."""
        return choices[-1]


def test_settings_are_exact() -> None:
    """Steps are counted in decimals; whole ends make whole numbers."""
    space = read_space(
        '{"a": {"from": 0.1, "to": 0.35, "step": 0.1}, "b": {"from": 1, "to": 900}, "c": [true, null, [1.5]], '
        '"d": {"from": 1, "to": 100000}, "e": {"from": 0.001, "to": 5, "log": true}}'
    )
    found = space.suggest(Highest())
    assert found == {"a": 0.3, "b": 900, "c": [1.5], "d": 100_000, "e": 5.0}
    assert [type(found[name]) for name in "bd"] == [int, int]


def test_grids() -> None:
    """All combinations; a range without a step has none."""
    assert read_space('{"a": [1, 2], "b": {"from": 1, "to": 3}}').grid_size() == 6
    with pytest.raises(SpaceInvalid, match="needs a step"):
        read_space('{"a": {"from": 0.5, "to": 1}}').grid_size()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is not JSON"),
        ("[]", "must be an object"),
        ('{"a": 1}', "must be a list"),
        ('{"a": {"from": 1, "to": 2, "by": 1}}', "must be a list"),
        ('{"a": {"from": 3, "to": 2}}', "must go up"),
        ('{"a": {"from": "x", "to": 2}}', "no numbers"),
        ('{"a": {"from": 0, "to": 2, "log": true}}', "above 0"),
        ('{"a": {"from": 1, "to": 2, "log": true, "step": 1}}', "both a step"),
        ('{"a": {"from": 0, "to": 2, "step": 0.000001}}', "more than 10,000 steps"),
        ('{"a": [1], "a": [2]}', "duplicate key"),
    ],
)
def test_mistakes_in_a_space(text: str, said: str) -> None:
    """Each with the parameter."""
    with pytest.raises(SpaceInvalid) as raised:
        read_space(text)
    assert said in str(raised.value)
    assert {problem.path for problem in raised.value.problems} <= {"$", "$.a"}


class Configuration(StrategyConfiguration):
    """A strategy's settings."""

    amount: float = Field(gt=0)
    pause_ms: int = 5


def test_the_model_decides() -> None:
    """Ends and choices that a strategy does not take, and parameters that it does not have, are all named."""
    read_space('{"amount": {"from": 1, "to": 2}}').check(Configuration, {"pauseMs": 1})
    with pytest.raises(SpaceInvalid) as raised:
        read_space('{"amount": {"from": 0, "to": 2}, "pauseMs": [1, "x"], "other": [1]}').check(Configuration, {})
    assert {problem.path for problem in raised.value.problems} == {"$.amount", "$.pauseMs", "$.other"}


class Averages(StrategyConfiguration):
    """Two of them, of which one is faster."""

    fast: int = Field(gt=0)
    slow: int = Field(gt=0)

    @model_validator(mode="after")
    def _is_faster(self) -> "Averages":
        if self.fast >= self.slow:
            raise ValueError("slow: must be above fast")
        return self


def test_ranges_may_hold_combinations_that_the_model_refuses() -> None:
    """Those have no result; what is wrong by itself is refused before anything runs."""
    read_space('{"fast": [5, 20], "slow": [10, 40]}').check(Averages, {})
    with pytest.raises(SpaceInvalid) as raised:
        read_space('{"fast": [0, 20], "slow": [10, 40]}').check(Averages, {})
    assert {problem.path for problem in raised.value.problems} == {"$.fast"}
