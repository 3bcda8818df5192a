"""What is right and wrong with agents and their configurations. Pure."""

from collections.abc import Iterator, Mapping, Sequence

from millrace_cli.doctor.finding import Finding, fail, ok, warn
from millrace_cli.secrets.sealed import Sealed, open_text, plain_paths, sealed_texts
from millrace_core.heartbeat import Heartbeat
from millrace_core.names import AgentId

_KEY_HINT = "export MILLRACE_SECRET_KEY=…, or MILLRACE_SECRET_KEY_FILE, with the key that the agents use"


def agent_findings(configs: Mapping[AgentId, bytes], beats: Sequence[Heartbeat]) -> Iterator[Finding]:
    """Yield what was found of each agent that runs or has a configuration."""
    alive = {AgentId(beat.id): beat for beat in beats}
    if not configs and not alive:
        yield warn("agents", "none runs, and none has a configuration", "millrace config put GATHERER FILE")
    for agent in sorted(configs.keys() | alive.keys()):
        yield _agent(agent, configs.get(agent), alive.get(agent))


def secret_findings(configs: Mapping[AgentId, bytes], keys: bytes | None) -> Iterator[Finding]:
    """Yield what was found of the secrets in configurations; `keys` are those of this environment."""
    sealed = [(agent, each) for agent, text in sorted(configs.items()) for each in sealed_texts(text)]
    plain = [f"{agent} {path}" for agent, text in sorted(configs.items()) for path in plain_paths(text)]
    if plain:
        yield warn(
            "secrets",
            f"in plain text, so every reader of Redis can use them: {', '.join(plain)}",
            _encrypting([agent for agent, text in sorted(configs.items()) if plain_paths(text)], keys),
        )
    if not sealed:
        yield ok("secret key", "no configuration has an encrypted secret")
    elif keys is None:
        yield fail("secret key", f"not set here, but {len(sealed)} secrets are encrypted", _KEY_HINT)
    else:
        yield _readable(sealed, keys)


def _encrypting(agents: Sequence[AgentId], keys: bytes | None) -> str:
    """Return the commands that encrypt the secrets of configurations, as `put` does when there is a key."""
    commands = [f"millrace config get {agent} | millrace config put {agent} -" for agent in agents]
    return "; ".join(commands if keys is not None else [_KEY_HINT, *commands])


def _agent(agent: AgentId, text: bytes | None, beat: Heartbeat | None) -> Finding:
    subject = f"agent {agent}"
    if beat is None:
        return warn(subject, "has a configuration, but does not run", f"millrace up, or start {agent} alone")
    if beat.config_errors:
        mistakes = "; ".join(f"{problem.path}: {problem.message}" for problem in beat.config_errors)
        return fail(subject, f"its configuration has mistakes: {mistakes}", f"millrace config put {agent} FILE")
    if text is None and beat.state == "waiting":
        return warn(subject, "waits for a configuration", f"millrace config put {agent} FILE")
    if failed := [unit.name for unit in beat.units if unit.state in ("failed", "stale")]:
        return warn(subject, f"not well: {', '.join(failed)}", "millrace status")
    units = "1 unit" if len(beat.units) == 1 else f"{len(beat.units)} units"
    return ok(subject, f"{beat.state}, {units}")


def _readable(sealed: Sequence[tuple[AgentId, Sealed]], keys: bytes) -> Finding:
    wrong = [f"{agent} {each.path}" for agent, each in sealed if open_text(each, keys) is None]
    if wrong:
        return fail("secret key", f"cannot decrypt {', '.join(wrong)}", _KEY_HINT)
    return ok("secret key", f"decrypts all {len(sealed)} encrypted secrets")
