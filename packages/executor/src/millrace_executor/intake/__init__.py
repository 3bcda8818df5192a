"""From the bytes of a request to the account that carries it out: read, routed, in its turn."""
