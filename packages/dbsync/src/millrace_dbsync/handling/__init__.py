"""Turns messages into the rows of a batch, with one handler for each kind of journal."""
