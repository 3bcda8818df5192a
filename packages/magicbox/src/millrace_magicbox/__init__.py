"""Streams to strategies to requests to trade."""
