"""How each exchange writes what the tests look for, or say in its place."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from millrace_simulator.listings import DialectName


@dataclass(frozen=True, slots=True)
class Wording:
    """The frames of one exchange."""

    separator: str
    """Between the currencies of a market."""
    marks: Mapping[str, str]
    """What only a frame of a kind has, by `book` and `trade`; `{}` stands for the market."""
    unreadable: str
    """A trade that says nothing."""
    confirmed: str
    """What only the confirmation of a request has."""
    refused: str
    """What a refusal has in its place."""

    def market(self, symbol: str) -> str:
        """Return the exchange's name of a market."""
        return symbol.replace("/", self.separator)

    def is_of(self, frame: str, kind: str, symbol: str | None = None) -> bool:
        """Tell whether a frame is of a kind, and of a market."""
        before, _, after = self.marks[kind].partition("{}")
        return before in frame and (symbol is None or self.market(symbol) + after in frame)

    def subscribed(self, sent: list[str]) -> list[list[str]]:
        """Return the markets of each request to subscribe."""
        requests = [json.loads(text) for text in sent]
        return [
            each["params"] if "params" in each else each["topic"].partition(":")[2].split(",")
            for each in requests
            if "subscribe" in (each.get("type"), each.get("method", "").lower())
        ]

    def is_end(self, sent: str) -> bool:
        """Tell whether a request ends a stream."""
        return "unsubscribe" in sent.lower()


WORDINGS: Final[Mapping[DialectName, Wording]] = {
    "binance": Wording(
        separator="",
        marks={"book": '"e":"depthUpdate"', "trade": '"e":"trade"'},
        unreadable='{"e":"trade","s":"ETHBTC"}',
        confirmed='"result":null',
        refused='"error":{"code":2,"msg":"Invalid request"}',
    ),
    "kucoin": Wording(
        separator="-",
        marks={"book": '"topic":"/market/level2:{}"', "trade": '"topic":"/market/match:{}"'},
        unreadable='{"topic":"/market/match:ETH-BTC","type":"message","subject":"trade.l3match","data":{}}',
        confirmed='"type":"ack"',
        refused='"type":"error","code":404,"data":"Invalid request"',
    ),
}
