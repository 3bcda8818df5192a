"""What holds for every HTTP client of the platform: the caller decides whether a request is sent again."""

from typing import Any, TypeVar

Session = TypeVar("Session", bound=Any)


def sends_once(session: Session) -> Session:
    """Return an aiohttp session that sends each request once.

    By itself aiohttp sends GET, PUT and DELETE again if a kept connection ends without an answer. The first may have
    been done: that the second is refused would say that it had not.
    """
    session._retry_connection = False
    return session
