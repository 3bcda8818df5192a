"""A receiver for a first try: prints the alerts that examples/alerts.json sends to port 9099 of this machine."""

import json
from http.server import BaseHTTPRequestHandler, HTTPServer

ADDRESS = ("127.0.0.1", 9099)


class Receiver(BaseHTTPRequestHandler):
    """Takes every message."""

    def do_POST(self) -> None:
        """Print the receiver's path, the title and the text."""
        sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        print(f"{self.path}: {sent['title']}\n{sent['message']}\n", flush=True)
        self.send_response(204)
        self.end_headers()


HTTPServer(ADDRESS, Receiver).serve_forever()
