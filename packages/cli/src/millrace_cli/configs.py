"""The example configurations: found, checked and pointed at this run's simulated exchange."""

from dataclasses import dataclass
from pathlib import Path

from millrace_api.configs.models import MODELS
from millrace_cli.up import AGENTS
from millrace_core.config import parse_config
from millrace_core.errors import ConfigInvalid, MillraceError, Problem
from millrace_core.names import AgentId

EXAMPLE_SIMULATOR = "http://127.0.0.1:9080"
"""The simulated exchange's address in the examples."""
EXAMPLE_EXCHANGE = "binance"
"""The exchange that the examples trade on; in them the word stands for nothing else."""


class ExamplesMissing(MillraceError):
    """A service's example configuration is missing."""


@dataclass(frozen=True)
class AgentFile:
    """One agent's configuration file."""

    kind: str
    agent: AgentId
    text: str


def examples_folder() -> Path:
    """Return `examples` in the working directory, else the one beside the sources."""
    here = Path("examples")
    return here if here.is_dir() else Path(__file__).resolve().parents[4] / "examples"


def pointed(text: str, simulator_url: str, exchange: str) -> str:
    """Return an example with its exchange and that exchange's address replaced."""
    return text.replace(EXAMPLE_SIMULATOR, simulator_url).replace(EXAMPLE_EXCHANGE, exchange)


def load(
    folder: Path, simulator_url: str, exchange: str = EXAMPLE_EXCHANGE, *, strategies: Path | None = None
) -> list[AgentFile]:
    """Return the checked configuration of each service, with the exchange and its address replaced by this run's.

    That of magicbox is taken from the folder of the strategies, if there is one.

    Raises:
        ExamplesMissing: a file is missing.
        ConfigInvalid: a file has mistakes; each names its file.
    """
    paths = {kind: folder / f"{kind}.json" for kind in AGENTS}
    if strategies is not None and (own := strategies / "magicbox.json").is_file():
        paths["magicbox"] = own
    return [_load(kind, path, simulator_url, exchange) for kind, path in paths.items()]


def _load(kind: str, path: Path, simulator_url: str, exchange: str) -> AgentFile:
    try:
        text = pointed(path.read_text(), simulator_url, exchange)
    except OSError as error:
        raise ExamplesMissing(f"cannot read {path}: {error.strerror}; choose a folder with --examples") from error
    try:
        config = parse_config(MODELS[kind], text)
    except ConfigInvalid as error:
        raise ConfigInvalid(tuple(Problem(f"{path} {p.path}", p.message) for p in error.problems)) from error
    return AgentFile(kind, config.agent.id, text)
