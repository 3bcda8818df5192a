"""The terms of a stream's market, with its status: steps and least sizes, as they were then."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add the column; of earlier statuses nothing is known."""
    op.add_column("statuses", sa.Column("market", sa.Text))
