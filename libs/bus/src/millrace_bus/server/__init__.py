"""The embedded Redis server, and processes that end with their parent."""

from millrace_bus.server.die_with_parent import bound_to_us, end_with_parent
from millrace_bus.server.embedded import EmbeddedServer

__all__ = ["EmbeddedServer", "bound_to_us", "end_with_parent"]
