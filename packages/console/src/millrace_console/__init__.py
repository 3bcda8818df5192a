"""The web console: a client of the API, which shows a person what the platform does."""
