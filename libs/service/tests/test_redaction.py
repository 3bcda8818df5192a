"""Secrets kept out of logs."""

import base64
import json
from urllib.parse import quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace_service.redaction import HIDDEN, clean, clean_text, learn, secrets_in

VALUE = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"


@pytest.mark.parametrize(
    "text",
    [
        f"GET https://api.binance.com/api/v3/account?timestamp=1&signature={VALUE}&recvWindow=5000",
        f"apiKey={VALUE}",
        f"api_key: '{VALUE}'",
        f"X-MBX-APIKEY: {VALUE}",
        f'{{"listenKey":"{VALUE}"}}',
        f"{{'KC-API-PASSPHRASE': '{VALUE}', 'a': 1}}",
        f"Authorization: Bearer {VALUE}",
        f"wss://stream.binance.com:9443/ws/{VALUE}",
        f"redis://user:{VALUE}@redis:6379/0",
        f"wss://ws-api.kucoin.com/endpoint?token={VALUE}",
        f"-----BEGIN PRIVATE KEY-----\n{VALUE}\n-----END PRIVATE KEY-----",
        f"Credentials(secret='{VALUE}', password=None)",
        f"https://files.example.com/a?sig={VALUE}&n=1",
        f"GET /v5/order?sign={VALUE}",
        f"{{'OK-ACCESS-SIGN': '{VALUE}'}}",
        f"accessKey={VALUE}",
    ],
)
def test_a_secret_after_its_name_is_hidden(text: str) -> None:
    """Wherever addresses, headers, JSON and reprs carry secrets, the name stays and the value goes."""
    cleaned = clean_text(text)
    assert VALUE not in cleaned
    assert HIDDEN in cleaned


@pytest.mark.parametrize(
    "text",
    [
        "unexpected token: something",
        "$.exchanges.StrankaXY.kucoin.secret: is encrypted, and there is no key",
        "workplans[0].dataPoints: watchOrders needs exchanges.StrankaXY.kucoin.apiKey",
        "GET https://api.binance.com/api/v3/depth?symbol=ETHBTC&limit=100 429",
        "redis://redis:6379/0",
        "the signature of this request is not valid",
        "signal=on design=new sign in: later",
    ],
)
def test_prose_stays_readable(text: str) -> None:
    """A text that only mentions secrets is unchanged."""
    assert clean_text(text) == text


def test_fields_named_as_secrets_are_hidden_at_any_depth() -> None:
    """A field whose name says secret is hidden whatever it holds; its neighbours stay."""
    value = {
        "exchange": "kucoin",
        "headers": [{"KC-API-SIGN": "abc"}],
        "apiKey": 12,
        "Password": {"a": 1},
        "n": 3,
        "uid": "7",
    }
    assert clean(value) == {
        "exchange": "kucoin",
        "headers": [{"KC-API-SIGN": HIDDEN}],
        "apiKey": HIDDEN,
        "Password": HIDDEN,
        "n": 3,
        "uid": HIDDEN,
    }


def test_a_learned_secret_is_hidden_wherever_it_turns_up() -> None:
    """A secret of the configuration is hidden without a name before it, also in its URL encoding."""
    learn(["Tr0ub4dor/3+", "ab"])
    assert clean_text("sent Tr0ub4dor/3+ and Tr0ub4dor%2F3%2B, ab") == f"sent {HIDDEN} and {HIDDEN}, ab"


def test_an_errors_text_is_cleaned() -> None:
    """An exception in a field becomes its class and text, without secrets."""
    error = ValueError(f"binance GET /api/v3/order?signature={VALUE}")
    assert clean(error) == f"ValueError: binance GET /api/v3/order?signature={HIDDEN}"


@pytest.mark.parametrize(
    "part", ["secret:", "/sign:xx", "token: ", "-----BEGIN PRIVATE KEY-----", "://a:", "/ws/", 'secret="', "secret-"]
)
def test_a_long_text_is_cleaned_in_one_pass(part: str) -> None:
    """A stranger writes the path of an address. Looked through from each place to its end, it would take hours."""
    assert clean_text(part * (500_000 // len(part)))


def test_the_key_that_ends_is_hidden_whatever_begins_before_it() -> None:
    """The beginning of another one keeps nothing from being hidden."""
    begun = "-----BEGIN PRIVATE KEY-----"
    assert clean_text(f"{begun} {begun}\nMC4C\n-----END PRIVATE KEY-----") == f"{begun} {HIDDEN}"


@given(st.text(alphabet="abcdeSECRET=:'\"& -_10/@", max_size=200))
def test_cleaning_twice_changes_nothing_more(text: str) -> None:
    """Cleaning a clean text changes nothing."""
    once = clean_text(text)
    assert clean_text(once) == once


def test_a_text_that_is_not_unicode_becomes_one() -> None:
    """Half a surrogate pair could be written neither to the log nor to a heartbeat."""
    assert clean_text("caf\u00e9 \ud800 apiKey=\udfff").encode()


def test_a_learned_secret_is_hidden_however_it_is_written() -> None:
    """In JSON, within JSON that is a text, in a form, and in base64 at any place."""
    secret = 'Str0ng/+"pass\\word ä'
    learn([secret])
    written = [json.dumps(secret), json.dumps(json.dumps(secret)), quote_plus(secret), repr(secret)]
    written += [base64.b64encode(f"{'u' * n}:{secret}".encode()).decode() for n in range(4)]
    written += [base64.urlsafe_b64encode(f"{'u' * n}:{secret}".encode()).decode() for n in range(4)]
    for text in written:
        assert HIDDEN in clean_text(text), text
        assert not set(text.split()) & set(clean_text(text).split()), text


def test_a_configuration_tells_its_secrets_by_names_and_addresses() -> None:
    """Words and names of markets under such names are none; encrypted texts are kept as they are."""
    document = {
        "exchanges": {"T": {"binance": {"apiKey": "k3y-of-T-123", "secret": "enc:abc123456", "adapter": "native1234"}}},
        "plugins": [{"configuration": {"webhook": "https://x.example/T0K3N-PART-1", "tokenSymbol": "KCS/USDT"}}],
        "urls": {"base": "http://user:p4ssw0rd%2F9@host/"},
    }
    found = set(secrets_in(document))
    assert found == {"k3y-of-T-123", "https://x.example/T0K3N-PART-1", "T0K3N-PART-1", "p4ssw0rd/9"}
