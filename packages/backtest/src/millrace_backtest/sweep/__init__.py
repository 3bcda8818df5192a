"""Sweeps: a strategy backtested with many settings, and with the best of them on data that they were not chosen by."""
