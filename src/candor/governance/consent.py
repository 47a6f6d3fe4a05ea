"""Consent to training on what one writes: off until it is given, for the text that was shown, and until withdrawn."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Consent:
    """One record; records are only ever added.

    >>> Consent("9e22...", "07c1...", datetime.now(UTC), version="2026-03")
    """

    id: str
    """Random."""
    account: str
    """Who gives or withdraws."""
    at: datetime
    """When, UTC."""
    version: str
    """Version of the text that was shown."""
    ends: str | None = None
    """Where it withdraws: the record that it ends."""


@dataclass(frozen=True)
class Withdrawal:
    """What a withdrawal did.

    >>> Withdrawal(consent="9e22...", removed=12, entered=3)
    """

    consent: str
    """The consent that ended."""
    removed: int
    """Messages that training can no longer read."""
    entered: int
    """Question-answer pairs that had entered the training data before, in any batch."""

    @property
    def words(self) -> str:
        """What the user is told, in English."""
        said = f"Your consent has ended. {self.removed} of your messages can no longer be read for training."
        if not self.entered:
            return said + " None had entered the training data."
        return (
            f"{said} Before that, {self.entered} question-answer pairs had passed de-identification and entered the "
            "training data. Nothing kept there says whose they are, so they cannot be found again and taken out, by us "
            "or by anyone. Nothing more will be added."
        )

    @property
    def words_zh(self) -> str:
        """What the user is told, in Chinese."""
        said = f"您的同意已撤回。您的 {self.removed} 条消息不能再被读取用于训练。"
        if not self.entered:
            return said + "此前没有任何内容进入训练数据。"
        return (
            f"{said}在此之前，有 {self.entered} 组问答已通过去标识化并进入训练数据。其中不保存任何能说明归属的信息，"
            "因此无论是我们还是其他人，都无法再找出并移除它们。今后不会再加入任何内容。"
        )
