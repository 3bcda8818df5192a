"""ccxt's streams, message by message: listeners get what it applies, and nothing is coalesced or lost.

ccxt returns its whole state whenever somebody awaits it, and forgets what happened between two awaits. Here a
subscription is awaited once, for ever; meanwhile each message is delivered where ccxt applies it.
"""
