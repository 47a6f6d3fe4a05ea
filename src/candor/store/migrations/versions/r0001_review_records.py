"""Review records and their history."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make both tables, and have the database itself guard what must never change."""
    op.create_table(
        "review",
        sa.Column("number", _NUMBER, nullable=False),
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("messages", sa.JSON(), nullable=False),
        sa.Column("original", sa.Text(), nullable=False),
        sa.Column("method", sa.String(16), nullable=False),
        sa.Column("lang", sa.String(16), nullable=False),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("family", sa.Text(), nullable=True),
        sa.Column("grade", sa.String(16), nullable=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("edited", sa.Text(), nullable=True),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("annotator", sa.Text(), nullable=True),
        sa.Column("lease_until", _TIME, nullable=True),
        sa.Column("created", _TIME, nullable=False),
        sa.Column("decided", _TIME, nullable=True),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.CheckConstraint("state IN ('waiting', 'leased', 'accepted', 'edited', 'rejected')", op.f("ck_review_state")),
        sa.CheckConstraint("(state = 'edited') = (edited IS NOT NULL)", op.f("ck_review_edited")),
        sa.CheckConstraint("(state = 'leased') = (lease_until IS NOT NULL)", op.f("ck_review_leased")),
        sa.CheckConstraint(
            "(state IN ('accepted', 'edited', 'rejected')) = (decided IS NOT NULL AND decided_by IS NOT NULL)",
            op.f("ck_review_decided"),
        ),
        sa.PrimaryKeyConstraint("number", name="pk_review"),
        sa.UniqueConstraint("id", name="uq_review_id"),
    )
    op.create_index("ix_review_state_number", "review", ["state", "number"])
    op.create_table(
        "review_history",
        sa.Column("number", _NUMBER, nullable=False),
        sa.Column("review", _NUMBER, nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("before", sa.String(16), nullable=True),
        sa.Column("after", sa.String(16), nullable=False),
        sa.ForeignKeyConstraint(["review"], ["review.number"], name="fk_review_history_review", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("number", name="pk_review_history"),
    )
    op.create_index("ix_review_history_review", "review_history", ["review"])
    for statement in _GUARDS[op.get_context().dialect.name]:
        op.execute(statement)


_GUARDS = {
    "sqlite": (
        """
        CREATE TRIGGER review_keeps_original BEFORE UPDATE OF id, messages, original ON review
        WHEN OLD.id IS NOT NEW.id OR OLD.messages IS NOT NEW.messages OR OLD.original IS NOT NEW.original
        BEGIN SELECT RAISE(ABORT, 'the original of a review record is never overwritten'); END
        """,
        """
        CREATE TRIGGER review_history_no_update BEFORE UPDATE ON review_history
        BEGIN SELECT RAISE(ABORT, 'history is only ever appended to'); END
        """,
        """
        CREATE TRIGGER review_history_no_delete BEFORE DELETE ON review_history
        WHEN EXISTS (SELECT 1 FROM review WHERE number = OLD.review)
        BEGIN SELECT RAISE(ABORT, 'history is only ever appended to'); END
        """,
    ),
    "postgresql": (
        """
        CREATE FUNCTION review_keeps_original() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION 'the original of a review record is never overwritten'; END $$
        """,
        """
        CREATE TRIGGER review_keeps_original BEFORE UPDATE ON review FOR EACH ROW
        WHEN (OLD.id <> NEW.id OR OLD.messages::text <> NEW.messages::text OR OLD.original <> NEW.original)
        EXECUTE FUNCTION review_keeps_original()
        """,
        """
        CREATE FUNCTION review_history_appends() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF TG_OP = 'DELETE' AND NOT EXISTS (SELECT 1 FROM review WHERE number = OLD.review) THEN
                RETURN OLD;
            END IF;
            RAISE EXCEPTION 'history is only ever appended to';
        END $$
        """,
        """
        CREATE TRIGGER review_history_appends BEFORE UPDATE OR DELETE ON review_history FOR EACH ROW
        EXECUTE FUNCTION review_history_appends()
        """,
    ),
}
"""By dialect. A history row goes only with its record, when that is deleted."""
