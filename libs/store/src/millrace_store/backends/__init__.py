"""The two databases behind one protocol: PostgreSQL and SQLite."""
