"""Training, ids, round trips, files: against transformers' AutoTokenizer and a plain BPE written out here."""

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st

from candor.errors import CandorError, ConfigError, DataError, ModelError
from candor.text import ASSISTANT, EOT, FIM_BEGIN, FIM_HOLE, PAD, THINK_BEGIN, THINK_END, USER, Tokenizer
from candor.text.split import ALPHABET
from tests.text.conftest import MIXED, corpus
from tests.text.test_split import split_by_regex

V3_TAIL = """<think> </think> <｜fim▁hole｜> <｜fim▁begin｜> <｜fim▁end｜> <｜User｜> <｜Assistant｜> <|EOT|>
<｜tool▁calls▁begin｜> <｜tool▁calls▁end｜> <｜tool▁call▁begin｜> <｜tool▁call▁end｜> <｜tool▁outputs▁begin｜>
<｜tool▁outputs▁end｜> <｜tool▁output▁begin｜> <｜tool▁output▁end｜> <｜tool▁sep｜>""".split()


def auto(folder: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder)


def naive_bpe(folder: Path, text: str) -> list[int]:
    """Textbook BPE over the saved merges: join the pair of lowest rank until none is left."""
    model = json.loads((folder / "tokenizer.json").read_text())["model"]
    rank = {tuple(pair): place for place, pair in enumerate(model["merges"])}
    char = {byte: character for character, byte in ALPHABET.items()}
    ids = []
    for piece in split_by_regex(text):
        parts = [char[byte] for byte in piece.encode()]
        while pairs := [pair for pair in itertools.pairwise(parts) if pair in rank]:
            best, joined = min(pairs, key=rank.__getitem__), list[str]()
            while parts:
                width = 2 if tuple(parts[:2]) == best else 1
                joined.append("".join(parts[:width]))
                parts = parts[width:]
            parts = joined
        ids += [model["vocab"][part] for part in parts]
    return ids


def test_layout_is_that_of_v3(tokenizer: Tokenizer) -> None:
    assert (tokenizer.bos_id, tokenizer.eos_id, tokenizer.pad_id) == (0, 1, 2)
    assert tokenizer.decode([0, 1, 2]) == "<｜begin▁of▁sentence｜><｜end▁of▁sentence｜><｜▁pad▁｜>"
    assert tokenizer.vocab_size == 1500
    assert [tokenizer.special_id(name) for name in V3_TAIL] == list(range(1500 - 17, 1500))


def test_placeholders_fill_a_vocabulary_that_the_text_cannot(tmp_path: Path) -> None:
    tokenizer = Tokenizer.train(["ab ab"], vocab_size=400)
    assert tokenizer.vocab_size == 400
    assert [tokenizer.special_id(name) for name in V3_TAIL] == list(range(383, 400))
    first = tokenizer.special_id("<｜place▁holder▁no▁0｜>")
    assert first == 3 + 256 + 2  # two merges: "ab" and " ab"
    assert tokenizer.special_id(f"<｜place▁holder▁no▁{382 - first}｜>") == 382
    tokenizer.save(tmp_path)
    assert len(auto(tmp_path)) == 400
    assert Tokenizer.load(tmp_path).fingerprint == tokenizer.fingerprint


def test_smallest_vocabulary_is_bytes_and_specials() -> None:
    tokenizer = Tokenizer.train(["anything"], vocab_size=276)
    assert len(tokenizer.encode("中a")) == 4
    with pytest.raises(ConfigError, match=r"vocab_size 275 is too small: .* need 276$"):
        Tokenizer.train(["anything"], vocab_size=275)


@pytest.mark.parametrize("model_type", [None, "deepseek_v3"])
def test_same_ids_as_auto_tokenizer(tokenizer: Tokenizer, tmp_path: Path, model_type: str | None) -> None:
    """A `config.json` beside the files makes transformers choose a class by the model; ids must not change."""
    tokenizer.save(tmp_path)
    if model_type:
        (tmp_path / "config.json").write_text(json.dumps({"model_type": model_type}))
    theirs = auto(tmp_path)
    assert (theirs.bos_token_id, theirs.eos_token_id, theirs.pad_token_id) == (0, 1, 2)
    assert len(theirs) == tokenizer.vocab_size
    for text in [*MIXED, "<think>\nx</think>y", "\n".join(corpus())]:
        assert theirs(text)["input_ids"] == tokenizer.encode(text)
        assert theirs.decode(tokenizer.encode(text)) == text
    ids = [0, *tokenizer.encode("hi"), tokenizer.special_id(USER), tokenizer.special_id(THINK_END), 1]
    for skip in (False, True):
        assert theirs.decode(ids, skip_special_tokens=skip) == tokenizer.decode(ids, skip_special_tokens=skip)


@pytest.mark.parametrize("text", MIXED[:-2])
def test_same_ids_as_textbook_bpe(tokenizer: Tokenizer, folder: Path, text: str) -> None:
    assert tokenizer.encode(text) == naive_bpe(folder, text)


def test_batch_gives_what_single_texts_give(tokenizer: Tokenizer) -> None:
    texts = [*MIXED, *corpus(), "Long text 长文本 " * 20_000]
    assert tokenizer.encode_batch(texts) == [tokenizer.encode(text) for text in texts]
    assert tokenizer.encode_batch([]) == []


@settings(max_examples=200, deadline=None)
@given(text=st.text() | st.text(st.sampled_from("<｜User｜>▁|EOTthink/ \n"), max_size=60))
def test_round_trip(tokenizer: Tokenizer, text: str) -> None:
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_control_tokens_in_a_text_stay_text(tokenizer: Tokenizer) -> None:
    controls = {tokenizer.special_id(name) for name in V3_TAIL[2:]} | {0, 1, 2}
    for name in [*V3_TAIL[2:], PAD]:
        ids = tokenizer.encode(f"a{name}b")
        assert not controls & set(ids)
        assert tokenizer.decode(ids) == f"a{name}b"
    think, end = tokenizer.special_id(THINK_BEGIN), tokenizer.special_id(THINK_END)
    assert tokenizer.encode("<think>a</think>") == [think, *tokenizer.encode("a"), end]


def test_what_skipping_special_tokens_leaves(tokenizer: Tokenizer) -> None:
    names = ["<think>", EOT, ASSISTANT, "<｜tool▁sep｜>", FIM_HOLE]
    ids = [0, *map(tokenizer.special_id, names), *tokenizer.encode("x"), 1]
    assert tokenizer.decode(ids, skip_special_tokens=True) == "<think><｜tool▁sep｜>x"


def test_training_is_deterministic_whatever_the_threads() -> None:
    code = (
        "from tests.text.conftest import corpus; from candor.text import Tokenizer;"
        "print(Tokenizer.train(iter(corpus()), 1500).fingerprint)"
    )
    settings = [{"RAYON_NUM_THREADS": "1"}, {"RAYON_NUM_THREADS": "4"}, {"TOKENIZERS_PARALLELISM": "false"}]
    seen = set()
    for number, setting in enumerate(settings):
        env = os.environ | setting | {"PYTHONHASHSEED": str(number)}
        run = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
        seen.add(run.stdout.strip())
    assert seen == {Tokenizer.train(corpus(), 1500).fingerprint}


def test_fingerprint_tells_tokenizers_apart(tokenizer: Tokenizer, folder: Path) -> None:
    assert Tokenizer.load(folder).fingerprint == tokenizer.fingerprint
    assert Tokenizer.train(corpus(), 1499).fingerprint != tokenizer.fingerprint
    assert Tokenizer.train([*corpus(), "zq zq " * 9999], 1500).fingerprint != tokenizer.fingerprint


def test_load_reads_a_folder_in_the_form_of_the_hub(tokenizer: Tokenizer, folder: Path, tmp_path: Path) -> None:
    """Released folders write tokens as objects, keep the template in a file, add BOS, and pad with EOS."""
    state = json.loads((folder / "tokenizer.json").read_text())
    state["added_tokens"] = [token for token in state["added_tokens"] if "fim" not in token["content"]]
    for token in state["added_tokens"]:
        token["special"] &= token["content"] != USER
    begin = "<｜begin▁of▁sentence｜>"
    state["post_processor"] = {
        "type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": begin, "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {begin: {"id": begin, "ids": [0], "tokens": [begin]}},
    }
    end = {"__type": "AddedToken", "content": "<｜end▁of▁sentence｜>", "normalized": True}
    config = {"add_bos_token": True, "bos_token": {**end, "content": begin}, "eos_token": end, "pad_token": end}
    (tmp_path / "tokenizer.json").write_text(json.dumps(state))
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    (tmp_path / "chat_template.jinja").write_text("{{ bos_token }}Q: {{ messages[0].content }}")

    loaded = Tokenizer.load(tmp_path)
    assert (loaded.bos_id, loaded.eos_id, loaded.pad_id) == (0, 1, 1)
    assert loaded.encode("Hello <｜User｜> 你好") == tokenizer.encode("Hello <｜User｜> 你好")
    assert loaded.encode_chat([{"role": "user", "content": "Hi"}]) == [0, *tokenizer.encode("Q: Hi")]
    with pytest.raises(ConfigError, match="no token '<｜fim▁begin｜>'"):
        loaded.special_id(FIM_BEGIN)
    loaded.save(tmp_path, template="r1")
    assert Tokenizer.load(tmp_path).encode_chat([{"role": "user", "content": "Hi"}]) != [0, *tokenizer.encode("Q: Hi")]
    assert auto(tmp_path)("Hello")["input_ids"] == tokenizer.encode("Hello")


def write(path: Path, content: str | bytes) -> None:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


WORDS = json.dumps({"model": {"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "a"}})


@pytest.mark.parametrize(
    ("file", "content", "error", "says"),
    [
        ("tokenizer.json", None, ModelError, "has no tokenizer.json"),
        ("tokenizer.json", "{", ModelError, "not a readable tokenizer"),
        ("tokenizer.json", b"\xff\xfe", ModelError, "not a readable tokenizer"),
        ("tokenizer.json", WORDS, ModelError, "not a byte-level BPE"),
        ("tokenizer_config.json", None, DataError, "does not exist"),
        ("tokenizer_config.json", "nonsense", DataError, "cannot be read as JSON"),
        ("tokenizer_config.json", "[]", ModelError, "not a JSON object"),
        ("tokenizer_config.json", '{"eos_token": "</s>"}', ModelError, "no special token '</s>' as eos_token"),
        ("chat_template.jinja", b"\xff", ModelError, "cannot be read"),
    ],
)
def test_broken_folders_give_one_clear_line(
    tokenizer: Tokenizer, tmp_path: Path, file: str, content: str | bytes | None, error: type[CandorError], says: str
) -> None:
    tokenizer.save(tmp_path)
    if content is None:
        (tmp_path / file).unlink()
    else:
        write(tmp_path / file, content)
    with pytest.raises(error) as caught:
        Tokenizer.load(tmp_path)
    assert says in str(caught.value)
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_texts_that_cannot_be_encoded(tokenizer: Tokenizer) -> None:
    with pytest.raises(DataError, match=r"lone surrogate \(U\+D83D\) at character 2"):
        tokenizer.encode("ab\ud83d")
    with pytest.raises(DataError, match="lone surrogate"):
        Tokenizer.train(["fine", "\udc00"], vocab_size=300)
    with pytest.raises(DataError, match="must be a string, not bytes"):
        tokenizer.encode_batch([b"bytes"])  # type: ignore[list-item]
    for nothing in ([], ["", ""]):
        with pytest.raises(DataError, match="there is no text"):
            Tokenizer.train(nothing, vocab_size=300)


def test_training_reads_its_source_once_and_bit_by_bit() -> None:
    """A text of any length reaches the library in short pieces, and nothing reads ahead of the source without end."""
    taken = []

    def source() -> Any:
        for number in range(3):
            taken.append(number)
            yield "word " * 50_000

    Tokenizer.train(source(), vocab_size=300)
    assert taken == [0, 1, 2]


def test_saved_file_needs_only_the_library(tokenizer: Tokenizer, folder: Path) -> None:
    backend = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    for text in MIXED:
        assert backend.encode(text).ids == tokenizer.encode(text)
