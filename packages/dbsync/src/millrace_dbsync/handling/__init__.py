"""From messages to the rows of a batch, a handler for each kind of journal."""
