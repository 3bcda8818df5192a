from dataclasses import dataclass
from decimal import Decimal

import pytest
from pydantic import BaseModel

from millrace_core.errors import ConfigInvalid
from millrace_strategy import Strategy, StrategyConfiguration, read_configuration

PATH = "$.workplans[0].plugins[1].configuration"


class Ours(StrategyConfiguration):
    """Derived from our base class."""

    amount: Decimal
    maximum_threshold_ms: int = 2_000


class Theirs(BaseModel):
    """Any pydantic model."""

    amount: Decimal


@dataclass
class Plain:
    """A dataclass."""

    amount: Decimal


@pytest.mark.parametrize("model", [Ours, Theirs, Plain])
def test_settings_may_be_declared_in_any_of_three_ways(model: type) -> None:
    """Our base class, any pydantic model and a dataclass all read and check."""
    assert read_configuration(model, {"amount": "1.5"}).amount == Decimal("1.5")
    with pytest.raises(ConfigInvalid):
        read_configuration(model, {"amount": "much"})


def test_every_mistake_is_named_with_its_path() -> None:
    """All at once: a wrong value, a wrong type, an unknown field, each at its place in the agent's configuration."""
    with pytest.raises(ConfigInvalid) as caught:
        read_configuration(Ours, {"amount": "much", "maximumThresholdMs": "soon", "ammount": 1}, path=PATH)
    assert {problem.path for problem in caught.value.problems} == {
        f"{PATH}.amount",
        f"{PATH}.maximumThresholdMs",
        f"{PATH}.ammount",
    }


def test_a_strategy_without_settings_takes_none() -> None:
    """Settings for it are then a mistake."""
    read_configuration(Strategy.Configuration, {})
    with pytest.raises(ConfigInvalid, match="amount"):
        read_configuration(Strategy.Configuration, {"amount": 1})
