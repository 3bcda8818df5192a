"""Follow an order book with nothing of millrace but docs/protocol.md: python read_book.py STREAM [REDIS_URL]."""

import json
import sys

import redis


def position(text):
    epoch, _, seq = text.partition("-")
    return int(epoch), int(seq)


class Book:
    def __init__(self, connection, name):
        self.connection, self.name = connection, name

    def start(self):
        """Take the newest snapshot, then everything after it."""
        snapshots = self.connection.xrevrange(self.name.replace("stream.", "stream.snapshot.", 1), count=1)
        data = json.loads(snapshots[0][1]["data"])["data"]
        self.bids, self.asks, self.last = dict(data["bids"]), dict(data["asks"]), position(data["asOf"])
        self.catch_up()

    def catch_up(self):
        """Read the journal from the last message on: it must still hold that one, and the next, and the next."""
        first = "%d-%d" % (self.last[0], max(self.last[1], 1))
        entries = [(position(key), fields["data"]) for key, fields in self.connection.xrange(self.name, first)]
        if not entries or entries[0][0] != position(first):
            raise LookupError("the journal no longer reaches back: take a snapshot")
        for at, text in entries:
            if at > self.last:
                self.take(at, json.loads(text))

    def take(self, at, message):
        """Apply the next message; anything but the next one shows a gap."""
        if at != (self.last[0], self.last[1] + 1):
            raise LookupError("a message is missing")
        self.last = at
        if message["type"] == "delta":
            for side, changes in ((self.bids, message["data"]["bids"]), (self.asks, message["data"]["asks"])):
                for price, amount in changes:
                    side[price] = amount
                    if not amount:
                        del side[price]

    def receive(self, text):
        """Skip what is known, apply what is next, fill a gap from the journal, or begin anew with a snapshot."""
        message = json.loads(text)
        at = position(message["id"])
        if at <= self.last:
            return
        try:
            if at == (self.last[0], self.last[1] + 1):
                return self.take(at, message)
            self.catch_up()
        except LookupError:
            self.start()


def main(name, url="redis://127.0.0.1:6379/0"):
    connection = redis.Redis.from_url(url, decode_responses=True)
    channel = connection.pubsub(ignore_subscribe_messages=True)
    channel.subscribe(name)
    book = Book(connection, name)
    book.start()
    while True:
        bid, ask = max(book.bids), min(book.asks)
        print("%d-%d" % book.last, bid, book.bids[bid], ask, book.asks[ask], flush=True)
        for event in channel.listen():
            book.receive(event["data"])
            break


if __name__ == "__main__":
    main(*sys.argv[1:])
