"""Processes that answer queries and write exports for a service, which spends neither time nor memory on them.

`pool` and `process` are the service's side, `fork_server` and `worker` what the processes run, `query` what is asked.
"""
