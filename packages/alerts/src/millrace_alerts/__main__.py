"""`python -m millrace_alerts --agent-id ALERTS`."""

import os

from millrace_alerts.agent import AlertsAgent
from millrace_service import main
from millrace_service.settings import DATABASE_OPTION, database_url
from millrace_store import Store

if __name__ == "__main__":
    main(lambda: AlertsAgent(database_url(os.environ, Store.check_url)), options=DATABASE_OPTION)
