"""What must last: a database (SQLite, or PostgreSQL by URL) that migrates itself, with the review records so far."""

from candor.store.database import Store, metadata, open_store
from candor.store.jsonl import Imported, add_drafts, export_reviews, import_reviews
from candor.store.review import Change, Decision, Draft, Message, Review, Rule
from candor.store.reviews import Added, Reviews

__all__ = [
    "Added",
    "Change",
    "Decision",
    "Draft",
    "Imported",
    "Message",
    "Review",
    "Reviews",
    "Rule",
    "Store",
    "add_drafts",
    "export_reviews",
    "import_reviews",
    "metadata",
    "open_store",
]
