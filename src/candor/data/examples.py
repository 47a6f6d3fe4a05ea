"""Dialogues as ids with what is to be learnt, packed into windows.

Learnt is what the assistant said, its end token included, behind exactly the prompt that serving will build. A template
that cuts the thoughts of earlier answers would show a later turn another history than the one that was learnt, so there
each answer becomes an example of its own; where nothing is cut, a whole dialogue is one example.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from candor.data.dialogues import Dialogue
from candor.data.loader import Batch
from candor.errors import ConfigError, DataError, ModelError
from candor.text import THINK_BEGIN, THINK_END, Message, Tokenizer


@dataclass(frozen=True)
class Example:
    """Token ids and which of them are learnt.

    >>> Example(ids=array([0, 318, 52, 319, 9, 1]), learnt=array([False, False, False, False, True, True]))
    """

    ids: np.ndarray[Any, np.dtype[np.int32]]
    """[tokens] int32."""
    learnt: np.ndarray[Any, np.dtype[np.bool_]]
    """[tokens] bool: predicted from the tokens before it; false for all that the assistant did not say."""


class ChatForm:
    """Turns dialogues into examples by a tokenizer's chat template, of which it knows how it opens an answer.

    `template` is `v3`, `r1`, or None for the tokenizer's own. ConfigError for a template that cannot be learnt.
    """

    def __init__(self, tokenizer: Tokenizer, template: str | None = None):
        self._tokenizer, self._template = tokenizer, template
        if template is None and tokenizer.chat_template is None:
            raise ConfigError("the tokenizer has no chat template; choose one: sft.template=v3 or sft.template=r1")
        asked = [{"role": "user", "content": "0"}]
        one, two = (self._ids([*asked, {"role": "assistant", "content": text}], False) for text in "12")
        same = next((place for place, (a, b) in enumerate(zip(one, two, strict=False)) if a != b), len(one))
        prompt = self._ids(asked, True)
        self._opener = prompt[same:]
        self._opening = tokenizer.decode(self._opener)
        self._closed = tokenizer.decode(one[:same]).endswith(THINK_END)
        thinks = self._opening.startswith(THINK_BEGIN) and self._opening.strip() == THINK_BEGIN
        if prompt[:same] != one[:same] or (self._opener and not thinks):
            raise ConfigError(
                "the chat template writes an answer otherwise than its prompt opens one, so what is learnt would not "
                "be what is served; choose sft.template=v3 or sft.template=r1"
            )

    def encode(self, dialogue: Dialogue) -> list[Example]:
        """The examples of one dialogue, in which each of its answers is learnt once.

        Under a template that opens answers with a thought, one without a thought gets an empty one. DataError for an
        answer that the template changes or whose thought it cannot hold.
        """
        examples: list[Example] = []
        ids: list[int] = []
        learnt: list[bool] = []
        for place, message in enumerate(dialogue.messages):
            if message["role"] != "assistant" or message.get("weight") == 0:
                continue
            try:
                prompt, answer = self._answer(dialogue.messages[:place], message)
            except (DataError, ModelError) as error:
                raise DataError(f"{dialogue.place}: message {place + 1}: {error}") from None
            if prompt[: len(ids)] != ids:  # the template cuts from the history what was learnt before
                examples.append(_example(ids, learnt))
                ids, learnt = [], []
            learnt += [False] * (len(prompt) - len(ids)) + [True] * len(answer)
            ids = prompt + answer
        return [*examples, _example(ids, learnt)]

    def _answer(self, history: Sequence[Message], message: Message) -> tuple[list[int], list[int]]:
        """Ids of the prompt as it is served, and of the answer with its end token."""
        prompt = self._ids(history, True)
        opened = bool(self._opener) and prompt[-len(self._opener) :] == self._opener
        header = prompt[: len(prompt) - len(self._opener)] if opened else prompt
        content = message.get("content") or ""
        written = self._ids([*history, message], False)
        if written[: len(header)] != header:
            raise DataError("the chat template changes what stands before this answer; choose sft.template=v3 or r1")
        for said in (content, content.rpartition(THINK_END)[2]):  # most templates leave the thought out
            start = len(header) + len(self._tokenizer.encode(said))
            if written[len(header) : start] == self._tokenizer.encode(said):
                break
        else:
            raise DataError(f"the chat template changes the answer {content[-40:]!r}; choose sft.template=v3 or r1")
        if self._tokenizer.eos_id not in written[start:]:
            raise DataError("the chat template does not end answers with the end token; choose sft.template=v3 or r1")
        end = written.index(self._tokenizer.eos_id, start) + 1
        return prompt, self._tokenizer.encode(self._behind_prompt(content, opened)) + written[start:end]

    def _behind_prompt(self, content: str, opened: bool) -> str:
        """What the model has to write for this answer once the prompt stands."""
        begins, closes = content.startswith(THINK_BEGIN), THINK_END in content
        if begins and not closes:
            raise DataError(f"the answer opens a thought and does not close it; add {THINK_END}")
        if opened and closes:
            opening = self._opening if content.startswith(self._opening) else THINK_BEGIN
            return content.removeprefix(opening)
        if opened:
            return f"\n{THINK_END}\n\n{content}" if self._opening.endswith("\n") else f"{THINK_END}{content}"
        if closes and not begins:
            raise DataError(f"the answer closes a thought that it does not begin with; put {THINK_BEGIN} first")
        if closes and self._closed:
            raise DataError("the answer has a thought, and the chat template answers without; choose sft.template=r1")
        return content

    def _ids(self, messages: Sequence[Message], prompt: bool) -> list[int]:
        return self._tokenizer.encode_chat(messages, template=self._template, add_generation_prompt=prompt)


def _example(ids: list[int], learnt: list[bool]) -> Example:
    return Example(np.array(ids, np.int32), np.array(learnt, np.bool_))


def best_fit(lengths: Sequence[int], order: Sequence[int], size: int) -> list[list[int]]:
    """Places of `lengths` in windows of `size`: the longest first, each where it leaves the least room.

    Equal lengths come in the given order, which does not change how many windows there are.
    """
    windows: list[list[int]] = []
    by_room: list[list[int]] = [[] for _ in range(size + 1)]  # windows with so much room
    rooms = 0  # bit r is set where by_room[r] holds any
    for place in sorted(order, key=lambda place: -lengths[place]):
        length = lengths[place]
        fitting = rooms >> length
        if fitting:
            room = length + (fitting & -fitting).bit_length() - 1
            window = by_room[room].pop()
            if not by_room[room]:
                rooms ^= 1 << room
        else:
            room, window = size, len(windows)
            windows.append([])
        windows[window].append(place)
        by_room[room - length].append(window)
        rooms |= 1 << room - length
    return windows


class ExampleLoader:
    """Serves whole examples in windows, each example once an epoch, in other company and order each epoch.

    The windows are a function of seed and position alone, and an epoch always has `windows` of them. What is over in a
    window is padding of segment 0, which takes no part in the loss.
    """

    def __init__(
        self, examples: Sequence[Example], sequence_length: int, *, lookahead: int = 1, pad_id: int = 0, seed: int = 0
    ):
        self._examples, self.sequence_length, self._lookahead = examples, sequence_length, lookahead
        self._pad, self._seed = pad_id, seed
        self._lengths = [len(example.ids) for example in examples]
        if not examples or max(self._lengths) > sequence_length:
            longest = max(self._lengths, default=0)
            raise ConfigError(
                f"{len(examples)} examples, the longest of {longest} tokens, do not make windows of {sequence_length}; "
                "raise sft.sequence_length or leave the long ones out"
            )
        self._epoch, self._windows = 0, self._packed(0)
        self.windows = len(self._windows)
        self.position = 0

    def state_dict(self) -> dict[str, int]:
        """The position, for a checkpoint."""
        return {"position": self.position}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go on from a position."""
        self.position = state["position"]

    def next_batch(self, sequences: int) -> Batch:
        """The next `sequences` windows; an epoch follows the other."""
        self.position += sequences
        return self.batch(range(self.position - sequences, self.position))

    def members(self, number: int) -> list[int]:
        """The places of the examples in a window, counted over epochs; the first is its segment 1."""
        epoch, place = divmod(number, self.windows)
        if epoch != self._epoch:
            self._epoch, self._windows = epoch, self._packed(epoch)
        return self._windows[place]

    def batch(self, numbers: Sequence[int]) -> Batch:
        """The windows of these numbers; `valid` is where the next token is to be learnt."""
        tokens = np.full((len(numbers), self.sequence_length + self._lookahead), self._pad, np.int64)
        segments = np.zeros_like(tokens)
        valid = np.zeros((len(numbers), self.sequence_length), np.bool_)
        for row, number in enumerate(numbers):
            start = 0
            for segment, place in enumerate(self.members(number), start=1):
                example = self._examples[place]
                end = start + len(example.ids)
                tokens[row, start:end], segments[row, start:end] = example.ids, segment
                valid[row, start : end - 1] = example.learnt[1:]
                start = end
        return Batch(*map(torch.from_numpy, (tokens, segments, valid)))

    def _packed(self, epoch: int) -> list[list[int]]:
        chance = random.Random(f"{self._seed}/{epoch}")
        order = list(range(len(self._examples)))
        chance.shuffle(order)
        windows = best_fit(self._lengths, order, self.sequence_length)
        chance.shuffle(windows)
        return windows
