"""Shared by the system tests: the platform under test, and a client that uses none of our code."""
