"""Poisonous requests between good ones, in the journal and by hand: each good one is answered as if it were alone."""
