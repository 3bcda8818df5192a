"""One account: its requests are decided, sent to the exchange and answered."""
