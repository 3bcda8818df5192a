"""The program that workers are forked from: importing the store takes most of a second, forking a few ms.

Its input is a socket, over which it gets the other end of each worker's socket. It ends with its service.
"""

import gc
import os
import signal
import socket

from millrace_store.workers.worker import work


def main() -> None:
    """Fork a worker for each socket that comes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Nobody waits for the workers: the kernel forgets those that have ended.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    gc.freeze()
    control = socket.socket(fileno=0)
    while True:
        _, received, _, _ = socket.recv_fds(control, 1, 1)
        if not received:
            return
        (end,) = received
        if not os.fork():
            control.close()
            work(socket.socket(fileno=end))
        os.close(end)
