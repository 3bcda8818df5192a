"""What became of requests whose outcome is not known: found out by asking the exchange, never by sending again."""
