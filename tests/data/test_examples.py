"""Examples: what exactly is learnt of dialogues, and windows that lose and double nothing."""

import json
import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from candor.data.dialogues import Dialogue
from candor.data.examples import ChatForm, Example, ExampleLoader, best_fit
from candor.errors import ConfigError, DataError
from candor.text import ASSISTANT, BOS, EOS, THINK_BEGIN, THINK_END, USER, Tokenizer, chat
from tests.data.test_dialogues import EASY, say
from tests.text.test_chat import TOOL_ANSWER
from tests.text.test_tokenizer import auto


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.train(["what is this? hello world, 你好 easy <｜ ｜> \n\n 1+1=2 " * 9], vocab_size=330)


# What is learnt.


def spans(example: Example, tokenizer: Tokenizer) -> str:
    """The example as text, what is learnt in double brackets."""
    text, before = "", False
    for token, now in zip(example.ids.tolist(), example.learnt.tolist(), strict=True):
        text += ("[[" if now and not before else "]]" if before and not now else "") + tokenizer.decode([token])
        before = now
    return text + ("]]" if before else "")


HEAD = f"{BOS}Be brief.{USER}1+1?{ASSISTANT}"
CASES: list[tuple[str, Dialogue, list[str]]] = [
    ("v3", say("1+1?", "2", "hi", "hello\n", system="Be brief."),
     [f"{HEAD}[[2{EOS}]]{USER}hi{ASSISTANT}[[hello\n{EOS}]]"]),
    # The template cuts a thought once another turn follows: what would be read then is an example of its own.
    ("v3", say("1+1?", EASY, "hi", "hello", "so", "well", system="Be brief."),
     [f"{HEAD}[[{EASY}{EOS}]]",
      f"{HEAD}\n\n2{EOS}{USER}hi{ASSISTANT}[[hello{EOS}]]{USER}so{ASSISTANT}[[well{EOS}]]"]),
    ("v3", say("1+1?", "2", "hi", "<think>?</think>hello", system="Be brief."),
     [f"{HEAD}[[2{EOS}]]{USER}hi{ASSISTANT}[[<think>?</think>hello{EOS}]]"]),
    ("r1", say("1+1?", EASY, system="Be brief."), [f"{HEAD}<think>\n[[easy\n</think>\n\n2{EOS}]]"]),
    ("r1", say("1+1?", "easy</think>2", system="Be brief."), [f"{HEAD}<think>\n[[easy</think>2{EOS}]]"]),
    ("r1", say("1+1?", "<think>easy</think>2", system="Be brief."), [f"{HEAD}<think>\n[[easy</think>2{EOS}]]"]),
    ("r1", say("1+1?", EASY, "hi", "hello", system="Be brief."),
     [f"{HEAD}<think>\n[[easy\n</think>\n\n2{EOS}]]",
      f"{HEAD}\n\n2{EOS}{USER}hi{ASSISTANT}<think>\n[[\n</think>\n\nhello{EOS}]]"]),
]  # fmt: skip


@pytest.mark.parametrize(("template", "dialogue", "learnt"), CASES)
def test_what_is_learnt_by_hand(template: str, dialogue: Dialogue, learnt: list[str], tokenizer: Tokenizer) -> None:
    assert [spans(example, tokenizer) for example in ChatForm(tokenizer, template).encode(dialogue)] == learnt


def test_an_answer_of_weight_0_is_read_and_not_learnt(tokenizer: Tokenizer) -> None:
    whole = say("1+1?", "2", "hi", "hello", "so", "well", system="Be brief.")
    messages = [dict(message) for message in whole.messages]
    messages[4]["weight"] = 0
    dialogue = Dialogue(messages=tuple(messages), origin="team-hand")
    (example,) = ChatForm(tokenizer, "v3").encode(dialogue)
    wanted = f"{HEAD}[[2{EOS}]]{USER}hi{ASSISTANT}hello{EOS}{USER}so{ASSISTANT}[[well{EOS}]]"
    assert spans(example, tokenizer) == wanted


def test_calls_of_tools_are_learnt_and_their_results_are_not(tokenizer: Tokenizer) -> None:
    dialogue = Dialogue(messages=tuple(TOOL_ANSWER[:-1]), origin="team-hand")
    (example,) = ChatForm(tokenizer, "v3").encode(dialogue)
    text = spans(example, tokenizer)
    assert text.startswith(f"{BOS}{USER}Weather?{ASSISTANT}[[<｜tool▁calls▁begin｜>")
    assert f"<｜tool▁calls▁end｜>{EOS}]]<｜tool▁outputs▁begin｜>" in text
    assert text.endswith(f"<｜tool▁outputs▁end｜>[[Sunny.{EOS}]]")
    assert tokenizer.decode(example.ids.tolist()) == tokenizer.render_chat(
        dialogue.messages, template="v3", add_generation_prompt=False
    )
    call, answer = ChatForm(tokenizer, "r1").encode(dialogue)  # the history does not keep the thought before the call
    assert spans(call, tokenizer).startswith(
        f"{BOS}{USER}Weather?{ASSISTANT}<think>\n[[\n</think>\n\n<｜tool▁calls▁begin｜>"
    )
    assert spans(answer, tokenizer) == text.replace("[[<", "<", 1).replace(f"{EOS}]]<", f"{EOS}<", 1)


texts = st.text(st.sampled_from("ab 1\n你？."), min_size=1, max_size=12)
thoughts = st.one_of(st.just(""), texts.map(lambda text: f"<think>\n{text}\n</think>\n\n"))


@st.composite
def dialogues(draw: st.DrawFn, thoughtful: bool = True, hostile: bool = False) -> Dialogue:
    part = st.lists(st.one_of(texts, st.sampled_from([EOS, USER, ASSISTANT, BOS])), min_size=1, max_size=4).map("".join)
    words = part if hostile else texts
    turns = []
    for _ in range(draw(st.integers(1, 4))):
        turns += [draw(words), (draw(thoughts) if thoughtful else "") + draw(words)]
    return say(*turns, system=draw(st.one_of(st.just(""), words)))


@settings(max_examples=60, deadline=None)
@given(dialogue=dialogues(thoughtful=False))
def test_ids_are_those_of_the_chat_and_the_mask_is_that_of_its_characters(
    dialogue: Dialogue, tokenizer: Tokenizer
) -> None:
    """An answer begins where the prompt before it ends as text, and ends where the text with it ends."""
    (example,) = ChatForm(tokenizer, "v3").encode(dialogue)
    assert example.ids.tolist() == tokenizer.encode_chat(dialogue.messages, template="v3", add_generation_prompt=False)
    inside = set()
    for place, message in enumerate(dialogue.messages):
        if message["role"] == "assistant":
            start = tokenizer.render_chat(dialogue.messages[:place], template="v3")
            end = tokenizer.render_chat(dialogue.messages[: place + 1], template="v3", add_generation_prompt=False)
            assert end.startswith(start)
            inside |= set(range(len(start.encode()), len(end.encode())))
    at, mask = 0, []
    for token in example.ids:
        size = len(tokenizer.token_bytes[token])
        mask.append(set(range(at, at + size)) <= inside)
        at += size
    assert example.learnt.tolist() == mask


@settings(max_examples=60, deadline=None)
@given(dialogue=dialogues(hostile=True), template=st.sampled_from(["v3", "r1"]))
def test_each_answer_is_learnt_once_behind_the_prompt_that_is_served(
    dialogue: Dialogue, template: str, tokenizer: Tokenizer
) -> None:
    """Whatever thoughts and control tokens are written in the messages; `generate` would continue these very ids."""
    learnt = []
    for example in ChatForm(tokenizer, template).encode(dialogue):
        assert len(example.ids) == len(example.learnt) and not example.learnt[0]
        edges = np.flatnonzero(np.diff(example.learnt.astype(int), append=0))
        for first, last in edges.reshape(-1, 2) + 1:
            learnt.append((example.ids[:first].tolist(), example.ids[first:last].tolist()))
    wanted = []
    for place, message in enumerate(dialogue.messages):
        if message["role"] == "assistant":
            text = message["content"]
            if template == "r1" and text.startswith("<think>\n"):
                text = text.removeprefix("<think>\n")
            elif template == "r1":
                text = "\n</think>\n\n" + text
            prompt = tokenizer.encode_chat(dialogue.messages[:place], template=template)
            wanted.append((prompt, [*tokenizer.encode(text), tokenizer.eos_id]))
    assert learnt == wanted


def test_the_mask_of_transformers(tokenizer: Tokenizer, tmp_path: Path) -> None:
    """With the template's answers marked for it as generated."""
    source = chat.template("v3")
    begin, end = "            {{- (message['content'] or '').split('</think>')[-1] -}}\n", "{{- eos_token -}}\n"
    assert source.count(begin) == source.count(end) == 1
    marked = source.replace(begin, "{%- generation -%}\n" + begin).replace(end, end + "{%- endgeneration -%}\n")
    tokenizer.save(tmp_path, template="v3")
    theirs = auto(tmp_path)
    for dialogue in (
        say("1+1?", "2", "hi", "hello  world\n", "so", "你好", system="Be brief."),
        say("a", "b"),
        Dialogue(messages=tuple(TOOL_ANSWER[:2]), origin="team-hand"),
    ):
        got = theirs.apply_chat_template(
            list(dialogue.messages), chat_template=marked, tokenize=True, return_dict=True,
            return_assistant_tokens_mask=True,
        )  # fmt: skip
        (example,) = ChatForm(tokenizer, "v3").encode(dialogue)
        assert example.ids.tolist() == got["input_ids"]
        assert example.learnt.tolist() == [bool(mark) for mark in got["assistant_masks"]]


# Templates.

PLAIN = (
    "{{- bos_token -}}{%- for m in messages -%}{{- '<｜User｜>' if m.role == 'user' else '<｜Assistant｜>' -}}"
    "{{- m.content -}}{{- eos_token if m.role == 'assistant' -}}{%- endfor -%}"
    "{{- '<｜Assistant｜>' if add_generation_prompt -}}"
)
V3_1 = (
    "{{- bos_token -}}{%- for m in messages -%}{%- if m.role == 'user' -%}{{- '<｜User｜>' + m.content -}}{%- else -%}"
    "{{- '<｜Assistant｜></think>' + m.content.split('</think>')[-1] + eos_token -}}{%- endif -%}{%- endfor -%}"
    "{{- '<｜Assistant｜></think>' if add_generation_prompt -}}"
)


def own(tokenizer: Tokenizer, template: str | None, tmp_path: Path) -> Tokenizer:
    tokenizer.save(tmp_path)
    loaded = Tokenizer.load(tmp_path)
    loaded.chat_template = template
    return loaded


def test_templates_of_others_serve_as_they_are(tokenizer: Tokenizer, tmp_path: Path) -> None:
    """One that keeps thoughts in the history is one example; V3.1's, which closes the thought, is learnt behind it."""
    form = ChatForm(own(tokenizer, PLAIN, tmp_path))
    (example,) = form.encode(say("1+1?", EASY, "hi", "hello"))
    assert spans(example, tokenizer) == (f"{BOS}{USER}1+1?{ASSISTANT}[[{EASY}{EOS}]]{USER}hi{ASSISTANT}[[hello{EOS}]]")
    form = ChatForm(own(tokenizer, V3_1, tmp_path))
    (example,) = form.encode(say("1+1?", "2", "hi", "hello"))
    assert spans(example, tokenizer) == (
        f"{BOS}{USER}1+1?{ASSISTANT}</think>[[2{EOS}]]{USER}hi{ASSISTANT}</think>[[hello{EOS}]]"
    )
    with pytest.raises(DataError, match=r"^here: message 2: .* the chat template answers without; choose .*=r1$"):
        form.encode(say("1+1?", EASY))


@pytest.mark.parametrize(
    ("template", "says"),
    [
        (None, "the tokenizer has no chat template; choose one: sft.template=v3 or sft.template=r1"),
        (
            PLAIN.replace("'<｜Assistant｜>' if add", "'<｜Assistant｜>Sure: ' if add"),
            "otherwise than its prompt opens",
        ),
        (PLAIN.replace("'<｜Assistant｜>' if add", "'<｜User｜>' if add"), "otherwise than its prompt opens"),
    ],
)
def test_a_template_that_cannot_be_learnt_is_refused(
    template: str | None, says: str, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=says):
        ChatForm(own(tokenizer, template, tmp_path))


@pytest.mark.parametrize(
    ("template", "answer", "says"),
    [
        (PLAIN.replace("m.content -", "m.content | trim -"), " 2", "changes the answer ' 2'"),
        (PLAIN.replace("m.content -", "m.content | upper -"), "two", "changes the answer 'two'; choose sft."),
        ("{{ bos_token }}", "2", "changes the answer '2'"),
        (PLAIN.replace("eos_token if", "'' if"), "2", "does not end answers with the end token"),
        (PLAIN.replace("{{- bos_token", "{{- '!' if messages[1:] and messages[1].content == 'x' -}}{{- bos_token"), "x",
         "changes what stands before this answer"),
        (PLAIN + "{{- raise_exception('no') if messages[1:] and messages[1].content == 'x' -}}", "x", "fails"),
    ],
)  # fmt: skip
def test_a_template_that_changes_what_was_said_is_refused(
    template: str, answer: str, says: str, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    form = ChatForm(own(tokenizer, template, tmp_path))
    with pytest.raises(DataError) as caught:
        form.encode(say("1+1?", answer))
    assert str(caught.value).startswith("here: message 2: ") and says in str(caught.value)


@pytest.mark.parametrize(
    ("template", "answer", "says"),
    [
        ("v3", "<think>\nhm", f"opens a thought and does not close it; add {THINK_END}"),
        ("r1", "<think>\nhm", "opens a thought and does not close it"),
        ("v3", "hm</think>2", f"closes a thought that it does not begin with; put {THINK_BEGIN} first"),
    ],
)
def test_half_a_thought_is_refused(template: str, answer: str, says: str, tokenizer: Tokenizer) -> None:
    with pytest.raises(DataError, match=rf"^here: message 2: the answer {says}"):
        ChatForm(tokenizer, template).encode(say("1+1?", answer))


# Windows.


def examples_of(lengths: Sequence[int]) -> list[Example]:
    """Example n holds only the id n + 1; every second token of it is learnt, and the last."""
    return [
        Example(np.full(length, n + 1, np.int32), np.array([i % 2 == 1 or 0 < i == length - 1 for i in range(length)]))
        for n, length in enumerate(lengths)
    ]


lengths = st.lists(st.integers(2, 12), min_size=1, max_size=30)


@settings(max_examples=80, deadline=None)
@given(lengths=lengths, size=st.integers(12, 20), lookahead=st.integers(1, 3), seed=st.integers(0, 9))
def test_windows_lose_and_double_nothing(lengths: list[int], size: int, lookahead: int, seed: int) -> None:
    examples = examples_of(lengths)
    loader = ExampleLoader(examples, size, lookahead=lookahead, pad_id=99, seed=seed)
    for epoch in range(2):
        batch = loader.next_batch(loader.windows)
        assert batch.segments is not None and batch.valid is not None
        assert batch.tokens.shape == batch.segments.shape == (loader.windows, size + lookahead)
        seen: list[int] = []
        for row in range(loader.windows):
            members = loader.members(epoch * loader.windows + row)
            for segment, place in enumerate(members, start=1):
                inside = (batch.segments[row] == segment).nonzero().flatten().tolist()
                assert inside == list(range(inside[0], inside[0] + lengths[place])), "whole and in one piece"
                assert batch.tokens[row, inside].tolist() == examples[place].ids.tolist()
                learnt = [j + 1 for j in range(size) if batch.valid[row, j] and j in inside]
                assert [j - inside[0] for j in learnt] == np.flatnonzero(examples[place].learnt).tolist()
                assert set(learnt) <= set(inside), "no token is predicted from another example"
            seen += members
            padding = batch.segments[row] == 0
            assert (batch.tokens[row][padding] == 99).all() and not batch.valid[row][padding[:size]].any()
            assert padding[size:].all()
        assert sorted(seen) == list(range(len(lengths)))


@settings(max_examples=80, deadline=None)
@given(lengths=lengths, size=st.integers(12, 20), seed=st.integers(0, 9))
def test_best_fit_as_it_is_defined(lengths: list[int], size: int, seed: int) -> None:
    """Longest first, into the fullest window that has room."""
    order = list(range(len(lengths)))
    random.Random(seed).shuffle(order)
    room: list[int] = []
    for length in sorted(lengths, reverse=True):
        fitting = [window for window in range(len(room)) if room[window] >= length]
        if fitting:
            room[min(fitting, key=room.__getitem__)] -= length
        else:
            room.append(size - length)
    windows = best_fit(lengths, order, size)
    assert sorted(size - sum(lengths[place] for place in window) for window in windows) == sorted(room)


def test_order_and_company_change_with_epoch_and_seed() -> None:
    examples = examples_of([3] * 40)
    loader, other = (ExampleLoader(examples, 12, seed=seed) for seed in (0, 1))
    epochs = [[tuple(one.members(n)) for n in range(e * 10, e * 10 + 10)] for one in (loader, other) for e in (0, 1)]
    assert loader.windows == 10
    assert len({tuple(epoch) for epoch in epochs}) == len({frozenset(map(frozenset, epoch)) for epoch in epochs}) == 4


def test_the_position_is_all_there_is_to_resume() -> None:
    """Across the end of an epoch, cut into other batches."""
    examples = examples_of([5, 4, 3, 6, 7, 2, 2, 9])
    whole, cut = (ExampleLoader(examples, 12, seed=4) for _ in range(2))
    wanted = whole.next_batch(2 * whole.windows + 1).tokens
    got = [cut.next_batch(3).tokens]
    resumed = ExampleLoader(examples, 12, seed=4)
    resumed.load_state_dict(json.loads(json.dumps(cut.state_dict())))
    got += [resumed.next_batch(1).tokens for _ in range(2 * whole.windows - 2)]
    assert np.concatenate(got).tolist() == wanted.tolist()


def test_an_example_longer_than_the_window_is_an_error() -> None:
    with pytest.raises(
        ConfigError, match=r"2 examples, the longest of 13 tokens, do not make windows of 12; raise sft"
    ):
        ExampleLoader(examples_of([13, 4]), 12)
    with pytest.raises(ConfigError, match="0 examples"):
        ExampleLoader([], 12)
