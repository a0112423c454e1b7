"""How Alembic reaches the database: always through the connection that `migrate` hands over."""

from alembic import context

from callcontrol.adapters.sql.schema import VERSION_TABLE, metadata


def run() -> None:
    connection = context.config.attributes["connection"]
    context.configure(
        connection=connection,
        target_metadata=metadata,
        version_table=VERSION_TABLE,
        render_as_batch=connection.dialect.name == "sqlite",
    )
    with context.begin_transaction():
        context.run_migrations()


run()
