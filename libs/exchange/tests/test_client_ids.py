import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace_core.ids import RequestId
from millrace_exchange import client_order_id
from millrace_exchange.client_ids import client_order_id_params

REQUEST_IDS = st.integers(0, 2**128 - 1).map(lambda number: RequestId(f"{number:032x}"))

ALLOWED = {
    "binance": r"[A-Za-z0-9_-]{1,36}",
    "kucoin": r"[A-Za-z0-9_-]{1,40}",
    "kraken": r"[0-9a-f]{32}",
    "bybit": r"[A-Za-z0-9_-]{1,36}",
    "okx": r"[A-Za-z0-9]{1,32}",
    "gate": r"t-[A-Za-z0-9_.-]{1,28}",
    "hitbtc": r"[A-Za-z0-9]{8,32}",
}


@pytest.mark.parametrize(("exchange", "form"), ALLOWED.items())
@given(request_id=REQUEST_IDS)
def test_each_exchange_gets_an_id_of_the_form_that_it_allows(exchange: str, form: str, request_id: RequestId) -> None:
    """No request id gives a client order id that the exchange would refuse."""
    assert re.fullmatch(form, client_order_id(exchange, request_id))


@pytest.mark.parametrize("exchange", ALLOWED)
@given(one=REQUEST_IDS, other=REQUEST_IDS)
def test_ids_are_the_same_for_the_same_request_only(exchange: str, one: RequestId, other: RequestId) -> None:
    """Every attempt of a request carries one id, and no other request's attempt does."""
    assert client_order_id(exchange, one) == client_order_id(exchange, one)
    assert (client_order_id(exchange, one) == client_order_id(exchange, other)) == (one == other)


def test_exchanges_that_ccxt_does_not_translate_for_get_their_own_parameter_too() -> None:
    """Coinbase and HitBTC find the id under the name that they know."""
    assert client_order_id_params("coinbase", "x")["client_order_id"] == "x"
    assert client_order_id_params("binance", "x") == {"clientOrderId": "x"}
