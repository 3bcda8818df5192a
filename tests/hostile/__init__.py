"""Hostile inputs by a seed, beside a good tenant's traffic: `make hostile SEEDS=20`, or `python -m tests.hostile`.

What other programs and broken writers can leave in Redis is left there: entries of journals, messages on channels,
keys and members of any type and bytes, texts of configurations. Meanwhile a gatherer in small writes, dbsync stores,
and a reader follows. No unit may fail, no good row be missing, and whatever is refused must be a dead letter, told or
counted.
"""
