"""ccxt: lazy import, recorded order books, error meaning, client order ids."""
