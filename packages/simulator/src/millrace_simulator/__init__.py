"""An exchange to trade against, speaking Binance's own wire protocol."""
