"""The tables of what belongs to users, of what they allowed, and of what became of it; texts only as ciphertext.

Consent, receipts and the audit are only ever appended to, which the database itself sees to.
"""

from sqlalchemy import (
    JSON,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    and_,
    select,
)

from candor.store.schema import Number, UtcDateTime, metadata

ACCOUNT = Table(
    "account",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("login", String(200), nullable=False),
    Column("password_hash", String(200)),
    Column("oidc_subject", String(300)),
    Column("role", String(16), nullable=False),
    Column("quota", Integer),
    Column("created", UtcDateTime, nullable=False),
    CheckConstraint("role IN ('user', 'annotator', 'admin')", "role"),
    UniqueConstraint("login"),
    UniqueConstraint("oidc_subject"),
)
"""`quota` is in tokens a day; none where only the service's own limits hold."""

CONVERSATION = Table(
    "conversation",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("account", String(32), ForeignKey("account.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("created", UtcDateTime, nullable=False),
    Column("key", String(32), nullable=False),
    Column("title", LargeBinary, nullable=False),
)
MESSAGE = Table(
    "message",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("conversation", String(32), ForeignKey("conversation.id", ondelete="CASCADE"), nullable=False),
    Column("position", Integer, nullable=False),
    Column("role", String(16), nullable=False),
    Column("created", UtcDateTime, nullable=False),
    Column("key", String(32), nullable=False, index=True),
    Column("sealed", LargeBinary, nullable=False),
    Column("receipt", String(32)),
    CheckConstraint("role IN ('user', 'assistant', 'system')", "role"),
    UniqueConstraint("conversation", "position"),
)
"""`receipt` is set where what was asked went through the contribution path, whatever came out of it."""

CONSENT = Table(
    "consent",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("account", String(32), nullable=False, index=True),
    Column("at", UtcDateTime, nullable=False),
    Column("version", String(64), nullable=False),
    Column("ends", String(32)),
    UniqueConstraint("ends"),
)
"""Outlives the account, under its random id, as proof; nothing leads from that id to a person then."""

IN_FORCE = and_(
    CONSENT.c.ends.is_(None), CONSENT.c.id.not_in(select(CONSENT.c.ends).where(CONSENT.c.ends.is_not(None)))
)
"""Holds of a consent that was given and that no other record ends."""

REQUEST = Table(
    "data_request",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("account", String(32), nullable=False, index=True),
    Column("kind", String(32), nullable=False),
    Column("object", String(32), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("done", UtcDateTime),
    CheckConstraint("kind IN ('export', 'delete conversation', 'delete all', 'withdraw')", "kind"),
)
"""What users asked for, of which account, conversation or consent; outlives the account as consent does. Not done while
`done` is empty."""

AUDIT = Table(
    "audit",
    metadata,
    Column("sequence", Number, primary_key=True, autoincrement=False),
    Column("at", UtcDateTime, nullable=False),
    Column("actor", String(64), nullable=False),
    Column("action", String(64), nullable=False),
    Column("object", String(64), nullable=False),
    Column("detail", JSON, nullable=False),
    Column("previous", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
)

GIVEN = and_(AUDIT.c.action == "consent.give", AUDIT.c.object == CONSENT.c.id, AUDIT.c.actor == CONSENT.c.account)
"""Joins a consent to the entry of the audit that says who gave it."""

RECEIPT = Table(
    "receipt",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("consent", String(32), nullable=False, index=True),
    Column("at", UtcDateTime, nullable=False),
    Column("pairs_in", Integer, nullable=False),
    Column("pairs_out", Integer, nullable=False),
    Column("steps", JSON, nullable=False),
    Column("k", Integer, nullable=False),
    Column("digest", String(64), nullable=False, index=True),
)
"""What a batch took from one consent, and how it was made; `digest` is of the whole batch."""

CONTRIBUTION = Table(
    "contribution",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("prompt", Text, nullable=False),
    Column("answer", Text, nullable=False),
    Column("lang", String(16), nullable=False),
    Column("month", String(7), nullable=False),
    Column("batch", String(32), nullable=False),
    Index(None, "batch"),
    sqlite_with_rowid=False,
)
"""De-identified pairs. No column leads to a user; rows of a batch come in the order of their random ids, at once."""
