"""`python -m millrace_executor --agent-id EXECUTOR`."""

import os

from millrace_executor.agent import ExecutorAgent
from millrace_service import main
from millrace_service.settings import DATABASE_OPTION, database_url
from millrace_store import Store

main(lambda: ExecutorAgent(database_url(os.environ, Store.check_url)), options=DATABASE_OPTION)
