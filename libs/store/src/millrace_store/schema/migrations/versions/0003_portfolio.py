"""Positions and profit from own trades, what fees were worth, and the value of accounts over time."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_MONEY = sa.Text().with_variant(sa.Numeric(), "postgresql")


def upgrade() -> None:
    """Make the tables; `Store.maintain` counts the own trades that are there."""
    amounts = ("quantity", "opened_quantity", "opened_cost", "realised", "fees", "bought", "sold", "turnover")
    op.create_table(
        "positions",
        _number("stream_id"),
        sa.Column("source", sa.Text, nullable=False),
        *(_number(name) for name in ("at_ms", "last_ms", "trades")),
        *(sa.Column(name, _MONEY, nullable=False) for name in amounts),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("fees_by_currency", "unvalued_fees")),
        sa.PrimaryKeyConstraint("stream_id", "source", "at_ms"),
        sqlite_with_rowid=False,
    )
    op.create_index("positions_by_time", "positions", ["stream_id", "at_ms"])
    op.create_table(
        "fee_prices",
        _number("stream_id"),
        sa.Column("currency", sa.Text, nullable=False),
        _number("at_ms"),
        sa.Column("price", _MONEY),
        sa.PrimaryKeyConstraint("stream_id", "currency", "at_ms"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "equity",
        sa.Column("tenant", sa.Text, nullable=False),
        _number("at_ms"),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("value", _MONEY, nullable=False),
        sa.Column("holdings", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "at_ms"),
        sqlite_with_rowid=False,
    )
    op.add_column("own_trades", sa.Column("cost", _MONEY))


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False, autoincrement=False)
