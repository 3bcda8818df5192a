"""`python -m millrace_console [--port 8081] [--api-url http://127.0.0.1:8080]`."""

import sys

from millrace_console.server import serve
from millrace_console.settings import read_options

if __name__ == "__main__":
    serve(read_options(sys.argv[1:]))
