"""Plain secrets of configurations are not kept: encrypted with a key, left out without one."""

import json
import secrets
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace_core.names import Tenant
from millrace_service.encryption import decrypt
from millrace_service.redaction import HIDDEN
from millrace_service.sealing import for_history, sealed

KEY, ANN = secrets.token_bytes(32), Tenant("Ann")
PLAIN = {"apiKey": "the-key-of-it", "secret": "s3cr3t-of-it", "password": "the-passphrase", "uid": "7654321"}
CONFIG = {
    "agent": {"id": "EXECUTOR"},
    "exchanges": {ANN: {"kucoin": PLAIN | {"test": True}, "binance": {}}},
    "receivers": {ANN: {"chat": "tgram://123456789:abcdef/1"}},
}
SECRETS = (*PLAIN.values(), "tgram://")
JSON = st.recursive(st.none() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))


@pytest.mark.parametrize("key", [KEY, None], ids=["a key", "none"])
def test_no_plain_secret_is_kept(key: bytes | None) -> None:
    """Everything else of the configuration is."""
    text = for_history(json.dumps(CONFIG).encode(), key)
    assert not any(each in text for each in SECRETS)
    kept = json.loads(text)
    account = kept["exchanges"][ANN]["kucoin"]
    assert (kept["agent"], account["test"], kept["exchanges"][ANN]["binance"]) == ({"id": "EXECUTOR"}, True, {})
    found = {name: account[name] if key is None else decrypt(ANN, account[name], key) for name in PLAIN}
    assert found == (dict.fromkeys(PLAIN, HIDDEN) if key is None else PLAIN)


def test_a_configuration_without_plain_secrets_is_kept_as_it_was_written() -> None:
    """To the last byte, so that it can be put in force again."""
    text = json.dumps(sealed(CONFIG, KEY), separators=(" ,", ":  "))
    assert for_history(text.encode(), KEY) == for_history(text.encode(), None) == text


def test_a_text_that_is_no_json_has_no_secret_after_its_name() -> None:
    """A comma too many must not keep a secret for years."""
    kept = for_history(b'{"exchanges": {"Ann": {"kucoin": {"secret": "s3cr3t-of-it", }}}\0\xff', None)
    assert "s3cr3t-of-it" not in kept
    assert "\0" not in kept


@given(st.fixed_dictionaries({}, optional={"exchanges": JSON, "receivers": JSON}) | JSON)
def test_whatever_somebody_set_is_kept(config: Any) -> None:
    """A configuration of any form leaves a text, in which nothing is left to hide."""
    kept = for_history(json.dumps(config).encode(), None)
    assert json.loads(for_history(kept.encode(), None)) == json.loads(kept)
    json.loads(for_history(json.dumps(config).encode(), KEY))


def test_of_a_text_that_is_no_configuration_the_beginning_is_kept() -> None:
    """Any program can set megabytes; to look through all of them keeps the messages of others waiting."""
    assert for_history(b'{"agent": "' + b"x" * 1_000_000 + b'"}', None) == '{"agent": "' + "x" * 19_989


ACCOUNT = '"exchanges": {"Ann": {"kucoin": {"apiKey": "k3y-of-it-1", "secret": "s3cr3t-of-it", "uid": "7654321"}}}'
RECEIVER = '"receivers": {"Ann": {"chat": "tgram:\\/\\/123456789:abcdef/1"}}'


@pytest.mark.parametrize(
    "text",
    [
        f'{{{ACCOUNT}, {RECEIVER}, "exchanges": {{}}, "receivers": {{}}}}',
        f"\ufeff{{{ACCOUNT}, {RECEIVER}}}",
        f'{{{ACCOUNT}, {RECEIVER}, "more": Infinity}}',
        f'{{{ACCOUNT}, {RECEIVER}, "more": "\\ud800"}}',
        f'{{{ACCOUNT}, {RECEIVER}, "more": {"[" * 70}{"]" * 70}}}',
        f"[{{{ACCOUNT}, {RECEIVER}}}]",
        f"{{{RECEIVER}, {ACCOUNT}",
        f"{{{ACCOUNT}, {RECEIVER}}}".replace("Ann", "no tenant"),
        '{"exchanges": {"Ann": {"kucoin": [{"secret": "s3cr3t-of-it"}], "binance": {"secret": ["s3cr3t-of-it"]}}}}',
        '{"exchanges": [{"secret": "s3cr3t-of-it"}], "receivers": ["tgram:\\/\\/123456789:abcdef/1"]}',
        '{"receivers": {"Ann": ["tgram:\\/\\/123456789:abcdef/1"], "Bob": {"chat": {"to": "tgram://1:abcdef/1"}}}}',
    ],
)
@pytest.mark.parametrize("key", [KEY, None], ids=["a key", "none"])
def test_no_form_of_a_configuration_keeps_a_secret(text: str, key: bytes | None) -> None:
    """Keys that occur twice, a byte order mark, mistakes, and values where an agent would take none."""
    kept = for_history(text.encode(), key)
    assert not any(each in kept for each in ("k3y-of-it-1", "s3cr3t-of-it", "7654321", "abcdef"))
