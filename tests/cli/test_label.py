"""`candor label`: verdicts by exit code, and 10 for whatever is wrong with the command."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from candor.governance.watermark import Mark, Places, mark
from candor.text import Tokenizer
from tests.cli.conftest import Result

Command = Callable[..., Result]


@pytest.fixture
def place(candor_command: Command, tmp_path: Path) -> Path:
    """A tokenizer of bytes, a ring, and texts: marked, unmarked, short."""
    from candor.cli.label import watermark_keys

    tokenizer = Tokenizer.train(["no merges"], 300)
    tokenizer.save(tmp_path)
    assert candor_command("keys", "new", tmp_path / "watermark.json", "--ring", "watermark")[0] == 0
    (key,) = watermark_keys(str(tmp_path / "watermark.json"), "acme")
    random, places, ids = np.random.default_rng(0), Places(), list[int]()
    shares = np.zeros((1, 300), dtype=np.float32)
    shares[0, tokenizer.encode("abcdefghijklmnopqrstuvwxyz")] = 1 / 26
    while len(ids) < 300:
        context = places.context()
        sums = (mark(shares, [Mark(key, context)]) if context else shares).cumsum(1)[0]
        ids.append(int((sums <= random.random() * sums[-1]).sum()))
        places.push(ids[-1])
    text = tokenizer.decode(ids)
    (tmp_path / "marked.txt").write_text(text)
    (tmp_path / "plain.txt").write_text("".join(random.permuted(list(text))))
    (tmp_path / "short.txt").write_text(text[:4])
    return tmp_path


def test_verdicts(candor_command: Command, place: Path) -> None:
    """A version that is added later takes nothing from what is marked already. The ring is another every time, so the
    level is one at which chance has no say.
    """
    options = ("--tokenizer", place, "--keys", place / "watermark.json", "--level", "1e-6", "--tenant", "acme")
    code, said, _ = candor_command("label", "detect", place / "marked.txt", *options)
    assert code == 0 and said.startswith("found\n") and "best key acme/1" in said
    candor_command("keys", "new", place / "watermark.json", "--ring", "watermark")
    code, said, _ = candor_command("label", "detect", place / "marked.txt", *options, "--json")
    found = json.loads(said)
    assert code == 0 and (found["verdict"], found["key_id"], found["tries"]) == ("found", "acme/1", 2)
    assert candor_command("label", "detect", place / "plain.txt", *options)[:1] == (2,)
    assert candor_command("label", "detect", place / "short.txt", *options)[:1] == (3,)
    assert candor_command("label", "detect", place / "marked.txt", *options[:-1], "other")[:1] == (2,)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"FILE": "absent.txt"}, "absent.txt"),
        ({"--keys": "absent.json"}, "candor keys new"),
        ({"--tokenizer": "absent"}, "tokenizer.json"),
        ({"--level": "1.5"}, "level=1.5"),
        ({"--scheme": "magic"}, "'magic'"),
        ({"--keys": "hook:true"}, "hook true"),
        ({"--nothing": "1"}, "--nothing"),
    ],
)
def test_faults_end_with_10(candor_command: Command, place: Path, change: dict[str, str], said: str) -> None:
    given = {"FILE": "marked.txt", "--tokenizer": ".", "--keys": "watermark.json"} | change
    words = [str(place / text) if name in ("FILE", "--tokenizer") else text for name, text in given.items()]
    options = [word for name, text in zip(given, words, strict=True) for word in (name, text) if name != "FILE"]
    options = [str(place / "watermark.json") if word == "watermark.json" else word for word in options]
    code, _, error = candor_command("label", "detect", words[0], *options)
    assert code == 10 and said in error and "Traceback" not in error


def test_a_ring_of_watermarks_wraps_nothing(candor_command: Command, place: Path) -> None:
    code, _, error = candor_command("keys", "rotate", place / "watermark.json", "--ring", "watermark")
    assert code == 2 and "wraps nothing" in error
