"""What exchanges report of the positions of an account."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the table."""
    identity = ("stream_id", "at_ms", "epoch", "seq", "n")
    op.create_table(
        "exchange_positions",
        *(sa.Column(name, sa.BigInteger, nullable=False, autoincrement=False) for name in identity),
        sa.Column("symbol", sa.Text, nullable=False),
        sa.Column("data", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint(*identity),
        sqlite_with_rowid=False,
    )
