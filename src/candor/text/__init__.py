"""Where text becomes ids and ids become text: tokenizer, chat templates, streaming. No other module does either."""

from candor.text.chat import Message
from candor.text.stream import StreamDecoder
from candor.text.tokenizer import (
    ASSISTANT,
    BOS,
    EOS,
    EOT,
    FIM_BEGIN,
    FIM_END,
    FIM_HOLE,
    PAD,
    THINK_BEGIN,
    THINK_END,
    USER,
    Tokenizer,
)

__all__ = [
    "ASSISTANT",
    "BOS",
    "EOS",
    "EOT",
    "FIM_BEGIN",
    "FIM_END",
    "FIM_HOLE",
    "PAD",
    "THINK_BEGIN",
    "THINK_END",
    "USER",
    "Message",
    "StreamDecoder",
    "Tokenizer",
]
