"""Decisions about people's data, labels and safety: pure functions, without torch; callers do the I/O."""
