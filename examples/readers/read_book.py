"""Follow an order book with nothing but redis-py and docs/protocol.md: python read_book.py STREAM [REDIS_URL]."""

import json
import sys

import redis


class Gap(Exception):
    """A message is missing, and the journal no longer has it."""


def position(text):
    """Return epoch and number, which can be compared."""
    return tuple(map(int, text.split("-")))


class Book:
    """An order book: what it is, and how far it is known."""

    def __init__(self, connection, name):
        self.connection, self.name = connection, name

    def start(self):
        """Take the newest snapshot, then what the journal holds after it."""
        [(_, fields)] = self.connection.xrevrange(self.name.replace("stream.", "stream.snapshot.", 1), count=1)
        data = json.loads(fields["data"])["data"]
        self.bids, self.asks, self.last = dict(data["bids"]), dict(data["asks"]), position(data["asOf"])
        self.catch_up()

    def catch_up(self):
        """Read the last message again, which proves that the journal reaches back to it, and all that follow."""
        entries = self.connection.xrange(self.name, "{}-{}".format(*self.last))
        if self.last[1] and (not entries or position(entries[0][0]) != self.last):
            raise Gap
        for _, fields in entries:
            self.take(json.loads(fields["data"]))

    def take(self, message):
        """Apply the message if it is the next one; skip it if it is known."""
        at = position(message["id"])
        if at <= self.last:
            return
        if at != (self.last[0], self.last[1] + 1):
            raise Gap
        self.last = at
        for side in ("bids", "asks") if message["type"] == "delta" else ():
            for price, amount in message["data"][side]:
                getattr(self, side)[price] = amount
                if not amount:
                    del getattr(self, side)[price]

    def receive(self, text):
        """Take a live message; fill a gap before it from the journal, or else begin anew with a snapshot."""
        try:
            self.take(json.loads(text))
        except Gap:
            try:
                self.catch_up()
            except Gap:
                self.start()


def main(name, url="redis://127.0.0.1:6379/0"):
    """Print the newest message's id, the best bid and the best ask after each message."""
    connection = redis.Redis.from_url(url, decode_responses=True)
    channel = connection.pubsub(ignore_subscribe_messages=True)
    channel.subscribe(name)
    book = Book(connection, name)
    book.start()
    while True:
        print("{}-{}".format(*book.last), max(book.bids, default=None), min(book.asks, default=None), flush=True)
        if event := channel.get_message(timeout=10):
            book.receive(event["data"])


if __name__ == "__main__":
    main(*sys.argv[1:])
