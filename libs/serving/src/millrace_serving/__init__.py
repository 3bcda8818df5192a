"""What every HTTP server limits: how much a connection may cost before its request is read, and how often one asks."""
