"""The model of a configuration, by its agent's kind."""

from millrace_api.config import ApiConfig
from millrace_core.config import DbsyncConfig, ExecutorConfig, GathererConfig, MagicboxConfig, parse_config
from millrace_core.config.common import BaseConfig
from millrace_core.errors import ConfigInvalid, Problem
from millrace_core.names import AgentId

MODELS: dict[str, type[BaseConfig]] = {
    "gatherer": GathererConfig,
    "magicbox": MagicboxConfig,
    "executor": ExecutorConfig,
    "dbsync": DbsyncConfig,
    "api": ApiConfig,
}


def mistakes(kind: str, agent: AgentId, text: bytes) -> tuple[Problem, ...]:
    """Return every mistake in the form of a configuration; the agent itself checks the rest."""
    try:
        config = parse_config(MODELS[kind], text)
    except ConfigInvalid as error:
        return error.problems
    if config.agent.id != agent:
        return (Problem("$.agent.id", f"is {config.agent.id}, but this is the configuration of {agent}"),)
    return ()
