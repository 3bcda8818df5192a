"""Hiding secrets and putting them back, and differences, for any document."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from millrace_api.configs.diff import changes
from millrace_api.configs.masking import masked, unmasked, unresolved_masks

_KEYS = st.sampled_from(
    ["agent", "exchanges", "risk", "secret", "apiKey", "password", "A", "kucoin", "name", "urls", "receivers"]
)
_LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=12) | st.just("enc:abc")
_DOCUMENTS = st.dictionaries(
    _KEYS,
    st.recursive(_LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=4)),
    max_size=5,
)
BUSY = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""A busy machine makes no test fail."""


@BUSY
@given(_DOCUMENTS)
def test_what_is_sent_back_as_shown_is_what_it_was(config: Any) -> None:
    """Hiding loses nothing that restoring does not find again."""
    assert unmasked(masked(config), config) == config


@BUSY
@given(_DOCUMENTS, _DOCUMENTS)
def test_equal_documents_have_no_changes_and_others_have(before: Any, after: Any) -> None:
    """A difference is empty exactly for equals."""
    assert not changes(before, before)
    assert bool(changes(before, after)) == (before != after)


def test_a_tenant_may_be_called_like_a_secret() -> None:
    """Names of tenants are no fields: what is below them is shown, their secrets are not."""
    config = {"exchanges": {"token-fund": {"kucoin": {"apiKey": "abcdef", "test": True}}}}
    assert masked(config) == {"exchanges": {"token-fund": {"kucoin": {"apiKey": "***", "test": True}}}}


def test_a_secret_that_hides_nothing_known_is_a_mistake() -> None:
    """It is named by its place."""
    assert [problem.path for problem in unresolved_masks({"exchanges": {"A": {"k": {"secret": "***"}}}})] == [
        "$.exchanges.A.k.secret"
    ]


def test_addresses_of_receivers_are_secrets() -> None:
    """Whatever they are called, and encrypted or not: an address of a messenger holds its token."""
    config = {"receivers": {"StrankaXY": {"chat": "tgram://12345:abcdef/1", "mail": "enc:abc"}}}
    shown = {"receivers": {"StrankaXY": {"chat": "***", "mail": "***"}}}
    assert masked(config) == shown
    assert unmasked(shown, config) == config


def plan(tenant: str, token: str, **settings: Any) -> dict[str, Any]:
    """Return a workplan whose strategy has a secret among its settings."""
    return {"tenant": tenant, "plugins": [{"pluginName": "P", "configuration": {"apiToken": token, **settings}}]}


def test_a_workplan_that_moves_keeps_its_own_secret() -> None:
    """When another tenant's workplan before it is removed, a masked secret is not that tenant's."""
    before = {"workplans": [plan("A", "secret-of-a"), plan("B", "secret-of-b")]}
    assert unmasked({"workplans": [plan("B", "***")]}, before) == {"workplans": [plan("B", "secret-of-b")]}
    changed = unmasked({"workplans": [plan("B", "***", amount=2), plan("C", "***"), plan("A", "***")]}, before)
    assert changed["workplans"] == [plan("B", "secret-of-b", amount=2), plan("C", "***"), plan("A", "secret-of-a")]
    assert [each.path for each in unresolved_masks(changed)] == ["$.workplans[1].plugins[0].configuration.apiToken"]


def test_headers_and_account_numbers_are_secret() -> None:
    """A header that signs a client in has any name; `uid` may be sent encrypted as well."""
    account = {
        "uid": "7654321",
        "options": {"headers": {"X-Pass": "s3cr3t"}},
        "urls": {"base": "https://a/?sig=s3cr3t"},
    }
    shown = masked({"exchanges": {"Ann": {"kucoin": account}}, "workplans": [{"headers": ["s3cr3t"], "n": 1}]})
    assert "s3cr3t" not in str(shown)
    assert "7654321" not in str(shown)
    assert shown["workplans"][0]["n"] == 1
