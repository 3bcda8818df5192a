"""`python -m millrace_gatherer --agent-id GATHERER`."""

from millrace_gatherer.agent import GathererAgent
from millrace_service import main

main(GathererAgent)
