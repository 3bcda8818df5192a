"""Requests to trade on their way to the executor, its intents, and halts."""
