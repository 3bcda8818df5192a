"""`millrace record`, `data`, `backtest` and `replay`: streams to files, and strategies over them."""
