"""The table of actions."""

from typing import get_args

from millrace_core.actions import ACTIONS, WatchAction


def test_the_table_has_every_action_that_a_configuration_may_ask_for() -> None:
    """Without a row, an action that the schema accepts could not be planned."""
    assert set(ACTIONS) == set(get_args(WatchAction))


def test_what_concerns_a_whole_account_is_private() -> None:
    """A stream of an account needs its keys."""
    assert all(action.is_private for action in ACTIONS.values() if action.is_account_wide)
