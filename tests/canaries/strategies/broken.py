"""A strategy that cannot be imported, and says in which environment."""

import os

from millrace_strategy import Strategy


class Broken(Strategy):
    """Is never defined."""

    raise RuntimeError(f"not with {os.environ['MILLRACE_REDIS_URL']} and {os.environ['MILLRACE_SECRET_KEY']}")
