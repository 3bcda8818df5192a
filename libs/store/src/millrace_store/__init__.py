"""The database: schema, migrations, writer and queries."""
