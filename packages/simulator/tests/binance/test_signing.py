"""Signing: Binance's own published examples hold, and nothing else does."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from millrace_simulator.binance.errors import BinanceError
from millrace_simulator.binance.parameters import Parameters, signed_payload
from millrace_simulator.binance.signing import check_signature, check_timing

NOW_MS = 1_700_000_000_000
# The key and the signatures are those of the examples in Binance's rest-api.md.
SECRET = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"
FIRST = "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC"
SECOND = "quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559"
WHOLE = "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"
SPLIT = "0fd168b8ddb4876a0358a8d14d0c9f3da0e9b20c5d52b2a00fcf7d1c602f9a77"


@pytest.mark.parametrize(
    ("query", "body"),
    [
        (f"{FIRST}&{SECOND}&signature={WHOLE}", ""),
        ("", f"{FIRST}&{SECOND}&signature={WHOLE}"),
        (FIRST, f"{SECOND}&signature={SPLIT}"),
        (FIRST, f"{SECOND}&signature={SPLIT.upper()}"),
    ],
)
def test_the_published_examples_are_accepted(query: str, body: str) -> None:
    """In the query, in the body, split over both; hex digits in either case."""
    payload, signature = signed_payload(query, body)
    check_signature(payload, signature, secret=SECRET, public_key=None)


def test_a_changed_parameter_is_refused() -> None:
    """What was changed after signing is noticed."""
    with pytest.raises(BinanceError) as refusal:
        check_signature(f"{FIRST}&{SECOND}0", WHOLE, secret=SECRET, public_key=None)
    assert (refusal.value.code, refusal.value.status) == (-1022, 400)


@pytest.mark.parametrize("signature", ["", None])
def test_no_signature_is_a_missing_parameter(signature: str | None) -> None:
    """Binance asks for the signature by name."""
    with pytest.raises(BinanceError) as refusal:
        check_signature(FIRST, signature, secret=SECRET, public_key=None)
    assert refusal.value.code == -1102


@pytest.mark.parametrize("form", ["pem", "base64"])
def test_ed25519_signatures_are_accepted(form: str) -> None:
    """The account's public key counts as uploaded (PEM) and as the base64 inside of it."""
    private = Ed25519PrivateKey.generate()
    pem = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    der = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    public_key = pem if form == "pem" else base64.b64encode(der).decode()
    signature = base64.b64encode(private.sign(FIRST.encode())).decode()
    check_signature(FIRST, signature, secret=None, public_key=public_key)
    for wrong in (signature.swapcase(), "no base64!", "ü"):
        with pytest.raises(BinanceError):
            check_signature(FIRST, wrong, secret=None, public_key=public_key)


@pytest.mark.parametrize("sent_ms", [NOW_MS, NOW_MS - 5000, NOW_MS + 999, NOW_MS * 1000])
def test_a_request_in_its_window_is_accepted(sent_ms: int) -> None:
    """5 s back and just under 1 s ahead count; µs are understood."""
    check_timing(Parameters({"timestamp": str(sent_ms)}), NOW_MS)


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({}, -1102),
        ({"timestamp": "soon"}, -1100),
        ({"timestamp": str(NOW_MS - 5001)}, -1021),
        ({"timestamp": str(NOW_MS + 1000)}, -1021),
        ({"timestamp": str(NOW_MS - 200), "recvWindow": "100.5"}, -1021),
        ({"timestamp": str(NOW_MS), "recvWindow": "60001"}, -1131),
        ({"timestamp": str(NOW_MS), "recvWindow": "wide"}, -1100),
    ],
)
def test_a_request_out_of_its_window_is_refused(values: dict[str, str], code: int) -> None:
    """Too old, too early, without a time, and with a window that is too wide."""
    with pytest.raises(BinanceError) as refusal:
        check_timing(Parameters(values), NOW_MS)
    assert refusal.value.code == code
