"""The schema: tables, migrations, and the ids and parts of stream names."""
