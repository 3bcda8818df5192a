"""`python -m millrace_api [--agent-id API] [--port 8080]`."""

import os

from millrace_api.agent import OPTIONS, ApiAgent, read_options
from millrace_service import main

if __name__ == "__main__":
    # It serves without a configuration too, so the name of one is optional.
    os.environ.setdefault("MILLRACE_AGENT_ID", "API")
    main(lambda: ApiAgent(read_options()), options=OPTIONS)
