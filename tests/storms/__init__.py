"""A campaign of faults: what a million frames prove.

A simulator, a Valkey and a gatherer run as processes; between the gatherer and the simulator `faults` loses, doubles
and swaps frames, holds answers back, breaks sockets and makes them mute, by a seed. `books`, `trades` and `account`
hold what readers were shown against what `truth` says that the exchange did, by its own numbers and never by the clock.

    make storms ARGS="--frames 1000000 --dialect kucoin --adapter ccxt"
"""
