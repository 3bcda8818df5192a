"""A peer that counts its messages, and prints the count and its CPU time on SIGUSR1."""

import asyncio
import json
import signal
import time


class Counter:
    """Counts messages."""

    def __init__(self) -> None:
        self.messages = 0

    def count(self) -> None:
        """Count one message; print a line at the first."""
        self.messages += 1
        if self.messages == 1:
            print("first", flush=True)

    def listen(self) -> None:
        """Print the count and the CPU time."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, self._tell)

    def _tell(self) -> None:
        print(json.dumps({"messages": self.messages, "cpu": time.process_time()}), flush=True)
