"""The compose files, their settings and the Dockerfile hold together. `make containers` tries them for real."""

import re
import stat
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support.platform import ROOT
from tools.env import main as make_env

from millrace_bus.server.acl import USERS
from millrace_core.access import AGENTS
from millrace_service import parse_key

FILES = ("docker-compose.yml", "docker-compose-min.yml")
WITHOUT_REDIS = {"console", "simulator"}


def compose(file: str) -> dict[str, Any]:
    """Return a compose file's services."""
    services: dict[str, Any] = yaml.safe_load((ROOT / file).read_text())["services"]
    return services


def settings(text: str) -> dict[str, str]:
    """Return the settings of an .env file."""
    pairs = (line.partition("=") for line in text.splitlines() if line and not line.startswith("#"))
    return {name: value for name, _, value in pairs}


@pytest.mark.parametrize("file", FILES)
def test_every_setting_that_is_used_has_an_example(file: str) -> None:
    """What a compose file takes from the environment stands in .env.example, with what it is for."""
    used = set(re.findall(r"\$\{([A-Z_]+)", (ROOT / file).read_text()))
    assert used - settings((ROOT / ".env.example").read_text()).keys() == set()


def test_every_setting_is_used() -> None:
    """An example that nothing reads would mislead."""
    used = {name for file in FILES for name in re.findall(r"\$\{([A-Z_]+)", (ROOT / file).read_text())}
    # Read by the engine itself.
    assert settings((ROOT / ".env.example").read_text()).keys() - used == {"COMPOSE_PROFILES"}


def test_every_service_runs_under_its_own_user_and_knows_no_other_password() -> None:
    """Also the operator's, which may do everything."""
    services = compose(FILES[0])
    for kind in AGENTS | WITHOUT_REDIS:
        assert services[kind]["command"][0] == kind
        passwords = set(re.findall(r"MILLRACE_REDIS_PASSWORD_([A-Z]+)", str(services[kind])))
        assert passwords == (set() if kind in WITHOUT_REDIS else {kind.upper()}), kind
        if kind in AGENTS:
            assert f"redis://{kind}:$" in services[kind]["environment"]["MILLRACE_REDIS_URL"]


def test_only_who_encrypts_or_decrypts_has_the_key() -> None:
    """A strategy runs in magicbox: it does not get the key of the secrets, nor does the console."""
    services = compose(FILES[0])
    holders = {name for name, service in services.items() if "MILLRACE_SECRET_KEY" in str(service.get("environment"))}
    assert holders == {"gatherer", "executor", "api", "alerts"}


def test_nothing_but_api_and_console_can_be_reached() -> None:
    """Ports are published to this machine alone unless .env says otherwise."""
    services = compose(FILES[0])
    assert {name for name, service in services.items() if "ports" in service} == {"api", "console"}
    for file in FILES:
        for service in compose(file).values():
            assert all(
                port.startswith(("${MILLRACE_BIND:-127.0.0.1}:", "127.0.0.1:")) for port in service.get("ports", [])
            )


def test_every_service_runs_without_rights_and_is_started_again() -> None:
    """As a user of its own, on a file system that it cannot write, with a health check that every engine knows.

    Podman's images have no health check. A volume of the image would leave one behind for each container that ever was.
    """
    services = compose(FILES[0])
    for kind in AGENTS | WITHOUT_REDIS:
        service = services[kind]
        assert (service["restart"], service["read_only"], service["cap_drop"]) == ("unless-stopped", True, ["ALL"])
        asked = str(service["healthcheck"]["test"])
        assert ("http://127.0.0.1" if kind in WITHOUT_REDIS else "millrace_service.healthcheck") in asked, kind
    image = (ROOT / "Dockerfile").read_text()
    assert re.search(r"^USER 10001:10001$", image, re.MULTILINE)
    assert not re.search(r"^(HEALTHCHECK|VOLUME) ", image, re.MULTILINE)


@pytest.mark.parametrize("file", FILES)
def test_no_container_s_log_fills_the_disk(file: str) -> None:
    """Engines keep a container's output in a file that has no limit of its own."""
    for name, service in compose(file).items():
        assert service.get("logging", {}).get("options", {}).keys() >= {"max-size", "max-file"}, name


def test_env_has_new_passwords_for_its_owner_alone(tmp_path: Path) -> None:
    """No value twice, a key that the services take, and mode 0600."""
    (tmp_path / ".env.example").write_text((ROOT / ".env.example").read_text())
    assert make_env(tmp_path) == 0
    path = tmp_path / ".env"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    made = settings(path.read_text())
    secret = [value for name, value in made.items() if "PASSWORD" in name or "SECRET" in name]
    assert len(set(secret)) == len(secret) == len(USERS) + 2
    assert not any("<" in value for value in made.values())
    assert len(parse_key(made["MILLRACE_SECRET_KEY"])) == 32


def test_env_that_exists_is_left_as_it_is(tmp_path: Path) -> None:
    """Its passwords are those of data that exists."""
    (tmp_path / ".env.example").write_text("A=<random>\n")
    (tmp_path / ".env").write_text("A=mine\n")
    assert make_env(tmp_path) == 0
    assert (tmp_path / ".env").read_text() == "A=mine\n"
