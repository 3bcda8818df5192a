"""Up to when the retention has dropped rows, so that nothing is built again from what is left."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "retention",
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("dropped_before_ms", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("subject"),
        sqlite_with_rowid=False,
    )
