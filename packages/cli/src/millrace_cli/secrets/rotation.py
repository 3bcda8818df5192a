"""Encrypts all secrets in Redis anew, by the newest key."""

from collections.abc import Mapping
from typing import NamedTuple

from millrace_cli.running import CommandFailed, connected
from millrace_cli.secrets.sealed import Sealed, open_text, sealed_texts
from millrace_core.errors import Problem
from millrace_core.names import AgentId
from millrace_service.encryption import each_key, encrypt


class Rotated(NamedTuple):
    """What a rotation did with one agent's configuration."""

    agent: AgentId
    secrets: int
    """How many were encrypted anew; 0 if the newest key had encrypted all."""


async def rotate(redis_url: str, keys: bytes) -> list[Rotated]:
    """Encrypt every secret of every configuration by the newest key, unless it is already; nothing else changes.

    Raises:
        CommandFailed: no key opens some secrets, each of which is named, and nothing was changed; or a configuration
            was changed meanwhile.
        Unreachable: Redis does not answer.
    """
    async with connected(redis_url, "secrets") as bus:
        configs = await bus.all_configs()
        _check_readable(configs, keys)
        done: list[Rotated] = []
        for agent, text in sorted(configs.items()):
            new, count = _rotated(text, keys)
            if count and not await bus.replace_config(agent, text, new):
                raise CommandFailed(f"the configuration of {agent} was changed meanwhile: run the command again")
            done.append(Rotated(agent, count))
        return done


def _check_readable(configs: Mapping[AgentId, bytes], keys: bytes) -> None:
    problems = [
        Problem(f"{agent} {sealed.path}", "no key decrypts it")
        for agent, text in sorted(configs.items())
        for sealed in sealed_texts(text)
        if open_text(sealed, keys) is None
    ]
    if problems:
        raise CommandFailed(
            "nothing was changed: put the old key after the new one into MILLRACE_SECRET_KEY, or mend these", problems
        )


def _rotated(text: bytes, keys: bytes) -> tuple[bytes, int]:
    """Return a configuration's text with its secrets encrypted anew, and how many those are."""
    newest = each_key(keys)[0]
    old = [sealed for sealed in sealed_texts(text) if open_text(sealed, newest) is None]
    for sealed in old:
        # In the text, so that everything else stays as it was written.
        text = text.replace(f'"{sealed.text}"'.encode(), f'"{_again(sealed, keys)}"'.encode())
    return text, len(old)


def _again(sealed: Sealed, keys: bytes) -> str:
    if (opened := open_text(sealed, keys)) is None:
        raise CommandFailed(f"no key decrypts {sealed.path}")
    tenant, secret = opened
    return encrypt(tenant, secret, keys)
