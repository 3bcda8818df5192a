"""`python -m millrace_dbsync --agent-id DBSYNC`."""

from millrace_dbsync.agent import DbsyncAgent
from millrace_dbsync.committing.shared_database import database_url
from millrace_dbsync.interpreter import suit_bulk
from millrace_service import main

if __name__ == "__main__":
    suit_bulk()
    main(
        lambda: DbsyncAgent(database_url()),
        options={"database-url": "sqlite:///path or postgresql://… (default millrace.db in the data folder)"},
    )
