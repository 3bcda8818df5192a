"""Benchmarks: each figure is compared with a limit or a peer measured in the same run. See README.md."""
