"""`python -m millrace_executor --agent-id EXECUTOR`."""

from millrace_executor.agent import ExecutorAgent
from millrace_service import main

main(ExecutorAgent)
