"""What a strategy author imports: Strategy, books, orders, timers."""
