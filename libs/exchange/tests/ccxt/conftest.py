"""The ccxt adapter for everything, also where market data have a native feed."""

import pytest

from millrace_core.config.common import Credentials


@pytest.fixture
def credentials(credentials: Credentials) -> Credentials:
    """How to reach the simulator's account through ccxt alone."""
    return credentials.model_copy(update={"adapter": "ccxt"})
