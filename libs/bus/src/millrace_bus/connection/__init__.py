"""Connections to Redis that come back after any outage, and what is sent and received over them."""
