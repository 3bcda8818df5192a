"""Recordings: what travelled on the streams of tenants, in the order in which it arrived."""
