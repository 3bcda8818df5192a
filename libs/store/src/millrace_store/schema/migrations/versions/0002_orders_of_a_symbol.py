"""An order's symbol is part of its key: exchanges such as Binance number the orders of each symbol separately."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_TEXT = ("order_source", "request_id", "side", "type", "status")
_MONEY = ("price", "amount", "filled", "average")
_AFTER = ("created_ms", "updated_ms", "data")


def upgrade() -> None:
    """Rebuild the table, as SQLite requires; an order without a known symbol gets an empty one.

    Two orders that were one row stay one: `order_events` holds the report of each message.
    """
    money = sa.Text().with_variant(sa.Numeric(), "postgresql")
    op.create_table(
        "orders_by_symbol",
        *(sa.Column(name, sa.Text, nullable=False) for name in ("tenant", "exchange", "order_id", "symbol")),
        *(sa.Column(name, sa.Text) for name in _TEXT),
        *(sa.Column(name, money) for name in _MONEY),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
        sa.Column("updated_ms", sa.BigInteger, nullable=False),
        sa.Column("data", sa.Text, nullable=False),
        # The number first: it is what one looks for.
        sa.PrimaryKeyConstraint("tenant", "order_id", "exchange", "symbol", name="orders_key"),
        sqlite_with_rowid=False,
    )
    rest = ", ".join((*_TEXT, *_MONEY, *_AFTER))
    op.execute(
        f"INSERT INTO orders_by_symbol (tenant, exchange, order_id, symbol, {rest}) "  # noqa: S608 - our own names
        f"SELECT tenant, exchange, order_id, COALESCE(symbol, ''), {rest} FROM orders"
    )
    op.drop_table("orders")
    op.rename_table("orders_by_symbol", "orders")
    op.create_index("orders_by_time", "orders", ["tenant", "created_ms"])
    op.create_index("orders_by_request", "orders", ["request_id"])
