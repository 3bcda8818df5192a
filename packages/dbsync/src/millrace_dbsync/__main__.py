"""`python -m millrace_dbsync --agent-id DBSYNC`."""

import os

from millrace_dbsync.agent import DbsyncAgent
from millrace_dbsync.interpreter import suit_bulk
from millrace_service import main
from millrace_service.settings import DATABASE_OPTION, database_url, read_secret_key
from millrace_store import Store

if __name__ == "__main__":
    suit_bulk()
    main(
        lambda: DbsyncAgent(database_url(os.environ, Store.check_url), read_secret_key(os.environ)),
        options=DATABASE_OPTION,
    )
