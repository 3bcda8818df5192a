"""Processes that answer queries and write exports for a service, which spends neither time nor memory on them.

`pool` is the service's side, `worker` the program that a process runs, `query` what it is asked.
"""
