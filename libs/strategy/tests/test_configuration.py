from dataclasses import dataclass
from decimal import Decimal

import pytest
from pydantic import BaseModel, model_validator

from millrace_core.errors import ConfigInvalid, Problem
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


def test_a_rule_over_all_settings_names_a_place_or_is_about_all_of_them() -> None:
    """A plain sentence, with or without a colon, is the message; `field: sentence` names the field."""

    class Whole(BaseModel):
        """Refuses everything, with the sentence that it is given."""

        text: str

        @model_validator(mode="after")
        def _refuse(self) -> "Whole":
            raise ValueError(self.text)

    for text, place, message in (
        ("fast must be below slow", PATH, "fast must be below slow"),
        ("not so: fast is slow", PATH, "not so: fast is slow"),
        ("slow: must be above fast", f"{PATH}.slow", "must be above fast"),
    ):
        with pytest.raises(ConfigInvalid) as caught:
            read_configuration(Whole, {"text": text}, path=PATH)
        assert caught.value.problems == (Problem(place, message),)


def test_a_configuration_that_is_no_model_is_a_mistake_like_any_other() -> None:
    """One line, not pydantic's own page of text."""
    with pytest.raises(ConfigInvalid, match="is no model that pydantic can check"):
        read_configuration(5, {}, path=PATH)  # type: ignore[arg-type]
