"""What the editor offers at the cursor comes from the schema of the agent's configuration."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace_console.pages.configuration.completion import completion
from millrace_core.config import GathererConfig, MagicboxConfig

GATHERER = GathererConfig.model_json_schema()
MAGICBOX = MagicboxConfig.model_json_schema()
PLUGINS = {"PingPong": {"properties": {"amount": {"type": "number"}, "symbol": {"type": "string"}}}}


def labels(before: str, schema: dict[str, object] = GATHERER) -> list[str]:
    """Return what is offered."""
    return [each.label for each in completion(before, schema, PLUGINS).options]


def test_keys_that_are_not_there_yet_are_offered() -> None:
    """A key is offered in its object only, and only once."""
    assert {"agent", "workplans", "exchanges"} <= set(labels("{"))
    assert "agent" not in labels('{"agent": {"id": "X"}, ')
    assert labels('{"agent": {"id": "X", ') == ["name", "status"]
    found = completion('{"workplans": [{"tenant": "A", "exch', GATHERER)
    assert found.back == len('"exch')
    offered = {each.label: each for each in found.options}
    assert offered["exchangeId"].insert == '"exchangeId": '
    assert offered["exchangeId"].detail == "string required"


def test_values_that_a_schema_lists_are_offered() -> None:
    """Constants, actions, booleans and defaults."""
    assert labels('{"agent": {"status": ') == ["started", "stopped"]
    assert "watchOrderBook" in labels('{"workplans": [{"dataPoints": [{"action": "wat')
    assert labels('{"exchanges": {"Ann": {"kucoin": {"test": ') == ["true", "false"]
    assert "apiKey" in labels('{"exchanges": {"Ann": {"kucoin": {')


def test_a_strategys_own_settings_are_offered() -> None:
    """The settings of a strategy come from its own schema, by its name."""
    plugin = '{"workplans": [{"plugins": [{"pluginName": "PingPong", "configuration": {'
    assert labels(plugin, MAGICBOX) == ["amount", "symbol"]
    assert labels(plugin + '"amount": 1, ', MAGICBOX) == ["symbol"]
    assert "PingPong" in labels('{"workplans": [{"plugins": [{"pluginName": ', MAGICBOX)


@pytest.mark.parametrize("before", ["", "}", "]]", '{"unknown": {', '{"agent": {"id": "a', "[1,", '"'])
def test_nothing_is_offered_where_nothing_is_known(before: str) -> None:
    """Text that has no place in the schema offers nothing."""
    assert labels(before) == []


@given(st.text(alphabet='{}[]",:1a\\\n ', max_size=60))
def test_any_text_may_stand_before_the_cursor(before: str) -> None:
    """Whatever is being typed, nothing raises."""
    assert completion(before, GATHERER).back <= len(before)
