"""Names, messages, order join, configuration models, ids, clock, errors: pure, no I/O."""
