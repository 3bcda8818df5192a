"""`python -m millrace_alerts --agent-id ALERTS`."""

from millrace_alerts.agent import AlertsAgent, database_url
from millrace_service import main

if __name__ == "__main__":
    main(
        lambda: AlertsAgent(database_url()),
        options={"database-url": "sqlite:///path or postgresql://… (default millrace.db in the data folder)"},
    )
