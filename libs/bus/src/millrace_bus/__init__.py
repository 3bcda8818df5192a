"""Redis: writers, readers that recover, requests, config watch; the embedded server."""
