"""What alembic runs: it writes the SQL of the wanted steps, which `millrace_store.schema.upgrade` carries out.

Nothing connects from here: our drivers do that, so that one transaction and one lock hold the whole migration.
"""

from alembic import context

context.configure(
    dialect_name=context.config.get_main_option("dialect"),
    output_buffer=context.config.output_buffer,
    transactional_ddl=False,
)
context.run_migrations()
