"""One small tokenizer, trained on text that every Python has plus some Chinese, for all tests of this folder."""

from pathlib import Path
from pydoc_data.topics import topics

import pytest

from candor.text import Tokenizer

CHINESE = "话说天下大势，分久必合，合久必分。人工智能模型由多层神经网络组成，能够预测下一个词。我们今天一起学习数学。"
MIXED = [
    "Hello, world! It's 2024-12-26; total: 1234567.89 (approx.)",
    CHINESE,
    "def f(x: int) -> int:\n    return x**2  # 平方\n\n\tif True:\r\n        pass\n",
    "emoji 😀👩‍👩‍👧‍👦🇨🇳 café naïve e\u0301 ﬁ Ａ１ ٣٤٥ ½",
    "カタカナとひらがな mixed中英文abc123中4567文",
    "   leading, trailing   \n\n\n  tabs\t\tend ",
    "<html><p class='x'>a&amp;b</p></html> $x^2_1 \\frac{1}{2}$ ———……「」",
    "\u0000\u0007\u200b\ufeff\ue000 control and private",
    "",
]


def corpus() -> list[str]:
    return [*topics.values(), *[CHINESE * 20] * 3]


@pytest.fixture(scope="session")
def tokenizer() -> Tokenizer:
    return Tokenizer.train(corpus(), vocab_size=1500)


@pytest.fixture(scope="session")
def folder(tokenizer: Tokenizer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tokenizer")
    tokenizer.save(path, template="v3")
    return path
