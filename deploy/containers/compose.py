"""A compose file that is up, by whatever engine the machine has."""

import json
import os
import shlex
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Self

import yaml

ROOT: Final = Path(__file__).resolve().parents[2]
ENGINES: Final = ("docker compose", "podman-compose")
_ASK_EVERY_S = 0.5


class CheckFailed(Exception):
    """What should hold does not; the text says what."""


def compose_command() -> list[str]:
    """Return the command of COMPOSE, else of the first engine that works.

    Raises:
        CheckFailed: there is none.
    """
    for engine in filter(None, (os.environ.get("COMPOSE"), *ENGINES)):
        command = shlex.split(engine)
        if shutil.which(command[0]) and _succeeds([*command, "version"]):
            return command
    raise CheckFailed('no engine: install Docker or Podman with podman-compose, or set COMPOSE="…"')


class Compose:
    """A project of its own, apart from what else runs on this machine."""

    def __init__(self, file: str) -> None:
        self._command = [*compose_command(), "-p", "millrace-check", "-f", file]

    @classmethod
    @contextmanager
    def up(cls, file: str) -> Iterator[Self]:
        """Bring a file's services up; take them and their data down at the end, and show their logs after a failure."""
        compose = cls(file)
        try:
            compose.run("up", "-d")
            yield compose
        except BaseException:
            compose.run("logs", "--tail", "30", check=False)
            raise
        finally:
            compose.run("down", "--volumes", check=False)

    def run(self, *arguments: str, check: bool = True) -> None:
        """Run a verb of the engine; its output is shown."""
        subprocess.run([*self._command, *arguments], cwd=ROOT, check=check)  # noqa: S603 - the user's own engine

    def inside(self, service: str, *command: str) -> str:
        """Run a command in a service's container; return what it prints."""
        return self._output("exec", "-T", service, *command)

    def succeeds(self, service: str, *command: str) -> bool:
        """Run a command in a service's container; tell whether its exit code is 0."""
        return _succeeds([*self._command, "exec", "-T", service, *command])

    def health_checks(self) -> dict[str, list[str]]:
        """Return the command of each service's health check, as the engine has read the file."""
        services = yaml.safe_load(self._output("config"))["services"]
        tests = {name: service.get("healthcheck", {}).get("test") for name, service in services.items()}
        return {name: _in_container(*test) for name, test in tests.items() if test}

    def _output(self, *arguments: str) -> str:
        return subprocess.run(  # noqa: S603 - the user's own engine
            [*self._command, *arguments], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
        ).stdout.strip()


class Api:
    """The API, asked with a token."""

    def __init__(self, url: str, token: str = "") -> None:
        self._url, self._token = url, token

    def get(self, path: str) -> Any:
        """Return an answer; None if there is none, or it is an error."""
        request = urllib.request.Request(  # noqa: S310 - our own address
            f"{self._url}{path}", headers={"Authorization": f"Bearer {self._token}"} if self._token else {}
        )
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
                text = answer.read()
                return json.loads(text) if "json" in answer.headers.get("Content-Type", "") else text
        except (OSError, urllib.error.HTTPError):
            return None


def until(condition: Callable[[], Any], what: str, timeout_s: float) -> Any:
    """Ask until a condition holds; return its value.

    Raises:
        CheckFailed: it did not hold in time.
    """
    started = time.monotonic()
    while not (value := condition()):
        if time.monotonic() - started > timeout_s:
            raise CheckFailed(f"not within {timeout_s:.0f} s: {what}")
        time.sleep(_ASK_EVERY_S)
    print(f"{what}: after {time.monotonic() - started:.1f} s", flush=True)
    return value


def _in_container(kind: str, *command: str) -> list[str]:
    return ["sh", "-c", *command] if kind == "CMD-SHELL" else list(command)


def _succeeds(command: list[str]) -> bool:
    return subprocess.run(command, cwd=ROOT, capture_output=True, check=False).returncode == 0  # noqa: S603
