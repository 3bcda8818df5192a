"""From rows to records: pages of history, order books of the past, candles."""
