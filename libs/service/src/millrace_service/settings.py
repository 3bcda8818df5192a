"""The settings of a process: from the environment and, with precedence, from the command line.

Each setting has two spellings: `--redis-url URL` on the command line is `MILLRACE_REDIS_URL` in the environment.
"""

import argparse
import base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, cast, get_args
from urllib.parse import unquote

from millrace_bus.connection.address import Address
from millrace_core.budget import DEFAULT_EGRESS
from millrace_core.errors import InvalidName, MillraceError
from millrace_core.names import AgentId, agent_id, config_key, egress
from millrace_service.encryption import each_key, is_key, parse_keys
from millrace_service.errors import SettingsInvalid

LogFormat = Literal["auto", "console", "json"]
LogLevel = Literal["debug", "info", "warning", "error"]

DEFAULT_REDIS_URL: Final = "redis://127.0.0.1:6379/0"
DEFAULT_DATA_DIR: Final = Path(".millrace")
DEFAULT_METRICS_HOST: Final = "127.0.0.1"
DATABASE_OPTION: Final = {"database-url": "sqlite:///path or postgresql://… (default: millrace.db in the data folder)"}
"""The option of services that use the database; `database_url` reads it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of one process."""

    agent_id: AgentId
    redis_url: str = field(default=DEFAULT_REDIS_URL, repr=False)
    log_level: LogLevel = "info"
    log_format: LogFormat = "auto"
    secret_key: bytes | None = field(default=None, repr=False)
    """The keys of `enc:…` texts in a row, 32 bytes each, newest first; None if there is no key."""
    secret_key_file: str | None = None
    """The file that the command line or the environment names for it."""
    data_dir: Path = DEFAULT_DATA_DIR
    """Folder for the files of a service."""
    egress: str = DEFAULT_EGRESS
    """Label of the address from which requests to exchanges leave: processes with the same one share its limits."""
    metrics_port: int | None = None
    """Port at which metrics are served; None for none."""
    metrics_host: str = DEFAULT_METRICS_HOST
    """Address at which they are."""
    parent: int | None = None
    """End with the process that has this id and started this one; 0 if its id is unknown, None to outlive it."""
    options: Mapping[str, str] = field(default_factory=dict)
    """The service's own options that the command line sets, by environment variable."""


def read_settings(
    kind: str, argv: Sequence[str], environ: Mapping[str, str], options: Mapping[str, str] | None = None
) -> Settings:
    """Return a process's settings; `options` are the service's own: name and help.

    Raises:
        SettingsInvalid: one is missing or wrong; the text says which one and what to set.
        SystemExit: argparse has printed its help, or what is wrong with the command line.
    """
    options = options or {}
    given = vars(_parser(kind, options).parse_args(argv))
    values = {name: text for name in given if (text := given[name] or environ.get(_variable(name)))}
    return Settings(
        agent_id=_agent_id(kind, values.get("agent_id")),
        redis_url=_redis_url(values.get("redis_url", DEFAULT_REDIS_URL)),
        log_level=cast("LogLevel", _one_of(LogLevel, "log_level", values.get("log_level", "info"))),
        log_format=cast("LogFormat", _one_of(LogFormat, "log_format", values.get("log_format", "auto"))),
        secret_key=read_secret_key(environ, values.get("secret_key_file")),
        secret_key_file=values.get("secret_key_file"),
        data_dir=Path(values.get("data_dir", DEFAULT_DATA_DIR)),
        egress=_egress(values.get("egress", DEFAULT_EGRESS)),
        metrics_port=_metrics_port(values.get("metrics_port")),
        metrics_host=values.get("metrics_host", DEFAULT_METRICS_HOST),
        parent=given["die_with_parent"],
        options={_variable(name): text for name in map(_attribute, options) if (text := given[name])},
    )


def database_url(environ: Mapping[str, str], check: Callable[[str], None]) -> str:
    """Return the address of the database: `MILLRACE_DATABASE_URL`, else a file in the data folder.

    Raises:
        SettingsInvalid: `check` raised a `MillraceError`: it is not the address of a supported database.
    """
    data_dir = Path(environ.get("MILLRACE_DATA_DIR") or DEFAULT_DATA_DIR)
    url = environ.get("MILLRACE_DATABASE_URL") or f"sqlite:///{data_dir.absolute() / 'millrace.db'}"
    try:
        check(url)
    except MillraceError as error:
        raise SettingsInvalid(f"MILLRACE_DATABASE_URL: {error}") from error
    return url


def secrets_of(settings: Settings, environ: Mapping[str, str]) -> Iterator[str]:
    """Yield every secret in a process's settings: the passwords in its addresses, and the keys in each spelling."""
    for url in (settings.redis_url, environ.get("MILLRACE_DATABASE_URL", "")):
        password = url.partition("://")[2].rpartition("@")[0].partition(":")[2]
        yield from filter(None, (password, unquote(password)))
    for key in each_key(settings.secret_key or b""):
        standard = base64.b64encode(key).decode()
        yield from (key.hex(), standard, standard.replace("+", "-").replace("/", "_"))


def read_secret_key(environ: Mapping[str, str], file: str | None = None) -> bytes | None:
    """Return the keys of `enc:…` secrets: MILLRACE_SECRET_KEY, else `file`, else MILLRACE_SECRET_KEY_FILE, else None.

    There may be two while a key is replaced, newest first; they are returned in a row.

    Raises:
        SettingsInvalid: one is not a key, or the file cannot be read.
    """
    if text := environ.get("MILLRACE_SECRET_KEY"):
        return _named("MILLRACE_SECRET_KEY", text)
    if not (path := file or environ.get("MILLRACE_SECRET_KEY_FILE")):
        return None
    if is_key(path):
        raise SettingsInvalid("MILLRACE_SECRET_KEY_FILE holds a key: set MILLRACE_SECRET_KEY to it, or name a file")
    try:
        return _named(f"MILLRACE_SECRET_KEY_FILE ({path})", Path(path).read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsInvalid(f"MILLRACE_SECRET_KEY_FILE: {path} cannot be read: {error}") from error


def _parser(kind: str, options: Mapping[str, str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"python -m millrace_{kind}",
        description=f"Run a millrace {kind}. Each option may also be set in the environment.",
        allow_abbrev=False,
    )
    ours = {
        "agent-id": "id of this agent; its configuration is read from stream.config.<agent id>",
        "redis-url": f"Redis URL (default {DEFAULT_REDIS_URL})",
        "log-level": "debug, info (default), warning or error",
        "log-format": "console, json or auto (default): console on a terminal",
        "secret-key-file": "file that holds the key of enc:… secrets (or the key itself in MILLRACE_SECRET_KEY)",
        "data-dir": f"folder for files (default {DEFAULT_DATA_DIR})",
        "egress": f"label of the address that processes share towards exchanges (default {DEFAULT_EGRESS})",
        "metrics-port": "port at which Prometheus gets this agent's metrics (default: none are served)",
        "metrics-host": f"address to serve metrics at (default {DEFAULT_METRICS_HOST}; 0.0.0.0 for every interface)",
    }
    for name, text in (ours | dict(options)).items():
        parser.add_argument(f"--{name}", help=f"{text} [{_variable(_attribute(name))}]")
    parser.add_argument(
        "--die-with-parent",
        nargs="?",
        type=int,
        const=0,
        metavar="PID",
        help="end when the parent process ends; pass its PID to notice a parent that ended before the start",
    )
    return parser


def _attribute(name: str) -> str:
    return name.replace("-", "_")


def _variable(attribute: str) -> str:
    return f"MILLRACE_{attribute.upper()}"


def _agent_id(kind: str, text: str | None) -> AgentId:
    if text is None:
        example = kind.upper()
        raise SettingsInvalid(
            f"the agent's id is missing: set --agent-id or MILLRACE_AGENT_ID, for instance to {example}; "
            f"its configuration is then read from the Redis key {config_key(AgentId(example))}"
        )
    try:
        return agent_id(text)
    except InvalidName as error:
        # None of these messages repeats the setting: it may be a secret that was put in the wrong place.
        raise SettingsInvalid(f"--agent-id or MILLRACE_AGENT_ID is not {error.wanted}") from error


def _redis_url(url: str) -> str:
    try:
        Address.parse(url)
    except InvalidName as error:
        raise SettingsInvalid(f"--redis-url or MILLRACE_REDIS_URL is not {error.wanted}") from error
    return url


def _egress(text: str) -> str:
    try:
        return egress(text)
    except InvalidName as error:
        raise SettingsInvalid(f"--egress or MILLRACE_EGRESS is not {error.wanted}") from error


def _metrics_port(text: str | None) -> int | None:
    if text is None:
        return None
    if not text.isdecimal() or not 0 < int(text) <= 65_535:
        raise SettingsInvalid("--metrics-port or MILLRACE_METRICS_PORT must be a port from 1 to 65535")
    return int(text)


def _one_of(allowed: object, attribute: str, text: str) -> str:
    choices = get_args(allowed)
    if text.lower() not in choices:
        raise SettingsInvalid(f"{_variable(attribute)} must be one of {', '.join(choices)}")
    return text.lower()


def _named(where: str, text: str) -> bytes:
    try:
        return parse_keys(text)
    except SettingsInvalid as error:
        raise SettingsInvalid(f"{where}: {error}") from error
