"""A campaign of faults: what a million frames prove.

A simulator, a Valkey and a gatherer run as processes (`processes`). Between the gatherer and the simulator `faults`
loses, doubles and swaps frames, answers late or with old snapshots, breaks sockets and makes them mute, by a seed.
`books`, `trades` and `account` compare what readers are shown with what `truth` says that the exchange did: by its own
numbers, never by the clock.

    make storms ARGS="--frames 1000000 --dialect kucoin --adapter ccxt"

With `--steady` there is one fault in 30 s a stream, not one in 2 s: that shows how much of the time books are live.
"""
