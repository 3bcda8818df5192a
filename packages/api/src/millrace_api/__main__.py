"""`python -m millrace_api [--agent-id API] [--port 8081]`."""

import os

from millrace_api.agent import ApiAgent
from millrace_api.options import OPTIONS, read_options
from millrace_service import main

if __name__ == "__main__":
    # One needs no configuration, and so no name that tells which.
    os.environ.setdefault("MILLRACE_AGENT_ID", "API")
    main(lambda: ApiAgent(read_options()), options=OPTIONS)
