"""What a corpus masks of what tells who somebody is."""

from dataclasses import dataclass
from typing import Literal

from candor.governance.pii import Finder, IdentifierClass, Masking


@dataclass(frozen=True)
class PrivateConfig:
    """What is masked. Books and news name people, and stay as they are; text by or about private people must not."""

    on: bool = True
    """Mask identifiers: numbers of people and their papers, telephones, cards, mail and network addresses, keys."""
    names: bool = False
    """Mask names, addresses, organisations, dates and the like too."""
    action: Literal["tag", "redact", "generalise"] = "tag"
    """What stands in their place: their type, a bar, or something general."""

    def __post_init__(self) -> None:
        Masking(self.action)  # which checks it

    def mask(self, text: str) -> tuple[str, int]:
        """A text without it, and how many places were masked."""
        if not self.on:
            return text, 0
        classes: tuple[IdentifierClass, ...] = ("direct", "quasi") if self.names else ("direct",)
        how = Masking(self.action, classes)
        done = Finder(names=self.names).mask(text, how)
        return done.text, len(done.spans)
