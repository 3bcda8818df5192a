"""What a configuration's text says, changes and gets wrong. Pure.

Of a long text a worker finds it out. It takes and gives texts and lists of mistakes: a configuration of 250 kB has so
many parts that to hand it over as objects would delay everybody's requests by 50 ms.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from millrace_api.configs.addresses import NamedAddress, added_addresses
from millrace_api.configs.diff import ConfigChange, changes
from millrace_api.configs.effects import UnitEffect, effects
from millrace_api.configs.masking import masked, unmasked, unresolved_masks
from millrace_api.configs.models import mistakes
from millrace_api.configs.ownership import decoded
from millrace_api.configs.plugin_settings import plugin_mistakes
from millrace_api.configs.reserved import reserved_changes, size_of
from millrace_core.config import MagicboxConfig, parse_config, read_json, tenants_of
from millrace_core.errors import Problem
from millrace_core.json_text import json_text
from millrace_core.names import AgentId
from millrace_core.plugins import PluginDescription
from millrace_service.redaction import HIDDEN
from millrace_service.sealing import sealed, shown

MISTAKES = "the configuration has mistakes; nothing was changed"


class Malformed(NamedTuple):
    """A text that is no configuration, and why."""

    detail: str
    problems: Sequence[Problem] = ()


class Sent(NamedTuple):
    """A configuration that a client sent, or an earlier one that is to be in force again."""

    text: bytes
    is_exact: bool = False
    """Keep the text as it is, so that it gets its revision again; one whose secrets were not kept is not exact."""


class About(NamedTuple):
    """What is known of the agent that a new configuration is for."""

    agent: AgentId
    kind: str | None
    current: bytes | None
    """The text in force, as far as the caller may see it."""
    plugins: Sequence[PluginDescription] | None = None
    """The strategies that it can run, where it says so."""


class Examined(NamedTuple):
    """A new configuration with the secrets that it keeps."""

    written: bytes
    """Its text."""
    tenants: frozenset[str]
    """Those that it names."""
    problems: Sequence[Problem]
    """Its mistakes; not found out for an agent of unknown kind."""
    reserved: Sequence[Problem]
    """What it changes and only an operator may change."""
    size: int
    """Its streams or strategies."""
    is_larger: bool
    """Whether these are more than before."""
    addresses: Sequence[NamedAddress]
    """Those that the configuration in force does not name."""


class ConfigDifference(msgspec.Struct, frozen=True):
    """What a configuration would change."""

    items: list[ConfigChange]
    units: list[UnitEffect] | None
    """The units that would start, stop or restart; null when the agent's kind is not known."""


class Shown(NamedTuple):
    """A configuration as it may be shown."""

    config: msgspec.Raw
    """JSON with masked secrets; of a text with mistakes in its form that text."""
    problems: Sequence[Problem]
    """The mistakes in its form."""


def examine(sent: Sent, about: About) -> Examined | Malformed:
    """Return what a new configuration is."""
    new = _read(sent.text)
    if isinstance(new, Malformed):
        return new
    current = None if about.current is None else decoded(about.current)
    whole = new if current is None else unmasked(new, current)
    is_exact = sent.is_exact and HIDDEN.encode() not in sent.text
    text = sent.text if is_exact else written(whole)
    size = size_of(about.kind, text)
    return Examined(
        text,
        frozenset(tenants_of(whole)),
        [*unresolved_masks(whole), *_mistakes(text, about)],
        reserved_changes(whole, current),
        size,
        size > size_of(about.kind, about.current),
        added_addresses(whole, current),
    )


def difference(sent: Sent, about: About) -> bytes | Malformed:
    """Return what a configuration would change, as JSON of `ConfigDifference`; all of it if there is none yet."""
    new = _read(sent.text)
    if isinstance(new, Malformed):
        return new
    current = {} if about.current is None else decoded(about.current)
    whole = unmasked(new, current)
    units = None if about.kind is None else effects(about.kind, about.current, written(whole))
    return json_text(ConfigDifference(changes(current, whole), units))


def show(text: bytes | str) -> Shown:
    """Return a configuration with its secrets masked."""
    value, problems = read_json(text)
    if not problems:
        return Shown(msgspec.Raw(json_text(masked(value))), [])
    return Shown(msgspec.Raw(json_text(shown(text))), problems)


def seal(text: bytes, key: bytes) -> bytes:
    """Return a configuration's text with its plain secrets encrypted; the same text if it has none."""
    config = decoded(text)
    hidden = sealed(config, key)
    return text if hidden == config else written(hidden)


def written(config: Any) -> bytes:
    """Return a configuration as text."""
    return json.dumps(config, indent=2, ensure_ascii=False).encode()


def _read(text: bytes) -> dict[str, Any] | Malformed:
    """Return a new configuration; refuse what is none at all, such as the whole answer of GET."""
    new, problems = read_json(text)
    if problems:
        return Malformed(MISTAKES, problems)
    if "agent" in new:
        return dict(new)
    expected = 'the configuration itself is expected: {"agent": {"id": …}, …}'
    if isinstance(new.get("config"), dict):
        expected += "; of what GET returned, send the value of `config` alone"
    return Malformed(f"{expected}; nothing was changed", [Problem("$.agent", "is required")])


def _mistakes(text: bytes, about: About) -> Iterator[Problem]:
    if about.kind is None:
        return
    if found := mistakes(about.kind, about.agent, text):
        yield from found
    elif about.kind == "magicbox" and about.plugins is not None:
        config = parse_config(MagicboxConfig, text)
        # A strategy that cannot be loaded must keep nobody from stopping the others.
        yield from plugin_mistakes(config, about.plugins) if config.agent.status != "stopped" else ()
