"""exchangeInfo: every documented field, for strict clients."""

from typing import Any

import pytest

pytestmark = pytest.mark.asyncio(loop_scope="session")

SYMBOL_FIELDS = {
    "symbol",
    "status",
    "baseAsset",
    "baseAssetPrecision",
    "quoteAsset",
    "quotePrecision",
    "quoteAssetPrecision",
    "baseCommissionPrecision",
    "quoteCommissionPrecision",
    "orderTypes",
    "icebergAllowed",
    "ocoAllowed",
    "otoAllowed",
    "opoAllowed",
    "quoteOrderQtyMarketAllowed",
    "allowTrailingStop",
    "cancelReplaceAllowed",
    "amendAllowed",
    "pegInstructionsAllowed",
    "isSpotTradingAllowed",
    "isMarginTradingAllowed",
    "filters",
    "permissions",
    "permissionSets",
    "defaultSelfTradePreventionMode",
    "allowedSelfTradePreventionModes",
}


async def info(client: Any, **params: str) -> Any:
    """The exchange information."""
    return await client.get("/api/v3/exchangeInfo", **params)


async def test_every_documented_field_is_there(client: Any) -> None:
    """Strict clients decode symbols whole; PRICE_FILTER comes first."""
    body = (await info(client)).body
    assert set(body) == {"timezone", "serverTime", "rateLimits", "exchangeFilters", "symbols"}
    assert {"KCSUSDT", "ETHBTC", "ETHUSDT", "BTCUSDT"} <= {each["symbol"] for each in body["symbols"]}
    for symbol in body["symbols"]:
        assert set(symbol) == SYMBOL_FIELDS
        assert symbol["filters"][0]["filterType"] == "PRICE_FILTER"
        assert symbol["permissionSets"] == [["SPOT"]]
        assert symbol["permissions"] == []
    assert [rule["rateLimitType"] for rule in body["rateLimits"]] == [
        "REQUEST_WEIGHT",
        "ORDERS",
        "ORDERS",
        "RAW_REQUESTS",
    ]


async def test_filters_are_printed_as_binance_prints_them(client: Any) -> None:
    """Steps with eight decimals, whatever their size; multipliers without padding."""
    filters = {each["filterType"]: each for each in (await info(client, symbol="ETHBTC")).body["symbols"][0]["filters"]}
    assert {"PRICE_FILTER", "LOT_SIZE", "MARKET_LOT_SIZE", "NOTIONAL", "MAX_NUM_ORDERS"} <= set(filters)
    assert len(filters["PRICE_FILTER"]["tickSize"].partition(".")[2]) == 8
    numbers = [str(value) for each in filters.values() for name, value in each.items() if name != "filterType"]
    assert not [number for number in numbers if "E" in number]


@pytest.mark.parametrize(
    ("params", "count"),
    [
        ({"symbol": "KCSUSDT"}, 1),
        ({"symbols": '["KCSUSDT","ETHBTC"]'}, 2),
        ({"permissions": "SPOT"}, 8),
        ({"permissions": '["MARGIN","SPOT"]'}, 8),
        ({"permissions": "LEVERAGED"}, 0),
        ({"symbolStatus": "TRADING"}, 8),
        ({"symbolStatus": "HALT"}, 0),
    ],
)
async def test_symbols_may_be_chosen(client: Any, params: dict[str, str], count: int) -> None:
    """By name, by permission, by state."""
    assert len((await info(client, **params)).body["symbols"]) == count


async def test_choices_that_exclude_each_other_are_refused(client: Any) -> None:
    """A name goes with no other choice; unknown names are refused."""
    assert (await info(client, symbol="KCSUSDT", permissions="SPOT")).refusal == (400, -1128)
    assert (await info(client, symbols='["KCSUSDT"]', symbolStatus="TRADING")).refusal == (400, -1128)
    assert (await info(client, symbol="NOSUCH")).refusal == (400, -1121)


async def test_permission_sets_may_be_left_out(client: Any) -> None:
    """`showPermissionSets=false` leaves them empty."""
    assert (await info(client, symbol="KCSUSDT", showPermissionSets="false")).body["symbols"][0]["permissionSets"] == []
