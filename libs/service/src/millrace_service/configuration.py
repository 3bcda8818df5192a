"""Plans the units of an agent's configuration, or lists its mistakes. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Generic

from millrace_core.config import AgentConfig, Credentials, Exchanges, parse_config, revision
from millrace_core.config.common import BaseConfig
from millrace_core.config.workers import WorkerLimits, Workers, WorkersConfig
from millrace_core.errors import ConfigInvalid, Problem
from millrace_core.names import AgentId, Tenant
from millrace_service.agent import Agent, UnitLimits
from millrace_service.encryption import decrypt, is_encrypted
from millrace_service.errors import SecretUnreadable
from millrace_service.redaction import secrets_in

_ENCRYPTABLE: Final = {"api_key": "apiKey", "secret": "secret", "password": "password", "uid": "uid"}
_TO_BE_ENCRYPTED: Final = ("secret", "password")
"""An API key alone grants no access, so a plain one needs no warning."""


_DEFAULT_LIMITS: Final = UnitLimits(WorkerLimits().memory_mb, WorkerLimits().stall_seconds)


@dataclass(frozen=True, slots=True)
class Plan:
    """The units that one configuration asks for."""

    revision: str
    units: Mapping[str, Any]
    """Those to run."""
    stopped: bool = False
    """The configuration stops the agent's work."""
    warnings: tuple[str, ...] = ()
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """Every secret in plain text, so that it can be kept out of the logs."""
    workers: Workers = 0
    worker_limits: UnitLimits = _DEFAULT_LIMITS
    """What each worker may use, unless the agent says otherwise of the unit that it runs alone."""


@dataclass(frozen=True, slots=True)
class OpenedConfig(Generic[AgentConfig]):
    """A configuration that was read."""

    revision: str
    sealed: AgentConfig
    """As it was written."""
    config: AgentConfig
    """With its secrets in plain text."""


def opened_config(
    model: type[AgentConfig], agent_id: AgentId, text: bytes, key: bytes | None
) -> OpenedConfig[AgentConfig]:
    """Return a configuration, its secrets decrypted.

    Raises:
        ConfigInvalid: it has mistakes. `problems` lists all of the first kind that it has: of its form, or of its agent
            id and secrets.
    """
    sealed = parse_config(model, text)
    config, unreadable = _decrypted(sealed, key)
    if problems := _wrong_agent(sealed, agent_id) + unreadable:
        raise ConfigInvalid(tuple(problems))
    return OpenedConfig(revision(text), sealed, config)


def plan_of(agent: Agent[AgentConfig, Any], opened: OpenedConfig[AgentConfig]) -> Plan:
    """Return what a configuration asks of an agent.

    Raises:
        ConfigInvalid: it has mistakes that only the agent finds.
    """
    sealed, config = opened.sealed, opened.config
    # A stopped agent's configuration is checked too, so that starting it brings no surprise.
    units = agent.units(config)
    stopped = config.agent.status == "stopped"
    return Plan(
        revision=opened.revision,
        units={} if stopped else units,
        stopped=stopped,
        warnings=(*_plain_secrets(sealed), *agent.warnings(config)),
        secrets=(*(secret for _, secret, _ in _fields(config)), *secrets_in(config.model_dump(by_alias=True))),
        **_workers(config),
    )


def _workers(config: BaseConfig) -> dict[str, Any]:
    if not isinstance(config, WorkersConfig):
        return {}
    limits = config.worker_limits
    return {"workers": config.workers, "worker_limits": UnitLimits(limits.memory_mb, limits.stall_seconds)}


def _wrong_agent(config: BaseConfig, agent_id: AgentId) -> list[Problem]:
    if config.agent.id == agent_id:
        return []
    return [Problem("$.agent.id", f"is {config.agent.id}, but this is the configuration of {agent_id}")]


def _accounts(config: BaseConfig) -> Exchanges:
    accounts: Exchanges = getattr(config, "exchanges", {})
    return accounts


def _receivers(config: BaseConfig) -> dict[Tenant, dict[str, str]]:
    receivers: dict[Tenant, dict[str, str]] = getattr(config, "receivers", {})
    return receivers


def _fields(config: BaseConfig) -> Iterator[tuple[str, str, bool]]:
    """Yield JSON path and text of everything that may be encrypted, and whether it should be."""
    for tenant, exchanges in _accounts(config).items():
        for exchange, credentials in exchanges.items():
            for name, spelling in _ENCRYPTABLE.items():
                if text := getattr(credentials, name):
                    yield f"$.exchanges.{tenant}.{exchange}.{spelling}", text, name in _TO_BE_ENCRYPTED
    for tenant, receivers in _receivers(config).items():
        yield from ((f"$.receivers.{tenant}.{name}", address, True) for name, address in receivers.items())


def _decrypted(config: AgentConfig, key: bytes | None) -> tuple[AgentConfig, list[Problem]]:
    problems: list[Problem] = []
    accounts = {
        tenant: {
            exchange: _open(tenant, f"$.exchanges.{tenant}.{exchange}", credentials, key, problems)
            for exchange, credentials in exchanges.items()
        }
        for tenant, exchanges in _accounts(config).items()
    }
    receivers = {
        tenant: {
            name: _open_text(tenant, f"$.receivers.{tenant}.{name}", address, key, problems)
            for name, address in addresses.items()
        }
        for tenant, addresses in _receivers(config).items()
    }
    opened = {name: section for name, section in (("exchanges", accounts), ("receivers", receivers)) if section}
    return (config.model_copy(update=opened) if opened else config), problems


def _open(tenant: Tenant, path: str, sealed: Credentials, key: bytes | None, problems: list[Problem]) -> Credentials:
    opened = {
        name: _open_text(tenant, f"{path}.{spelling}", text, key, problems)
        for name, spelling in _ENCRYPTABLE.items()
        if (text := getattr(sealed, name)) is not None
    }
    return sealed.model_copy(update=opened)


def _open_text(tenant: Tenant, path: str, text: str, key: bytes | None, problems: list[Problem]) -> str:
    """Return a text in plain; one that cannot be decrypted is added to the problems."""
    if not is_encrypted(text):
        return text
    try:
        return decrypt(tenant, text, key)
    except SecretUnreadable as error:
        problems.append(Problem(path, str(error)))
        return text


def _plain_secrets(config: BaseConfig) -> list[str]:
    return [
        f"{path} is in plain text; write it as enc:… so that readers of Redis cannot use it"
        for path, text, should_be in _fields(config)
        if should_be and not is_encrypted(text)
    ]
