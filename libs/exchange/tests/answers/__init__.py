"""Faulty answers to every request of an account, for every exchange that has a profile."""
