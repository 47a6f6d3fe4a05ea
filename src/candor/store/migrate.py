"""The revision that a database is at, and the way to the newest one."""

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from candor.errors import StorageError
from candor.store.schema import Schema

MIGRATIONS = Path(__file__).parent / "migrations"


def revision(connection: Connection, schema: Schema) -> str | None:
    """The revision of the tables; None where there are none yet."""
    if not inspect(connection).has_table(schema.version_table):
        return None
    found: str | None = connection.execute(text(f"SELECT version_num FROM {schema.version_table}")).scalar()
    return found


def migrate(connection: Connection, schema: Schema, name: str) -> None:
    """Bring the tables to the newest revision, in this transaction, which no other process may be in (`Store.alone`).
    StorageError, which calls the database `name`, where they are of newer code."""
    from alembic import command  # not needed, and not imported, once a store is up to date
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("version_locations", str(MIGRATIONS / schema.revisions).replace("%", "%%"))
    config.set_main_option("path_separator", "newline")
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    found = revision(connection, schema)
    if found is not None and found not in known:
        raise StorageError(
            f"{name} was written by a newer Candor (revision {found}, this one knows {schema.head}); "
            "upgrade candor-lm, or name another store"
        )
    config.attributes["connection"] = connection
    config.attributes["schema"] = schema
    command.upgrade(config, "head")
