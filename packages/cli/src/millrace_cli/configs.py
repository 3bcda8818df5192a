"""The example configurations: found, checked, pointed at this run's exchange, and put where agents read them."""

from dataclasses import dataclass
from pathlib import Path

from millrace_api.config import ApiConfig
from millrace_core.config import DbsyncConfig, ExecutorConfig, GathererConfig, MagicboxConfig, parse_config
from millrace_core.config.common import BaseConfig
from millrace_core.errors import ConfigInvalid, MillraceError, Problem
from millrace_core.names import AgentId

EXAMPLE_SIMULATOR = "http://127.0.0.1:9080"
"""Where the examples expect the simulated exchange."""

_MODELS: dict[str, type[BaseConfig]] = {
    "gatherer": GathererConfig,
    "magicbox": MagicboxConfig,
    "executor": ExecutorConfig,
    "dbsync": DbsyncConfig,
    "api": ApiConfig,
}


class ExamplesMissing(MillraceError):
    """There is no configuration to load for a service."""


@dataclass(frozen=True)
class AgentFile:
    """One agent's configuration as a file holds it."""

    kind: str
    agent: AgentId
    text: str


def examples_folder() -> Path:
    """Return the folder of examples: that of the working directory, else the one beside the sources."""
    here = Path("examples")
    return here if here.is_dir() else Path(__file__).resolve().parents[4] / "examples"


def load(folder: Path, simulator_url: str) -> list[AgentFile]:
    """Read and check the configuration of every service, with the exchange's address replaced by this run's.

    Raises:
        ExamplesMissing: a file is not there.
        ConfigInvalid: a file has mistakes; each names the file.
    """
    return [_load(kind, folder / f"{kind}.json", simulator_url) for kind in _MODELS]


def _load(kind: str, path: Path, simulator_url: str) -> AgentFile:
    try:
        text = path.read_text().replace(EXAMPLE_SIMULATOR, simulator_url)
    except OSError as error:
        raise ExamplesMissing(f"{path} is needed and cannot be read: {error.strerror}") from error
    try:
        config = parse_config(_MODELS[kind], text)
    except ConfigInvalid as error:
        raise ConfigInvalid(tuple(Problem(f"{path} {p.path}", p.message) for p in error.problems)) from error
    return AgentFile(kind, config.agent.id, text)
