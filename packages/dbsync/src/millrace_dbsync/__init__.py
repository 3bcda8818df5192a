"""Journals to the database: every message once, and every loss known."""

from millrace_dbsync.agent import DbsyncAgent

__all__ = ["DbsyncAgent"]
