"""Halts and when they were resumed, so that they outlive Redis."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "halts",
        *(sa.Column(name, sa.Text, nullable=False) for name in ("tenant", "scope")),
        sa.Column("since_ms", sa.BigInteger),
        *(sa.Column(name, sa.Text) for name in ("reason", "author")),
        sa.Column("resumed_ms", sa.BigInteger),
        sa.PrimaryKeyConstraint("tenant", "scope"),
        sqlite_with_rowid=False,
    )
