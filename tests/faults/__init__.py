"""Schedules of faults, each made by a seed: executors, an exchange and a Redis fail while requests are carried out.

The exchange is the simulator, whose own ledger judges what became of each request.
"""
