"""What a model remembers of its training text: extraction, canaries, persons, copies, membership, attacks.

Each audit compares the model with text or with a model that cannot know, and says what it does not show.
"""

from candor.evaluate.memory.record import Audit, MemoryReport, Outcome
from candor.evaluate.memory.run import AuditText, MemoryConfig, audit_memory, open_text

__all__ = ["Audit", "AuditText", "MemoryConfig", "MemoryReport", "Outcome", "audit_memory", "open_text"]
