"""Lets a failing assertion of a contract show its values, as one in a test module does."""

import pytest

pytest.register_assert_rewrite("libs.exchange.tests.contracts")
