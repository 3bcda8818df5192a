"""The API as the console asks it."""

import pytest
from tests.support.hanging_up import hanging_up

from millrace_console.accounts import Account
from millrace_console.api import Api, ApiAway

ANN = Account("T", "Ann", "trade", is_operator=False, token="secret")


@pytest.mark.parametrize("method", ["DELETE", "PUT", "PATCH"])
async def test_a_change_is_asked_for_once(method: str) -> None:
    """A kept connection that ends without an answer is no reason to ask again: the API may have done it."""
    async with hanging_up() as server:
        api = Api(server.url)
        await api.get(ANN, "/session")
        with pytest.raises(ApiAway):
            await api.ask(ANN, method, "/orders/1")
        assert server.asked == ["GET", method]
        await api.close()
