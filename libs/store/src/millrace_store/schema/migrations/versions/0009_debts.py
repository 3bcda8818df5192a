"""What is owed of a balance."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Add the column; of earlier balances nothing is known."""
    op.add_column("balances", sa.Column("debt", sa.Text().with_variant(sa.Numeric(), "postgresql")))
