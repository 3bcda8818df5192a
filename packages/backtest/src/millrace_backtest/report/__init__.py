"""The page that shows a backtest: one HTML file without any other."""
