"""Every stored field that says something of one user. There is no other: a test holds the databases to this list.

No profile is kept: nothing here is derived from what somebody writes, reads or likes.
"""

from types import MappingProxyType

PER_USER = MappingProxyType(
    {
        "account": ("id", "login", "password_hash", "oidc_subject", "role", "quota", "created"),
        "conversation": ("id", "account", "created", "key", "title"),
        "message": ("id", "conversation", "position", "role", "created", "key", "sealed", "receipt"),
        "consent": ("id", "account", "at", "version", "ends"),
        "data_request": ("id", "account", "kind", "object", "at", "done"),
        "receipt": ("id", "consent", "at", "pairs_in", "pairs_out", "steps", "k", "digest"),
        "audit": ("sequence", "at", "actor", "action", "object", "detail", "previous", "hash"),
        "wrapped_key": ("key", "ring", "version", "wrapped", "account", "conversation", "consent", "review"),
        "tombstone": ("object", "kind", "at"),
    }
)
"""Fields by table, of the store and of the database of keys: the account, its consent and quota, its own conversations
(encrypted), what was asked for and done, and the keys."""

OF_NOBODY = MappingProxyType(
    {
        "contribution": ("id", "prompt", "answer", "lang", "month", "batch"),
        "ring": ("ring", "version", "proof"),
        "audit_head": ("sequence", "hash"),
    }
)
"""Fields of the other tables but the review records; a field that belongs to one user may not be added to them."""
