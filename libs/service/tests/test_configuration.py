"""From a configuration's text to the units that it asks for."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from millrace_core.config import Credentials, GathererConfig
from millrace_core.errors import ConfigInvalid, Problem
from millrace_core.names import AgentId, Tenant
from millrace_service import Agent, UnitHealthReporter
from millrace_service.configuration import Plan, opened_config, plan_of
from millrace_service.encryption import encrypt, new_key, parse_key

KEY = parse_key(new_key())
ID = AgentId("GATHERER")
TENANT = Tenant("StrankaXY")


class Accounts(Agent[GathererConfig, Credentials]):
    """An agent with one unit an account."""

    kind = "accounts"
    config_model = GathererConfig

    def units(self, config: GathererConfig) -> Mapping[str, Credentials]:
        """Return the accounts; one named `refused` is a mistake that only the agent sees."""
        accounts = {f"{t}.{e}": c for t, exchanges in config.exchanges.items() for e, c in exchanges.items()}
        if config.environment == "refused":
            raise ConfigInvalid((Problem("$.environment", "is not for this agent"),))
        return accounts

    def warnings(self, config: GathererConfig) -> Sequence[str]:
        """Warn of production."""
        return ["this is production"] if config.environment == "production" else []

    async def run_unit(self, key: str, unit_config: Credentials, health: UnitHealthReporter) -> None:
        """Nothing to do here."""


def config(**changes: Any) -> dict[str, Any]:
    """A valid configuration with one account, changed at the top."""
    return {
        "agent": {"id": "GATHERER", "status": "started"},
        "exchanges": {"StrankaXY": {"kucoin": {"apiKey": "key", "secret": encrypt(TENANT, "s3cret!", KEY)}}},
    } | changes


def plan(value: dict[str, Any], key: bytes | None = KEY) -> Plan:
    """Return what a configuration asks of the agent."""
    agent = Accounts()
    return plan_of(agent, opened_config(agent.config_model, ID, json.dumps(value).encode(), key))


def problems(value: dict[str, Any], key: bytes | None = KEY) -> list[Problem]:
    """Return the mistakes of a configuration."""
    with pytest.raises(ConfigInvalid) as caught:
        plan(value, key)
    return list(caught.value.problems)


def test_units_see_decrypted_secrets() -> None:
    """The unit receives the decrypted secret, which is also kept out of the logs."""
    result = plan(config())
    account = result.units["StrankaXY.kucoin"]
    assert (account.api_key, account.secret) == ("key", "s3cret!")
    assert "s3cret!" in result.secrets
    assert "s3cret!" not in repr(result)
    assert result.warnings == ()


def test_encrypting_the_same_secret_anew_is_no_change_of_the_unit() -> None:
    """Two encryptions of one secret make equal units, so that nothing restarts."""
    first, second = plan(config()), plan(config())
    assert first.revision != second.revision
    assert first.units == second.units


def test_an_unreadable_secret_is_a_problem_with_its_path() -> None:
    """Each secret that does not decrypt is listed with its path, together with all other mistakes."""
    sealed = encrypt(Tenant("Other"), "s3cret!", KEY)
    accounts = {"StrankaXY": {"kucoin": {"secret": sealed, "password": "enc:rubbish"}}}
    found = problems(config(exchanges=accounts, agent={"id": "OTHER"}))
    assert [problem.path for problem in found] == [
        "$.agent.id",
        "$.exchanges.StrankaXY.kucoin.secret",
        "$.exchanges.StrankaXY.kucoin.password",
    ]


def test_a_missing_key_is_a_problem_that_says_what_to_set() -> None:
    """Without a key the configuration is refused, not run with the encrypted text as secret."""
    (problem,) = problems(config(), key=None)
    assert "MILLRACE_SECRET_KEY" in problem.message


def test_plain_secrets_are_accepted_with_a_warning() -> None:
    """A secret in plain text works; the warning names its place and does not show it."""
    result = plan(config(exchanges={"StrankaXY": {"kucoin": {"apiKey": "key", "secret": "plain!", "uid": "7"}}}))
    assert result.units["StrankaXY.kucoin"].secret == "plain!"
    (warning,) = result.warnings
    assert warning.startswith("$.exchanges.StrankaXY.kucoin.secret")
    assert "plain!" not in warning


def test_a_configuration_of_another_agent_is_refused() -> None:
    """A configuration that was set under the wrong key does not run."""
    (problem,) = problems(config(agent={"id": "EXECUTOR"}))
    assert problem.path == "$.agent.id"
    assert "EXECUTOR" in problem.message


def test_a_stopped_agent_has_no_units_but_is_checked() -> None:
    """`stopped` asks for no work; mistakes are still found."""
    stopped = {"id": "GATHERER", "status": "stopped"}
    result = plan(config(agent=stopped))
    assert result.stopped
    assert result.units == {}
    assert problems(config(agent=stopped, environment="refused"))


def test_what_only_the_agent_knows_is_asked_of_it() -> None:
    """The agent's own problems and warnings count like all others."""
    assert [problem.path for problem in problems(config(environment="refused"))] == ["$.environment"]
    assert plan(config(environment="production")).warnings == ("this is production",)


def test_text_that_is_no_configuration_is_refused() -> None:
    """Broken JSON and unknown fields are reported as mistakes."""
    with pytest.raises(ConfigInvalid, match="JSON"):
        opened_config(Accounts.config_model, ID, b"{", KEY)
    assert problems(config(unknown=1))
