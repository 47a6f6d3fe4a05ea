"""What must last: a database (SQLite, or PostgreSQL by URL) that migrates itself, with review records and, encrypted by
keys that a second database holds, what users wrote."""

from candor.store.accounts import Account, Accounts, Conversation, Said
from candor.store.contribute import Contributed, Steps, contribute
from candor.store.contribution import Contribution, contributions, write_contributions
from candor.store.database import Store, open_store
from candor.store.jsonl import Imported, add_drafts, export_reviews, import_reviews
from candor.store.keystore import KeyStore, open_keys
from candor.store.review import Change, Decision, Draft, Message, Review, Rule
from candor.store.reviews import Added, Reviews
from candor.store.rights import Receipt, Request, Rights
from candor.store.rings import load_ring
from candor.store.schema import metadata
from candor.store.vault import Vault, open_vault

__all__ = [
    "Account",
    "Accounts",
    "Added",
    "Change",
    "Contributed",
    "Contribution",
    "Conversation",
    "Decision",
    "Draft",
    "Imported",
    "KeyStore",
    "Message",
    "Receipt",
    "Request",
    "Review",
    "Reviews",
    "Rights",
    "Rule",
    "Said",
    "Steps",
    "Store",
    "Vault",
    "add_drafts",
    "contribute",
    "contributions",
    "export_reviews",
    "import_reviews",
    "load_ring",
    "metadata",
    "open_keys",
    "open_store",
    "open_vault",
    "write_contributions",
]
