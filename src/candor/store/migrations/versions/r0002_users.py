"""Accounts, conversations, consent, requests, audit, receipts and contributions."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TIME = sa.DateTime(timezone=True)
_ID = sa.String(32)


def upgrade() -> None:
    """Make the tables, and have the database itself guard those that are only appended to."""
    op.create_index("ix_review_problem", "review", ["problem"])
    _own()
    _allowed()
    _became()
    for table in ("consent", "receipt", "audit"):
        for statement in _guards(table, op.get_context().dialect.name):
            op.execute(statement)


def _own() -> None:
    op.create_table(
        "account",
        sa.Column("id", _ID, nullable=False),
        sa.Column("login", sa.String(200), nullable=False),
        sa.Column("password_hash", sa.String(200), nullable=True),
        sa.Column("oidc_subject", sa.String(300), nullable=True),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("quota", sa.Integer(), nullable=True),
        sa.Column("created", _TIME, nullable=False),
        sa.CheckConstraint("role IN ('user', 'annotator', 'admin')", op.f("ck_account_role")),
        sa.PrimaryKeyConstraint("id", name="pk_account"),
        sa.UniqueConstraint("login", name="uq_account_login"),
        sa.UniqueConstraint("oidc_subject", name="uq_account_oidc_subject"),
    )
    op.create_table(
        "conversation",
        sa.Column("id", _ID, nullable=False),
        sa.Column("account", _ID, nullable=False),
        sa.Column("created", _TIME, nullable=False),
        sa.Column("key", _ID, nullable=False),
        sa.Column("title", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["account.id"], name="fk_conversation_account", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_conversation"),
    )
    op.create_index("ix_conversation_account", "conversation", ["account"])
    op.create_table(
        "message",
        sa.Column("id", _ID, nullable=False),
        sa.Column("conversation", _ID, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("created", _TIME, nullable=False),
        sa.Column("key", _ID, nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("receipt", _ID, nullable=True),
        sa.CheckConstraint("role IN ('user', 'assistant', 'system')", op.f("ck_message_role")),
        sa.ForeignKeyConstraint(
            ["conversation"], ["conversation.id"], name="fk_message_conversation", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_message"),
        sa.UniqueConstraint("conversation", "position", name="uq_message_conversation_position"),
    )
    op.create_index("ix_message_key", "message", ["key"])


def _allowed() -> None:
    op.create_table(
        "consent",
        sa.Column("id", _ID, nullable=False),
        sa.Column("account", _ID, nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("version", sa.String(64), nullable=False),
        sa.Column("ends", _ID, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_consent"),
        sa.UniqueConstraint("ends", name="uq_consent_ends"),
    )
    op.create_index("ix_consent_account", "consent", ["account"])
    op.create_table(
        "data_request",
        sa.Column("id", _ID, nullable=False),
        sa.Column("account", _ID, nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("object", _ID, nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("done", _TIME, nullable=True),
        sa.CheckConstraint(
            "kind IN ('export', 'delete conversation', 'delete all', 'withdraw')", op.f("ck_data_request_kind")
        ),
        sa.PrimaryKeyConstraint("id", name="pk_data_request"),
    )
    op.create_index("ix_data_request_account", "data_request", ["account"])
    op.create_table(
        "audit",
        sa.Column("sequence", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("actor", sa.String(64), nullable=False),
        sa.Column("action", sa.String(64), nullable=False),
        sa.Column("object", sa.String(64), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.Column("previous", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name="pk_audit"),
    )


def _became() -> None:
    op.create_table(
        "receipt",
        sa.Column("id", _ID, nullable=False),
        sa.Column("consent", _ID, nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("pairs_in", sa.Integer(), nullable=False),
        sa.Column("pairs_out", sa.Integer(), nullable=False),
        sa.Column("steps", sa.JSON(), nullable=False),
        sa.Column("k", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_receipt"),
    )
    op.create_index("ix_receipt_consent", "receipt", ["consent"])
    op.create_index("ix_receipt_digest", "receipt", ["digest"])
    op.create_table(
        "contribution",
        sa.Column("id", _ID, nullable=False),
        sa.Column("prompt", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("lang", sa.String(16), nullable=False),
        sa.Column("month", sa.String(7), nullable=False),
        sa.Column("batch", _ID, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_contribution"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_contribution_batch", "contribution", ["batch"])


def _guards(table: str, dialect: str) -> list[str]:
    said = f"{table} is only ever appended to"
    if dialect == "sqlite":
        return [
            f"CREATE TRIGGER {table}_no_{event.lower()} BEFORE {event} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{said}'); END"
            for event in ("UPDATE", "DELETE")
        ]
    return [
        f"CREATE FUNCTION {table}_appends() RETURNS trigger LANGUAGE plpgsql AS $$ "
        f"BEGIN RAISE EXCEPTION '{said}'; END $$",
        f"CREATE TRIGGER {table}_appends BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW "
        f"EXECUTE FUNCTION {table}_appends()",
    ]
