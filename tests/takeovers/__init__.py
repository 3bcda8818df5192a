"""Take-overs between executors, forced again and again under load: `make takeovers`.

Two processes with one configuration trade on a simulated exchange. The one that acts is killed, frozen, ended or
replaced; the exchange's own orders, and the answers in the journal and on the channel, then say whether all went well.
"""
