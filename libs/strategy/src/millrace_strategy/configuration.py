"""How a strategy's own settings are declared, and read from the agent's configuration."""

from typing import Any

from pydantic import TypeAdapter, ValidationError

from millrace_core.config.common import ConfigModel
from millrace_core.config.reading import problems_of
from millrace_core.errors import ConfigInvalid


class StrategyConfiguration(ConfigModel):
    """What a strategy's `Configuration` may derive from: frozen, camelCase in JSON, unknown fields are errors.

    A dataclass or a pydantic model of another making will do as well.
    """


def read_configuration(model: type[Any], values: dict[str, Any], *, path: str = "$") -> Any:
    """Return a strategy's settings, checked; `path` is where they stand in the agent's configuration.

    Raises:
        ConfigInvalid: they break the model's rules; every mistake is named with its path.
    """
    try:
        return TypeAdapter(model).validate_python(values)
    except ValidationError as error:
        raise ConfigInvalid(tuple(problems_of(error, path))) from error
