"""Wrapped keys, tombstones, known rings and the anchor of the audit."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "wrapped_key",
        sa.Column("key", sa.String(32), nullable=False),
        sa.Column("ring", sa.String(16), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.Column("account", sa.String(32), nullable=False),
        sa.Column("conversation", sa.String(32), nullable=False),
        sa.Column("consent", sa.String(32), nullable=True),
        sa.Column("review", sa.String(32), nullable=True),
        sa.PrimaryKeyConstraint("key", "ring", name="pk_wrapped_key"),
    )
    for name in ("account", "conversation", "consent"):
        op.create_index(f"ix_wrapped_key_{name}", "wrapped_key", [name])
    op.create_index("ix_wrapped_key_ring_version", "wrapped_key", ["ring", "version"])
    op.create_table(
        "tombstone",
        sa.Column("object", sa.String(32), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("object", name="pk_tombstone"),
    )
    op.create_table(
        "ring",
        sa.Column("ring", sa.String(16), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("proof", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("ring", "version", name="pk_ring"),
    )
    op.create_table(
        "audit_head",
        sa.Column(
            "sequence", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name="pk_audit_head"),
    )
