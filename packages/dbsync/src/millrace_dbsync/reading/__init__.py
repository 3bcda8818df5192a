"""What is new in the journals, what they lost, and how far the database is behind them."""
