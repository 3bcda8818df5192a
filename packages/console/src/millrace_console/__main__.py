"""`python -m millrace_console [--port 8081] [--api-url http://127.0.0.1:8080]`."""

import sys

from millrace_console.server import serve
from millrace_console.settings import read_options
from millrace_core.errors import MillraceError

UNUSABLE_SETTINGS = 2
"""The exit code that says that starting again with the same settings is of no use."""

if __name__ == "__main__":
    try:
        serve(read_options(sys.argv[1:]))
    except MillraceError as error:
        print(f"console: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(UNUSABLE_SETTINGS)
