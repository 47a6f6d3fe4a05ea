"""Byte-level BPE with the split pattern, special tokens and chat templates of DeepSeek-V3 and R1.

The vocabulary is laid out as the released one: 0, 1, 2 are begin, end and padding; then the 256 bytes and the merges;
then placeholders up to the wanted size; the control tokens of fill-in-the-middle, chat and tools come last.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

import tokenizers
from tokenizers import AddedToken, Regex, decoders, models, pre_tokenizers, processors, trainers

from candor import files
from candor.errors import ConfigError, DataError, ModelError
from candor.text import chat, split

BOS, EOS, PAD = "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜▁pad▁｜>"
THINK_BEGIN, THINK_END = "<think>", "</think>"
FIM_HOLE, FIM_BEGIN, FIM_END = "<｜fim▁hole｜>", "<｜fim▁begin｜>", "<｜fim▁end｜>"
USER, ASSISTANT, EOT = "<｜User｜>", "<｜Assistant｜>", "<|EOT|>"
_TOOL_PARTS = [f"{part}▁{edge}" for part in ("calls", "call", "outputs", "output") for edge in ("begin", "end")]
_HEAD = (BOS, EOS, PAD)
_THOUGHTS = (THINK_BEGIN, THINK_END)
_CONTROLS = (FIM_HOLE, FIM_BEGIN, FIM_END, USER, ASSISTANT, EOT)
# Thoughts and tool calls are part of an answer, so they are not "special": engines keep them in the decoded text, where
# their parsers look for them.
_TAIL = (
    *(AddedToken(text, special=False, normalized=False) for text in _THOUGHTS),
    *(AddedToken(text, special=True, normalized=False) for text in _CONTROLS),
    *(AddedToken(f"<｜tool▁{name}｜>", special=False, normalized=False) for name in (*_TOOL_PARTS, "sep")),
)

_BATCH = 1 << 20  # characters that are encoded at once


class Tokenizer:
    """Text to ids and back; ids only ever come from here.

    >>> tokenizer = Tokenizer.train(texts, vocab_size=4096)
    >>> tokenizer.decode(tokenizer.encode("你好, world"))
    '你好, world'

    `vocab_size` counts all tokens (ids are below it); `bos_id`, `eos_id`, `pad_id` are ids; `special_ids` those that
    `skip_special_tokens` leaves out; `chat_template` is the Jinja source that `encode_chat` uses unless told otherwise.
    """

    def __init__(self, backend: tokenizers.Tokenizer, names: Sequence[str], chat_template: str | None) -> None:
        """Wrap a byte-level BPE; `names` are its begin, end and padding tokens. Use `train` or `load`."""
        self._backend, self.chat_template = backend, chat_template
        self._names = tuple(names)
        added = backend.get_added_tokens_decoder()
        self._added = {token.content: token_id for token_id, token in added.items()}
        self.special_ids = frozenset(token_id for token_id, token in added.items() if token.special)
        self.vocab_size = max(backend.get_vocab().values()) + 1
        self.bos_id, self.eos_id, self.pad_id = (self.special_id(name) for name in names)
        # The same merges without any added token: through this one, no text can become a control token.
        self._plain = tokenizers.Tokenizer(backend.model)
        self._plain.pre_tokenizer = backend.pre_tokenizer
        if backend.normalizer is not None:
            self._plain.normalizer = backend.normalizer
        self._controls = _any_of(self._added)
        self._thoughts = _any_of(text for text in _THOUGHTS if text in self._added)
        steps = json.loads(backend.to_str())["pre_tokenizer"].get("pretokenizers", ())
        self._cuts = tuple(step["pattern"].get("Regex") for step in steps if "pattern" in step) == split.SPLITS

    @classmethod
    def train(cls, texts: Iterable[str], vocab_size: int) -> "Tokenizer":
        """Learn merges from `texts` (read once, not kept) for a vocabulary of exactly `vocab_size` tokens.

        The same texts give the same tokenizer whatever the number of threads. Where they give too few merges,
        placeholders fill the vocabulary. Raises ConfigError where `vocab_size` has no room for bytes and special
        tokens, DataError where there is no text or one is not valid Unicode.
        """
        minimum = len(_HEAD) + 256 + len(_TAIL)
        if vocab_size < minimum:
            raise ConfigError(f"vocab_size {vocab_size} is too small: 256 bytes and the special tokens need {minimum}")
        backend = tokenizers.Tokenizer(models.BPE())
        splits = [pre_tokenizers.Split(Regex(pattern), "isolated") for pattern in split.SPLITS]
        byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        backend.pre_tokenizer = pre_tokenizers.Sequence([*splits, byte_level])
        backend.decoder = decoders.ByteLevel()
        backend.post_processor = processors.ByteLevel(trim_offsets=False)
        trainer = trainers.BpeTrainer(
            vocab_size=vocab_size - len(_TAIL),
            special_tokens=[AddedToken(text, special=True, normalized=False) for text in _HEAD],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        pieces = (piece for text in texts for piece in split.pieces(_valid(text)) if piece)
        first = next(pieces, None)
        if first is None:
            raise DataError("there is no text to train the tokenizer on; check the source and its filters")
        backend.train_from_iterator(chain([first], pieces), trainer)
        missing = vocab_size - len(_TAIL) - backend.get_vocab_size()
        backend.add_special_tokens([f"<｜place▁holder▁no▁{number}｜>" for number in range(missing)])
        backend.add_tokens(list(_TAIL))
        return cls(backend, _HEAD, chat.template("v3"))

    def save(self, folder: Path, *, template: str | None = None) -> None:
        """Write `tokenizer.json` and `tokenizer_config.json`, which transformers' AutoTokenizer loads to the same ids.

        `template`: `v3` or `r1` becomes the folder's chat template; None keeps the tokenizer's own. No token is added
        by `AutoTokenizer(...)(text)`, as by `encode`: a prompt's first token comes from the chat template.
        """
        config = {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "add_bos_token": False,
            "add_eos_token": False,
            **dict(zip(("bos_token", "eos_token", "pad_token"), self._names, strict=True)),
            "unk_token": None,
            "clean_up_tokenization_spaces": False,
            "chat_template": self.chat_template if template is None else chat.template(template),
        }
        files.atomic_write(folder / "tokenizer.json", self._backend.to_str(pretty=True))
        files.write_json(folder / "tokenizer_config.json", config)
        (folder / "chat_template.jinja").unlink(missing_ok=True)  # an older one would win over ours

    @classmethod
    def load(cls, folder: str | Path) -> "Tokenizer":
        """Read what `save` wrote, or the tokenizer of a released DeepSeek-V3 or R1 folder.

        Special tokens are found by name. Raises ModelError or DataError where a file is missing, broken or of
        another kind (only byte-level BPE is read).
        """
        folder = Path(folder)
        path = folder / "tokenizer.json"
        if not path.is_file():
            raise ModelError(f"{folder} has no tokenizer.json; give a folder that holds a tokenizer")
        try:
            backend = tokenizers.Tokenizer.from_str(path.read_text(encoding="utf-8"))
        except Exception as error:  # the library raises bare Exception for every fault of the file
            raise ModelError(f"{path} is not a readable tokenizer ({error}); restore it from its source") from error
        bytes_known = backend.get_vocab(with_added_tokens=False).keys() >= split.ALPHABET.keys()
        if not bytes_known or not isinstance(backend.decoder, decoders.ByteLevel) or backend.pre_tokenizer is None:
            raise ModelError(f"{path} is not a byte-level BPE; Candor reads tokenizers of the DeepSeek-V3 kind")
        config = files.read_json(folder / "tokenizer_config.json")
        if not isinstance(config, dict):
            raise ModelError(f"{folder / 'tokenizer_config.json'} is not a JSON object; restore it from its source")
        added = {token.content for token in backend.get_added_tokens_decoder().values()}
        backend.post_processor = processors.ByteLevel(
            trim_offsets=False
        )  # released ones add a begin token to all texts
        names = {"bos_token": BOS, "eos_token": EOS, "pad_token": PAD if PAD in added else EOS}
        for key, default in names.items():
            value = config.get(key) or default
            names[key] = value.get("content", default) if isinstance(value, dict) else str(value)
            if names[key] not in added:
                raise ModelError(
                    f"{path} has no special token {names[key]!r} as {key}; name one in tokenizer_config.json"
                )
        return cls(backend, tuple(names.values()), _template_of(folder, config))

    def encode(self, text: str) -> list[int]:
        """Ids of plain text; nothing is added, and control tokens written in it stay ordinary characters.

        Only `<think>` and `</think>`, which a model writes itself, become their own ids. Raises DataError for text
        that is not valid Unicode (lone surrogates).
        """
        return self.encode_batch([text])[0]

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """`encode` of each text, on all cores."""
        return self._ids(texts, self._thoughts)

    def decode(self, ids: Sequence[int], skip_special_tokens: bool = False) -> str:
        """Text of `ids`; `decode(encode(text)) == text`. Bytes that are not UTF-8 become U+FFFD."""
        return str(self._backend.decode(list(ids), skip_special_tokens=skip_special_tokens))

    def render_chat(
        self, messages: Sequence[chat.Message], *, template: str | None = None, add_generation_prompt: bool = True
    ) -> str:
        """The text of a chat, for people to read: to get ids use `encode_chat`, which keeps control tokens apart."""
        chat.check(messages)
        source = self.chat_template if template is None else chat.template(template)
        if source is None:
            raise ConfigError("this tokenizer has no chat template; choose template='v3' or template='r1'")
        bos, eos, _ = self._names
        return chat.render(source, messages, bos_token=bos, eos_token=eos, add_generation_prompt=add_generation_prompt)

    def encode_chat(
        self, messages: Sequence[chat.Message], *, template: str | None = None, add_generation_prompt: bool = True
    ) -> list[int]:
        """Ids of a chat in the OpenAI form, as `apply_chat_template` of transformers gives them for honest messages.

        `template`: `v3`, `r1`, or None for the tokenizer's own. A control token written inside a message is encoded
        as ordinary characters, so no message can end its turn or speak as another role. Raises DataError for messages
        of another form.
        """
        chat.check(messages)
        shielded, mark = chat.shield(messages, self._controls, _THOUGHTS)
        text = self.render_chat(shielded, template=template, add_generation_prompt=add_generation_prompt)
        return self._ids([text], self._controls, mark)[0]

    def encode_rendered(self, text: str) -> list[int]:
        """Ids of what `render_chat` gave: control tokens written in it count. Not for text that a user wrote."""
        return self._ids([text], self._controls)[0]

    def special_id(self, name: str) -> int:
        """Id of a token by its text, such as `candor.text.FIM_HOLE`; ConfigError where the vocabulary lacks it."""
        if name not in self._added:
            raise ConfigError(f"the tokenizer has no token {name!r}; choose one that was trained with it")
        return self._added[name]

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over all that decides ids (tokens, merges, split chain), hex: two equal ones encode alike."""
        state = json.loads(self._backend.to_str())
        merges = [merge.split(" ") if isinstance(merge, str) else merge for merge in state["model"]["merges"]]
        added = [(token["id"], token["content"], token["special"]) for token in state["added_tokens"]]
        parts = [state["model"]["vocab"], merges, added, state["normalizer"], state["pre_tokenizer"], self._names]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def to_json(self) -> str:
        """The `tokenizer.json` of this tokenizer."""
        return str(self._backend.to_str())

    @cached_property
    def token_bytes(self) -> tuple[bytes, ...]:
        """The bytes that each id stands for, by id; they may be part of a character."""
        table = [b""] * self.vocab_size
        for token, token_id in self._backend.get_vocab().items():
            table[token_id] = split.token_bytes(token)
        return tuple(table)

    def _ids(self, texts: Sequence[str], known: re.Pattern[str], mark: str = "") -> list[list[int]]:
        """Ids of texts in which a match of `known` is one token and all else, less `mark`, is plain text."""
        plans: list[list[int | str]] = []
        for text in texts:
            plan: list[int | str] = []
            for position, part in enumerate(known.split(_valid(text))):
                if position % 2:
                    plan.append(self._added[part])
                else:
                    part = part.replace(mark, "") if mark else part
                    plan.extend(split.pieces(part) if self._cuts else (part,))
            plans.append(plan)
        encoded = self._encode_plain(item for plan in plans for item in plan if isinstance(item, str))
        results: list[list[int]] = []
        for plan in plans:
            ids: list[int] = []
            for item in plan:
                ids.extend(next(encoded) if isinstance(item, str) else (item,))
            results.append(ids)
        return results

    def _encode_plain(self, pieces: Iterable[str]) -> Iterator[list[int]]:
        batch: list[str] = []
        size = 0
        for piece in pieces:
            batch.append(piece)
            size += len(piece)
            if size >= _BATCH:
                yield from (encoding.ids for encoding in self._plain.encode_batch_fast(batch))
                batch, size = [], 0
        yield from (encoding.ids for encoding in self._plain.encode_batch_fast(batch))


def _any_of(tokens: Iterable[str]) -> re.Pattern[str]:
    """Pattern with one group that matches any of `tokens`, the longest first; without tokens it matches nothing."""
    ordered = sorted(tokens, key=len, reverse=True)
    return re.compile("(" + ("|".join(map(re.escape, ordered)) or r"(?!)") + ")")


def _valid(text: str) -> str:
    if not isinstance(text, str):
        raise DataError(f"a text to encode must be a string, not {type(text).__name__}")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        code = ord(text[error.start])
        raise DataError(
            f"the text holds a lone surrogate (U+{code:04X}) at character {error.start}; "
            "remove it, or read the file as UTF-8 with errors='replace'"
        ) from None
    return text


def _template_of(folder: Path, config: dict[str, Any]) -> str | None:
    """The folder's chat template: newer folders keep it in a file of its own, some keep several by name."""
    own = folder / "chat_template.jinja"
    if own.is_file():
        try:
            return own.read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise ModelError(f"{own} cannot be read ({error}); restore it or delete it") from error
    template = config.get("chat_template")
    if isinstance(template, list):
        template = {entry.get("name"): entry.get("template") for entry in template}.get("default")
    return template if isinstance(template, str) else None
