"""Why an exchange does not send what it was asked for."""

from http import HTTPStatus


class ConnectionRefused(ConnectionError):
    """The exchange takes no connection for now."""

    def __init__(self, status: int) -> None:
        super().__init__(f"the exchange refused the connection: HTTP {status}")


class LogonRefused(ConnectionError):
    """The exchange does not authenticate a connection."""

    def __init__(self, error: object) -> None:
        super().__init__(f"the exchange refused the logon: {error}")


class UnreadableEvent(ConnectionError):
    """The exchange sent an event that is not of the form that it documents."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the exchange sent what cannot be read: {reason}")


class SubscriptionRefused(Exception):
    """The exchange does not send a stream."""

    def __init__(self, reason: str, code: str | None, status: int | None = None) -> None:
        super().__init__(f"the exchange refused the subscription: {reason}")
        self.code = code
        self.is_failure = status is not None and status >= HTTPStatus.INTERNAL_SERVER_ERROR
        """Whether the exchange says that it failed itself."""
