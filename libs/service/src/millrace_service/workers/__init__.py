"""Runs units in processes of their own: forked, watched, replaced, and reported as if there were one process."""
