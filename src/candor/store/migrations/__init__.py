"""How the tables came to be what they are, a revision a file; each is carried out once, when a store is opened.

`versions/` is the store, `keys/` the database of wrapped keys. A new revision: a file there whose `down_revision` is
the last one, and its number as `schema.HEAD` or `key_tables.HEAD`. A test
compares the outcome with the tables that the code declares. On SQLite a `batch_alter_table` makes the table anew and
loses its triggers: create them again. A revision never changes once it is released.
"""
