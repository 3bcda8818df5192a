"""Order books as exchanges send them, by their documentation, played to unmodified ccxt with faults.

`market` holds the book, `player` the server and its faults, and each exchange's file the shapes of its frames.
"""
