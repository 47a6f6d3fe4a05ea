"""What Alembic runs around the revisions: they share the one transaction of whoever opens the store."""

from alembic import context

from candor.store import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table="candor_version",
    transactional_ddl=True,
    render_as_batch=True,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
