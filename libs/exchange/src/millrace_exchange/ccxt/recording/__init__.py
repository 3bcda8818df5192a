"""ccxt's streams, message by message: listeners receive every change, and nothing is coalesced or lost.

ccxt returns its whole state at each await, and forgets the changes between two awaits. Here a subscription is awaited
once, and each message is delivered when ccxt applies it.
"""
