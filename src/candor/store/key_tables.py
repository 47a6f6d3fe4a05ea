"""The tables of the database of wrapped keys, which is apart from the store so that no backup holds both."""

from sqlalchemy import Column, Index, Integer, LargeBinary, MetaData, PrimaryKeyConstraint, String, Table

from candor.store.schema import STORE, Number, Schema, UtcDateTime, metadata

HEAD = "0001"
"""Newest revision of `migrations/keys`."""

key_metadata = MetaData(naming_convention=metadata.naming_convention)
"""All tables of the database of wrapped keys."""

WRAPPED = Table(
    "wrapped_key",
    key_metadata,
    Column("key", String(32), nullable=False),
    Column("ring", String(16), nullable=False),
    Column("version", Integer, nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
    Column("account", String(32), nullable=False, index=True),
    Column("conversation", String(32), nullable=False, index=True),
    Column("consent", String(32), index=True),
    Column("review", String(32)),
    PrimaryKeyConstraint("key", "ring"),
    Index(None, "ring", "version"),
)
"""A data key of one conversation, a row for each ring that wraps it. `consent` is the period that it belongs to, none
where nothing was consented to; a row of ring `training` is the grant of that period. `review` names the review records
that come of it."""

TOMBSTONE = Table(
    "tombstone",
    key_metadata,
    Column("object", String(32), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("at", UtcDateTime, nullable=False),
)
"""What must not come back with a restored backup: random ids of what was deleted or withdrawn, and nothing else."""

RING = Table(
    "ring",
    key_metadata,
    Column("ring", String(16), nullable=False),
    Column("version", Integer, nullable=False),
    Column("proof", LargeBinary, nullable=False),
    PrimaryKeyConstraint("ring", "version"),
)
"""A known key, wrapped by each version that was ever used: a wrong KEK is found before anything is written with it."""

HEADS = Table(
    "audit_head",
    key_metadata,
    Column("sequence", Number, primary_key=True, autoincrement=False),
    Column("hash", String(64), nullable=False),
)
"""The last audit entry of the store, one row: the anchor that a cut-off tail does not take along."""

KEYS = Schema(key_metadata, "keys", HEAD, "candor_keys_version", STORE.version_table)
