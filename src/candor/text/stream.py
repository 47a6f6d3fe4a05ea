"""Text from ids that arrive one at a time."""

import codecs

from candor.text.tokenizer import Tokenizer


class StreamDecoder:
    """Turns pushed ids into pieces of text that join to `tokenizer.decode` of all ids, never half a character.

    >>> decoder = StreamDecoder(tokenizer)
    >>> "".join(decoder.push(token_id) for token_id in ids) + decoder.finish()

    A Chinese character or an emoji may be spread over several tokens: `push` returns "" until it is whole. Bytes that
    cannot become UTF-8 (an untrained model makes them) come out as U+FFFD, as in `decode`. One token costs the same
    however long the text is.
    """

    def __init__(self, tokenizer: Tokenizer, *, skip_special_tokens: bool = False) -> None:
        self._bytes = tokenizer.token_bytes
        self._skipped = tokenizer.special_ids if skip_special_tokens else frozenset()
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def push(self, token_id: int) -> str:
        """The text that became certain with this id; ids outside the vocabulary (padding of a model's) give none."""
        known = 0 <= token_id < len(self._bytes) and token_id not in self._skipped
        return self._decoder.decode(self._bytes[token_id]) if known else ""

    def finish(self) -> str:
        """The rest at the end of the stream: U+FFFD where a character stayed incomplete, else ""."""
        return self._decoder.decode(b"", final=True)
