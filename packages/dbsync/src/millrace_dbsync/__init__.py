"""Stores journals in the database: every message once, and every loss recorded."""

from millrace_dbsync.agent import DbsyncAgent

__all__ = ["DbsyncAgent"]
