"""Structured output: which tokens may come next, by llguidance."""

import json
import weakref
from typing import Any

import llguidance
import llguidance.numpy
import numpy as np
import torch
from torch import Tensor

from candor.errors import RequestError
from candor.infer.params import StructuredOutput
from candor.text import Tokenizer

_TOKENIZERS: "weakref.WeakKeyDictionary[Tokenizer, Any]" = weakref.WeakKeyDictionary()


class Grammar:
    """The state of one answer; RequestError where the structure cannot be read or leaves no token."""

    def __init__(self, wanted: StructuredOutput, tokenizer: Tokenizer):
        if tokenizer not in _TOKENIZERS:
            _TOKENIZERS[tokenizer] = llguidance.LLTokenizer(tokenizer.to_json(), eos_token=tokenizer.eos_id)
        known = _TOKENIZERS[tokenizer]
        try:
            if wanted.json is not None:
                schema = wanted.json if isinstance(wanted.json, str) else json.dumps(wanted.json)
                source = llguidance.LLMatcher.grammar_from_json_schema(schema)
            elif wanted.regex is not None:
                source = llguidance.LLMatcher.grammar_from_regex(wanted.regex)
            else:
                source = llguidance.LLMatcher.grammar_from_lark("start: " + " | ".join(map(_quoted, wanted.choice)))
        except (ValueError, TypeError, RecursionError) as error:
            raise RequestError(f"structured_outputs cannot be read: {_first_line(error)}") from None
        self._matcher = llguidance.LLMatcher(known, source)
        if problem := self._matcher.get_error():
            raise RequestError(f"structured_outputs cannot be met: {_first_line(problem)}")
        self._mask = llguidance.numpy.allocate_token_bitmask(1, known.vocab_size)

    def restrict(self, logits: Tensor) -> Tensor:
        """Logits [vocab] with minus infinity wherever the structure would break."""
        llguidance.numpy.fill_next_token_bitmask(self._matcher, self._mask, 0)
        if problem := self._matcher.get_error():
            raise RequestError(f"structured_outputs cannot be met: {_first_line(problem)}")
        allowed = np.unpackbits(self._mask[0].view(np.uint8), bitorder="little")[: len(logits)].astype(bool)
        allowed = np.pad(allowed, (0, len(logits) - len(allowed)))  # a model's vocabulary may be padded
        if not allowed.any():
            raise RequestError("structured_outputs cannot be met: no token can come next")
        return logits.masked_fill(torch.from_numpy(~allowed).to(logits.device), float("-inf"))

    def accept(self, token_id: int) -> bool:
        """Take the chosen token in; True where the text is complete and nothing may follow."""
        if not self._matcher.consume_token(token_id) or self._matcher.get_error():
            reason = _first_line(self._matcher.get_error() or "it does not allow the token that was chosen")
            raise RequestError(f"structured_outputs cannot be followed: {reason}")
        return bool(self._matcher.is_stopped())


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _first_line(problem: object) -> str:
    return str(problem).strip().splitlines()[0]
