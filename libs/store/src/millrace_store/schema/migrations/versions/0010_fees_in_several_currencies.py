"""The fees of an own trade that was charged in several currencies."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Add the column; trades from before have no fee there, as they were stored."""
    op.add_column("own_trades", sa.Column("fees_by_currency", sa.Text()))
