"""Which lines of a Markdown text a reader sees, and that a notice is put where it is seen."""

import contextlib
import time

import pytest

from candor.governance.labels import Notice
from candor.governance.labels.carrier import SourceType, Unreadable
from candor.governance.labels.markdown import MARKDOWN
from candor.governance.labels.text import TEXT
from candor.governance.labels.verdict import judge
from tests.governance.labels.cases import label_of

N = "AI生成"
HIDDEN = [
    f"<!-- {N} -->",
    f"<!--\n{N}\n-->\n",
    f"<!--\n\n```\n\n{N}\n-->x",
    f"text <!-- a\n{N}\n-->",
    f"<script>\n\n{N}\n</script>",
    f"<style>\n{N}\n\n</style>",
    f"<pre>\n{N}\n</pre>",
    f"<div hidden>\n\n{N}\n\n</div>",
    f"<div style='display:none'>{N}</div>",
    f"[//]: # ({N})",
    f"[{N}]: http://x",
    f'[a]: /u\n  "{N}"',
    f"text\n\n    {N}\n",
    f"    {N}",
    f"`{N}`",
    f"**`` {N} ``**",
    f"> ```\n> {N}\n> ```",
    f"- ```\n  {N}\n  ```",
    f"1. x\n\n   ~~~\n   {N}\n   ~~~\n",
    f"- a\n  - b\n\n    ```\n    {N}\n    ```",
    f"- a\n\n      {N}\n",
    f">     {N}",
    f"+++\n{N}\n+++\ntext",
    f"<?php\n{N}\n?>",
    f"<![CDATA[\n{N}\n]]>",
    f"```\n{N}\n```",
]
SHOWN = [
    N,
    f"> {N}",
    f"- {N}",
    f"- ```\n  x\n  ```\n\n{N}",
    f"> ```\n> x\n\n{N}",
    f"text\n    {N}",
    f"- a\n\n  {N}",
    f"- a\n\n    {N}",
    f"1. a\n\n{N}",
    f"<div align='center'>{N}</div>",
    f"<div hidden>x</div>\n\n{N}",
    f"`<script>` is a tag\n\n{N}",
    f"a < b <x\n\n{N}",
    f"<!-- x -->\n{N}",
    f"text <!-- x\n\n{N}",
    f"<p hidden>x\n\n{N}",
    f"\\<script>\n\n{N}",
    f"List<String> x\n\n{N}",
    f"```\nx\n```\n{N}",
    f"* * *\n{N}",
    f"[a]: /u\n{N}",
    f"<script>x</script>\n{N}",
    f"a\n\n    code\n\n{N}",
    f"&lt;b&gt; <b>x</b>\n\n{N}",
    f"- a\n\n\n{N}",
]


def seen(text: str) -> bool:
    """Whether a Markdown text shows a notice."""
    return any(one.lawful for one in MARKDOWN.read(text.encode()).notices)


@pytest.mark.parametrize("text", HIDDEN)
def test_a_notice_that_no_reader_sees_does_not_count(text: str) -> None:
    assert not seen(text)
    if not text.startswith("+++"):
        written = MARKDOWN.write(text.encode(), label_of(), Notice(N))
        assert [one.text for one in judge("x", MARKDOWN, MARKDOWN.read(written)).notices] == [N]


@pytest.mark.parametrize("text", SHOWN)
def test_one_that_is_seen_counts(text: str) -> None:
    assert seen(text)


@pytest.mark.parametrize("position", ["start", "middle", "end"])
@pytest.mark.parametrize(
    "text", ["a\n\n<!-- x\n\ny", "a\n\n<div hidden>\n\nx\n\ny", "<script>\n\nx", "> ```\n> x", "- ~~~\n  x"]
)
def test_the_notice_goes_where_it_is_seen(text: str, position: str) -> None:
    written = MARKDOWN.write(text.encode(), label_of(), Notice(N, position))  # type: ignore[arg-type]
    assert seen(written.decode()) and written.decode().replace(N, "").split()[-1] == text.split()[-1]


def test_plain_text_is_seen_as_it_is() -> None:
    for text in (f"    {N}\n", f"<div hidden>\n{N}\n</div>", f"`{N}`"):
        assert [one.lawful for one in TEXT.read(text.encode()).notices] == [True]


def test_a_half_character_in_front_matter_can_be_printed() -> None:
    found = MARKDOWN.read(b'---\nAIGC: "\\ud800"\ndigitalSourceType: "\\udfff"\n---\n')
    assert (found.labels[0].value, found.marks) == ("\ufffd", (SourceType("digitalSourceType", "\ufffd"),))


@pytest.mark.parametrize(
    "piece", ["`", "` ``", "<!--", "<!-- ", "<a x=", "<a x='", "<a a ", "> ", "- ", "[a", "<b>", "<script>\n"]
)
def test_no_text_takes_long(piece: str) -> None:
    start = time.process_time()
    with contextlib.suppress(Unreadable):
        MARKDOWN.read((piece * (2**17 // len(piece))).encode())
    assert time.process_time() - start < 4
