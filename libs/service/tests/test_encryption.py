"""Encrypted secrets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace_core.names import Tenant
from millrace_service.encryption import decrypt, encrypt, is_encrypted, new_key, parse_key, parse_keys
from millrace_service.errors import SecretUnreadable, SettingsInvalid

KEY = parse_key(new_key())
MINE, YOURS = Tenant("StrankaXY"), Tenant("Other")


@given(st.text())
def test_what_was_encrypted_decrypts_to_itself(text: str) -> None:
    """Any text survives the way through `enc:…`."""
    sealed = encrypt(MINE, text, KEY)
    assert is_encrypted(sealed)
    assert decrypt(MINE, sealed, KEY) == text


def test_the_same_secret_never_looks_the_same() -> None:
    """Two encryptions of one secret differ, so they do not show that two accounts share it."""
    assert encrypt(MINE, "secret", KEY) != encrypt(MINE, "secret", KEY)


def test_a_secret_of_one_tenant_is_unreadable_to_another() -> None:
    """A text copied into another tenant's section does not decrypt."""
    with pytest.raises(SecretUnreadable, match="another tenant"):
        decrypt(YOURS, encrypt(MINE, "secret", KEY), KEY)


@given(st.data())
def test_a_damaged_text_is_refused(data: st.DataObject) -> None:
    """A changed or missing character never yields a wrong secret."""
    sealed = encrypt(MINE, "secret", KEY)
    at = data.draw(st.integers(4, len(sealed) - 1))
    other = data.draw(st.sampled_from(["", "A", "b", "7", "!", "é"]))
    damaged = sealed[:at] + other + sealed[at + 1 :]
    try:
        assert decrypt(MINE, damaged, KEY) == "secret"
    except SecretUnreadable:
        return


def test_another_key_is_refused() -> None:
    """A text that was encrypted elsewhere is unreadable here."""
    with pytest.raises(SecretUnreadable, match="wrong key"):
        decrypt(MINE, encrypt(MINE, "secret", KEY), parse_key(new_key()))


def test_without_a_key_the_message_says_what_to_set() -> None:
    """The error names the variables that hold the key."""
    with pytest.raises(SecretUnreadable, match="MILLRACE_SECRET_KEY_FILE"):
        decrypt(MINE, encrypt(MINE, "secret", KEY), None)


@pytest.mark.parametrize("form", [KEY.hex(), KEY.hex().upper(), new_key() + "\n"], ids=["hex", "HEX", "base64"])
def test_a_key_may_be_base64_or_hex(form: str) -> None:
    """The forms that common tools print are read, with the newline that files end in."""
    assert len(parse_key(form)) == 32


@pytest.mark.parametrize("text", ["", "short", "x" * 64, "correct horse battery staple", "ü" * 43])
def test_a_key_of_another_form_is_refused_without_showing_it(text: str) -> None:
    """The message says what a key looks like and does not repeat what was given."""
    with pytest.raises(SettingsInvalid, match="32 bytes") as caught:
        parse_key(text)
    assert not text or text not in str(caught.value)


@pytest.mark.parametrize("between", [" ", ",", "\n", ", "])
def test_of_two_keys_the_first_encrypts_and_both_decrypt(between: str) -> None:
    """So a key is replaced while texts of the old one are still there."""
    old, new = new_key(), new_key()
    both = parse_keys(f"{new}{between}{old}\n")
    assert decrypt(MINE, encrypt(MINE, "secret", parse_key(old)), both) == "secret"
    assert decrypt(MINE, encrypt(MINE, "secret", both), parse_key(new)) == "secret"
    with pytest.raises(SecretUnreadable):
        decrypt(MINE, encrypt(MINE, "secret", both), parse_key(old))


@pytest.mark.parametrize("text", ["", " ", f"{new_key()} short"], ids=["empty", "blank", "one is short"])
def test_each_of_several_keys_must_be_one(text: str) -> None:
    """A key that is missing or wrong is no key at all."""
    with pytest.raises(SettingsInvalid, match="32 bytes"):
        parse_keys(text)
