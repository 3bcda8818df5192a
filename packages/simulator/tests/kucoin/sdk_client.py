"""A run of KuCoin's own client, kucoin-universal-sdk, in a process of its own: it has threads and warnings of its own.

`python sdk_client.py URL KEY` prints as JSON what the client understood. Its models are made from KuCoin's
specification, so that a field of another type is an error or is missing in what is printed.
"""

import json
import queue
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from kucoin_universal_sdk.api import DefaultClient
from kucoin_universal_sdk.generate.spot import market as m
from kucoin_universal_sdk.generate.spot import order as o
from kucoin_universal_sdk.model import (
    ClientOptionBuilder,
    TransportOptionBuilder,
    WebSocketClientOptionBuilder,
)

SYMBOL = "KCS-USDT"
WAIT_S = 15


class Session:
    """One client of the simulator."""

    def __init__(self, url: str, key: str) -> None:
        options = ClientOptionBuilder().set_key(key).set_secret("demo-secret").set_passphrase("demo-passphrase")
        options = options.set_spot_endpoint(url).set_futures_endpoint(url).set_broker_endpoint(url)
        options = options.set_transport_option(TransportOptionBuilder().build())
        options = options.set_websocket_client_option(WebSocketClientOptionBuilder().build())
        client = DefaultClient(options.build())
        self.rest, self.ws = client.rest_service(), client.ws_service()
        self.events: queue.Queue[tuple[str, Any]] = queue.Queue()
        self.received: dict[str, list[Any]] = {}

    def receive(self, topic: str, subject: str, event: Any) -> None:
        """Take in an event of a stream."""
        self.events.put((topic, json.loads(event.to_json())))

    def until(self, topic: str, **wanted: Any) -> dict[str, Any]:
        """Return the first event of a topic that has these values."""
        while True:
            for event in self.received.get(topic, []):
                if wanted.items() <= event.items():
                    found: dict[str, Any] = event
                    return found
            topic_of, event = self.events.get(timeout=WAIT_S)
            self.received.setdefault(topic_of.partition(":")[0], []).append(event)

    def market(self) -> dict[str, Any]:
        """Return what it understood of the market."""
        api = self.rest.get_spot_service().get_market_api()
        book = api.get_full_order_book(m.GetFullOrderBookReqBuilder().set_symbol(SYMBOL).build())
        part = api.get_part_order_book(m.GetPartOrderBookReqBuilder().set_symbol(SYMBOL).set_size("20").build())
        klines = api.get_klines(m.GetKlinesReqBuilder().set_symbol(SYMBOL).set_type("1hour").build())
        trades = api.get_trade_history(m.GetTradeHistoryReqBuilder().set_symbol(SYMBOL).build())
        listed = api.get_all_symbols(m.GetAllSymbolsReqBuilder().build()).data
        return {
            "bids": [len(part.bids), len(book.bids)],
            "sequence": [book.sequence, part.sequence],
            "candles": len(klines.data),
            "trades": [trade.side.value for trade in trades.data][:1],
            "step": next(each.price_increment for each in listed if each.symbol == SYMBOL),
            "currencies": [each.currency for each in api.get_all_currencies().data],
            "tickers": [each.symbol for each in api.get_all_tickers().ticker],
            "best": api.get_ticker(m.GetTickerReqBuilder().set_symbol(SYMBOL).build()).best_bid,
            "last": api.get24hr_stats(m.Get24hrStatsReqBuilder().set_symbol(SYMBOL).build()).last,
            "limit": api.get_server_time().common_response.rate_limit.limit,
        }

    def streams(self) -> dict[str, Any]:
        """Trade while it follows public and own streams; return what it received."""
        public, private = self.ws.new_spot_public_ws(), self.ws.new_spot_private_ws()
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda each: each.start(), (public, private)))
        public.orderbook_increment([SYMBOL], self.receive)
        public.orderbook_level5([SYMBOL], self.receive)
        public.trade([SYMBOL], self.receive)
        public.ticker([SYMBOL], self.receive)
        public.klines(SYMBOL, "1min", self.receive)
        public.symbol_snapshot(SYMBOL, self.receive)
        private.order_v2(self.receive)
        private.account(self.receive)
        traded = self.orders()
        reported = {
            "received": self.until("/spotMarket/tradeOrdersV2", orderId=traded["bought"], type="received")["status"],
            "filled": self.until("/spotMarket/tradeOrdersV2", orderId=traded["bought"], type="filled")["filledSize"],
            "canceled": self.until("/spotMarket/tradeOrdersV2", orderId=traded["rested"], type="canceled")["status"],
            "balance": self.until("/account/balance", currency="KCS")["availableChange"],
            "trade": self.until("/market/match", takerOrderId=traded["bought"])["side"],
            "sequences": [self.until("/market/level2")[name] for name in ("sequenceStart", "sequenceEnd")],
            "depth": len(self.until("/spotMarket/level2Depth5")["asks"]),
            "ticker": self.until("/market/ticker")["bestBid"],
            "candle": len(self.until("/market/candles")["candles"]),
            "snapshot": self.until("/market/snapshot")["data"]["symbol"],
        }
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda each: each.stop(), (public, private)))
        return traded | reported

    def orders(self) -> dict[str, Any]:
        """Place, find and cancel orders; return what it understood of them."""
        api = self.rest.get_spot_service().get_order_api()
        new = o.AddOrderReqBuilder().set_symbol(SYMBOL).set_side(o.AddOrderReq.SideEnum.BUY)
        bought = api.add_order(new.set_type(o.AddOrderReq.TypeEnum.MARKET).set_size("1").build())
        new = o.AddOrderSyncReqBuilder().set_symbol(SYMBOL).set_side(o.AddOrderSyncReq.SideEnum.BUY)
        new = new.set_type(o.AddOrderSyncReq.TypeEnum.LIMIT).set_size("1").set_price("10").set_client_oid("sdk-1")
        rested = api.add_order_sync(new.build())
        by_id = o.GetOrderByOrderIdReqBuilder().set_symbol(SYMBOL).set_order_id(bought.order_id).build()
        open_ = api.get_open_orders(o.GetOpenOrdersReqBuilder().set_symbol(SYMBOL).build())
        cancel = o.CancelOrderByClientOidSyncReqBuilder().set_symbol(SYMBOL).set_client_oid("sdk-1").build()
        canceled = api.cancel_order_by_client_oid_sync(cancel)
        done = api.get_closed_orders(o.GetClosedOrdersReqBuilder().set_symbol(SYMBOL).build())
        fills = api.get_trade_history(o.GetTradeHistoryReqBuilder().set_symbol(SYMBOL).build())
        return {
            "bought": bought.order_id,
            "rested": rested.order_id,
            "sync": [rested.status.value, canceled.status.value, canceled.canceled_size],
            "order": [api.get_order_by_order_id(by_id).deal_size, api.get_order_by_order_id(by_id).active],
            "open": [each.client_oid for each in open_.data],
            "done": [each.id for each in done.items],
            "fills": sum(float(each.size) for each in fills.items if each.order_id == bought.order_id),
        }


def main(url: str, key: str) -> None:
    """Print what a session understood."""
    session = Session(url, key)
    print(json.dumps({"market": session.market(), "streams": session.streams()}))  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
