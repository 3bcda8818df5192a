"""Recordings of streams, and strategies run over them on a virtual clock. See docs/backtesting.md."""
