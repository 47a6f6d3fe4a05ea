"""Dialogues to learn from: read with their origin, turned into ids with what is to be learnt, packed into windows.

Learnt is what the assistant said, its end token included, behind exactly the prompt that serving will build. A template
that cuts the thoughts of earlier answers would show a later turn another history than the one that was learnt, so there
each answer becomes an example of its own; where nothing is cut, a whole dialogue is one example.
"""

import hashlib
import json
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import takewhile
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch

from candor.data.loader import Batch
from candor.data.reviewed import NotTaken, answered
from candor.errors import ConfigError, DataError, ModelError
from candor.rows import Row, read_rows
from candor.text import THINK_BEGIN, THINK_END, Message, Tokenizer, chat

Origin = Literal["team-hand", "team-automatic", "user-derived"]
"""Who made a dialogue: people of the team by hand, a program of the team, or people who used the service."""
ORIGINS: tuple[Origin, ...] = get_args(Origin)

_ROLES = {"system": "system", "human": "user", "user": "user", "gpt": "assistant", "chatgpt": "assistant",
          "assistant": "assistant"}  # fmt: skip
"""Speakers of the ShareGPT form."""
_KEYS = ("role", "content", "tool_calls", "tool_call_id", "name", "weight")
"""What is kept of a message."""


@dataclass(frozen=True, kw_only=True)
class Dialogue:
    """One conversation that ends with the assistant; DataError, naming the place, for one that nothing can learn from.

    >>> Dialogue(messages=({"role": "user", "content": "1+1?"}, {"role": "assistant", "content": "2"}),
    ...          origin="team-hand", place="chat.jsonl:1")
    """

    messages: tuple[Message, ...]
    """In the form of the OpenAI API; an answer with `weight` 0 is read and not learnt."""
    origin: Origin
    """Who made it."""
    lang: str = ""
    """Language, where the source says it."""
    place: str = "a dialogue"
    """Where it came from, for messages."""

    def __post_init__(self) -> None:
        try:
            chat.check(self.messages)
            json.dumps(self.messages, ensure_ascii=False).encode()
        except DataError as error:
            raise DataError(f"{self.place}: {error}") from None
        except UnicodeEncodeError:
            raise DataError(f"{self.place} holds what is no Unicode text (half a character); mend it") from None
        if self.origin not in ORIGINS:
            raise DataError(f"{self.place} has the origin {self.origin!r}; write one of {', '.join(ORIGINS)}")
        roles = [message["role"] for message in self.messages]
        if roles[-1] != "assistant":
            raise DataError(f"{self.place} ends with the {roles[-1]}; add the assistant's answer, or cut the rest off")
        if roles[0] == "assistant":
            raise DataError(f"{self.place} begins with the assistant; put before it what was asked")
        for number, message in enumerate(self.messages, start=1):
            if message["role"] == "assistant" and not message.get("content") and not message.get("tool_calls"):
                raise DataError(f"{self.place}: message {number}, an answer, is empty; write it or remove the row")
            if message.get("weight", 1) not in (0, 1):
                raise DataError(f"{self.place}: message {number} has the weight {message['weight']!r}; write 0 or 1")
        if all(message.get("weight") == 0 for message in self.messages if message["role"] == "assistant"):
            raise DataError(f"{self.place} has no answer to learn: each has the weight 0; remove the row")

    @property
    def id(self) -> str:
        """SHA-256 over the messages, hex."""
        return _hash(self.messages)

    @property
    def opening_id(self) -> str:
        """SHA-256 over what stands before the first answer: answers to one question belong on one side of a split."""
        return _hash(list(takewhile(lambda message: message["role"] != "assistant", self.messages)))


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, ensure_ascii=False, sort_keys=True).encode()).hexdigest()


@dataclass
class LeftOut:
    """What was not taken, and why."""

    rows: list[tuple[str, str]] = field(default_factory=list)
    """(reason, the place and what is wrong there)."""

    def add(self, reason: str, detail: str) -> None:
        """Note one."""
        self.rows.append((reason, detail))

    def counts(self) -> dict[str, int]:
        """How many for each reason."""
        return dict(Counter(reason for reason, _ in self.rows))

    def lines(self) -> list[str]:
        """One line for each reason, with the first case."""
        first = dict(reversed(self.rows))
        return [f"left out {count:,}: {reason}; the first: {first[reason]}" for reason, count in self.counts().items()]


def read_dialogues(
    source: str | Path, *, origin: Origin | None = None, skip_broken: LeftOut | None = None
) -> list[Dialogue]:
    """The dialogues of a file, a folder or a dataset, in the order of their rows.

    A row holds `messages` in the OpenAI form, `conversations` in the ShareGPT form, or `prompt` and `response` (and
    `system`), or is a record of `candor review export`; an answer's `reasoning_content` becomes its thought. `origin`
    is that of rows that name none. A row that cannot be used, or a record that nobody accepted, is a DataError, or
    with `skip_broken` noted there; a file that is damaged is always an error.
    """
    found: list[Dialogue] = []
    for row in read_rows(source):
        try:
            found.append(_dialogue(row, origin))
        except DataError as error:
            if skip_broken is None:
                raise
            skip_broken.add("not accepted" if isinstance(error, NotTaken) else "broken rows", str(error))
    if not found:
        first = f"; {skip_broken.rows[0][1]}" if skip_broken and skip_broken.rows else ""
        raise DataError(f"{source} holds no dialogue that can be used{first}")
    return found


def _dialogue(row: Row, origin: Origin | None) -> Dialogue:
    fields = answered({name: value for name, value in row.fields.items() if value is not None}, row.where)
    named: Any = fields.get("origin", origin)
    if named is None:
        raise DataError(
            f"{row.where} does not say who made it; add the field origin with one of {', '.join(ORIGINS)}, or give one "
            "for all such rows (--origin)"
        )
    return Dialogue(
        messages=tuple(_messages(fields, row.where)),
        origin=named,
        lang=str(fields.get("lang", "")),
        place=row.where,
    )


def _messages(fields: dict[str, Any], where: str) -> list[Any]:
    if "messages" in fields or "conversations" in fields:
        name = "messages" if "messages" in fields else "conversations"
        if not isinstance(fields[name], list | tuple):
            raise DataError(f"{where}: {name} is a {type(fields[name]).__name__}, not a list of messages; mend the row")
        return [_message(one, where) if name == "messages" else _turn(one, where) for one in fields[name]]
    if "prompt" in fields and "response" in fields:
        system = [{"role": "system", "content": fields["system"]}] if fields.get("system") else []
        asked = {"role": "user", "content": fields["prompt"]}
        return [*system, asked, {"role": "assistant", "content": fields["response"]}]
    raise DataError(
        f"{where} has neither messages nor conversations nor prompt and response, but {', '.join(fields) or 'nothing'};"
        " rename its fields"
    )


def _message(message: Any, where: str) -> Any:
    if not isinstance(message, Mapping):
        return message  # which the check of the form names
    kept = {name: message[name] for name in _KEYS if message.get(name) is not None}
    if thought := message.get("reasoning_content"):
        said = kept.get("content", "")
        if kept.get("role") != "assistant" or not isinstance(thought, str) or not isinstance(said, str):
            raise DataError(f"{where}: reasoning_content is a text of the assistant; mend or remove it")
        if THINK_END in said:
            raise DataError(f"{where}: an answer has reasoning_content and a thought of its own; keep one of them")
        kept["content"] = f"{THINK_BEGIN}\n{thought}\n{THINK_END}\n\n{said}"
    return kept


def _turn(turn: Any, where: str) -> Message:
    speaker = turn.get("from") if isinstance(turn, Mapping) else None
    if speaker not in _ROLES:
        raise DataError(f"{where}: a turn is from {speaker!r}; its field 'from' must be one of {', '.join(_ROLES)}")
    return {"role": _ROLES[speaker], "content": turn.get("value")}


def cap_user_derived(dialogues: Sequence[Dialogue], share: float, seed: int) -> list[int]:
    """Places of the dialogues that stay where at most `share` of what stays may be user-derived.

    All others stay; of the user-derived ones those with the lowest hashes of seed and text.
    """
    exact = Fraction(str(share))
    derived = [place for place, dialogue in enumerate(dialogues) if dialogue.origin == "user-derived"]
    others = len(dialogues) - len(derived)
    most = len(derived) if exact == 1 else int(exact * others / (1 - exact))
    ordered = sorted(derived, key=lambda place: _hash([seed, dialogues[place].id, place]))
    gone = set(ordered[most:])
    return [place for place in range(len(dialogues)) if place not in gone]


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
