"""The script that alembic runs to write the SQL of the wanted revisions; see `millrace_store.schema.upgrade`.

It never connects: the backends execute the SQL, in one transaction under a lock.
"""

from alembic import context

context.configure(
    dialect_name=context.config.get_main_option("dialect"),
    output_buffer=context.config.output_buffer,
    transactional_ddl=False,
)
context.run_migrations()
