"""A process's life: settings, supervisor, heartbeat, logging."""
