"""Rules for all configurations, agents' and strategies'."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from millrace_api.configs.models import ApiConfig
from millrace_core.config import (
    AlertsConfig,
    DbsyncConfig,
    ExecutorConfig,
    GathererConfig,
    MagicboxConfig,
    parse_config,
)
from millrace_core.config.common import BaseConfig
from millrace_core.errors import ConfigInvalid
from millrace_magicbox.plugins import load_strategy

STRATEGIES = Path(__file__).parents[1] / "examples" / "strategies"
MODELS: list[type[Any]] = [
    AlertsConfig,
    ApiConfig,
    DbsyncConfig,
    ExecutorConfig,
    GathererConfig,
    MagicboxConfig,
    load_strategy("PingPong", STRATEGIES).Configuration,
]


def unbounded(schema: Any, path: str) -> Iterator[str]:
    """Yield the path of each number in a JSON schema that may grow without end."""
    if isinstance(schema, list):
        for index, part in enumerate(schema):
            yield from unbounded(part, f"{path}[{index}]")
    elif isinstance(schema, dict):
        if schema.get("type") in ("number", "integer") and not (
            schema.keys() & {"minimum", "exclusiveMinimum"} and schema.keys() & {"maximum", "exclusiveMaximum"}
        ):
            yield path
        for name, part in schema.items():
            yield from unbounded(part, f"{path}.{name}")


@pytest.mark.parametrize("model", MODELS)
def test_every_number_has_finite_bounds(model: type[Any]) -> None:
    """A number that a person mistypes is a mistake with its path, and never an agent that stands still."""
    assert list(unbounded(model.model_json_schema(), "$")) == []


def test_every_agents_configuration_is_checked() -> None:
    """A new agent's configuration has to be named above."""
    assert agents_own(BaseConfig) <= set(MODELS)


def agents_own(model: type[BaseConfig]) -> set[type[BaseConfig]]:
    """Return the configurations that derive from one, those in between left out."""
    derived = [each for each in model.__subclasses__() if each.__module__.startswith("millrace_")]
    return {model} if not derived else set().union(*map(agents_own, derived))


def test_an_unbounded_number_is_noticed() -> None:
    """The search finds numbers in fields, lists and mappings, and lets bounded ones pass."""
    number, bounded = {"type": "number", "minimum": 0}, {"type": "integer", "minimum": 0, "exclusiveMaximum": 9}
    schema = {"properties": {"a": number, "b": {"items": number}, "c": {"additionalProperties": bounded}}}
    assert list(unbounded(schema, "$")) == ["$.properties.a", "$.properties.b.items"]


@pytest.mark.parametrize("workers", ["Each", 65, -1, 1.5, None, "2", True])
def test_a_wrong_number_of_workers_is_one_mistake(workers: object) -> None:
    """Its path is the field's, and its text says what may stand there."""
    document = json.dumps({"agent": {"id": "G"}, "workers": workers}).encode()
    with pytest.raises(ConfigInvalid) as refused:
        parse_config(GathererConfig, document)
    (problem,) = refused.value.problems
    assert problem.path == "$.workers"
    assert 'from 0 to 64, or "each"' in problem.message
