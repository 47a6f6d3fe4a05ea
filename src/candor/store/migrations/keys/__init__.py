"""The revisions of the database of wrapped keys, oldest first."""
