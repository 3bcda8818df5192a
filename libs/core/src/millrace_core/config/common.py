"""The parts that the configurations of all agents share."""

import hashlib
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AliasChoices, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from millrace_core import names
from millrace_core.errors import InvalidName


def _tenant(text: str) -> names.Tenant:
    try:
        return names.tenant(text)
    except InvalidName as error:
        raise _mistake(error) from error


def _agent_id(text: str) -> names.AgentId:
    try:
        return names.agent_id(text)
    except InvalidName as error:
        raise _mistake(error) from error


def _symbol(text: str) -> names.Symbol:
    try:
        return names.symbol(text)
    except InvalidName as error:
        raise _mistake(error) from error


def _mistake(error: InvalidName) -> ValueError:
    """Return what is expected, without the value: a secret may have been put in the wrong place."""
    return ValueError(f"is not {error.wanted}")


def _symbols(text: str) -> names.Symbol:
    _symbol(text.replace("*", "-"))
    return names.Symbol(text)


TenantField = Annotated[names.Tenant, AfterValidator(_tenant)]
AgentIdField = Annotated[names.AgentId, AfterValidator(_agent_id)]
ExchangeField = Annotated[names.ExchangeId, Field(pattern=r"^[a-z0-9]{2,32}$")]
_SYMBOL = Field(min_length=1, max_length=64, pattern=r"^\S+$")
SymbolField = Annotated[names.Symbol, _SYMBOL, AfterValidator(_symbol)]
SymbolsField = Annotated[names.Symbol, _SYMBOL, AfterValidator(_symbols)]
"""A symbol, or a pattern of symbols, in which `*` stands for any text."""
TENANT = AliasChoices("tenant", "tenantId")
"""Both spellings are read and mean the same."""


class ConfigModel(BaseModel):
    """A frozen part of a configuration. Unknown fields are errors; a test checks that numbers have finite bounds."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True, allow_inf_nan=False
    )


WorkStatus = Literal["started", "stopped"]


class AgentSection(ConfigModel):
    """The agent that this configuration is for, and whether it is to work."""

    id: AgentIdField
    """The agent's id; its configuration lies at `stream.config.{id}`."""
    name: str = ""
    """A name for people."""
    status: WorkStatus = "started"
    """`stopped` ends the agent's work, not its process."""


class Credentials(ConfigModel):
    """The keys of one account on an exchange; empty for public data. Secrets may be written as `enc:…`."""

    api_key: str | None = Field(default=None, repr=False)
    """Needed for everything that is the account's own."""
    secret: str | None = Field(default=None, repr=False)
    """What requests are signed with."""
    password: str | None = Field(default=None, repr=False)
    """The passphrase of the key, on exchanges such as KuCoin and OKX."""
    uid: str | None = None
    """The account's number, on the few exchanges that want one."""
    adapter: Literal["native", "ccxt"] = "native"
    """`native` takes streams and sends orders without ccxt where millrace has a way of its own for the exchange; `ccxt`
    does neither."""
    delay_on_fetch: float = Field(default=1.0, ge=0.1, le=3_600)
    """Seconds between two questions for data that the exchange does not stream."""
    test: bool = False
    """Use the exchange's sandbox; of a tenant of its own: by name nothing tells it from the real account."""
    options: dict[str, Any] = {}
    """ccxt's `options`, merged over ours."""
    urls: dict[str, Any] = {}
    """ccxt's `urls`, merged over its own; this is how to point it at a simulator."""


Exchanges = dict[TenantField, dict[ExchangeField, Credentials]]
"""Accounts by tenant and exchange."""


class BaseConfig(ConfigModel):
    """The fields of every agent's configuration."""

    agent: AgentSection
    """Whose configuration this is."""
    environment: str = "dev"
    """A label for people: dev, staging, production."""


def revision(text: bytes) -> str:
    """Return the short digest by which people and heartbeats name one version of a configuration."""
    return hashlib.sha256(text).hexdigest()[:12]
