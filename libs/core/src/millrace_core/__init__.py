"""Names, messages, requests, the join of orders, configuration models, ids, clock, errors: pure, no I/O."""
