"""The published checker of IFEval, as lm_eval brings it, loaded without the modules and data that are not there."""

import importlib.util
import random
import sys
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from candor.problems.ifeval import CHECKERS

Followed = Callable[..., bool]

ENGLISH = "the cat sat on a mat and said hello to the old dog of our neighbour in the garden".split()
"""Words, so that a response of them is English."""


def prose(chance: random.Random, words: int, shouted: float = 0.1) -> str:
    """Sentences of the words, some of them in capitals."""
    text = ""
    while words > 0:
        length = chance.randint(1, 9)
        words -= length
        sentence = [chance.choice(ENGLISH) for _ in range(length)]
        sentence = [word.upper() if chance.random() < shouted else word for word in sentence]
        text += " ".join([sentence[0].capitalize(), *sentence[1:]]) + chance.choice([".", ".", "!", "?", "..."]) + " "
    return text.strip()


@contextmanager
def published_checker() -> Iterator[Followed]:
    """`check(id, response, loose=False, **kwargs)`; skips the test where lm_eval is not installed."""
    spec = importlib.util.find_spec("lm_eval")
    if spec is None or spec.origin is None:
        pytest.skip("needs lm_eval, which brings the published checker")
    import nltk
    from nltk.tokenize import NLTKWordTokenizer
    from nltk.tokenize.punkt import PunktSentenceTokenizer, PunktTrainer

    trainer = PunktTrainer(prose(random.Random(0), 3000, shouted=0))
    parameters = trainer.get_params()
    parameters.abbrev_types.update({"dr", "mr", "e.g", "u.s", "etc", "no"})
    punkt = PunktSentenceTokenizer(parameters)
    folder = Path(spec.origin).parent / "tasks" / "ifeval"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOCAL_RANK", "1")  # only rank 0 fetches data
        detect = types.SimpleNamespace(detect=lambda text: "en", LangDetectException=ValueError)
        patch.setitem(sys.modules, "langdetect", detect)
        patch.setitem(sys.modules, "immutabledict", types.SimpleNamespace(immutabledict=dict))
        loaded: dict[str, types.ModuleType] = {}
        for name in ("lm_eval", "lm_eval.tasks", "lm_eval.tasks.ifeval"):
            loaded[name] = types.ModuleType(name)
            patch.setitem(sys.modules, name, loaded[name])
        for name in ("instructions_util", "instructions", "instructions_registry", "utils"):
            full = f"lm_eval.tasks.ifeval.{name}"
            part = importlib.util.spec_from_file_location(full, folder / f"{name}.py")
            assert part is not None and part.loader is not None
            module = loaded[name] = importlib.util.module_from_spec(part)
            patch.setitem(sys.modules, full, module)
            setattr(loaded["lm_eval.tasks.ifeval"], name, module)
            part.loader.exec_module(module)
        patch.setattr(loaded["instructions_util"], "_get_sentence_tokenizer", lambda: punkt)
        words = NLTKWordTokenizer()
        patch.setattr(
            nltk, "word_tokenize", lambda text: [word for part in punkt.tokenize(text) for word in words.tokenize(part)]
        )
        assert set(loaded["instructions_registry"].INSTRUCTION_DICT) == set(CHECKERS)
        utils = loaded["utils"]

        def check(name: str, response: str, *, loose: bool = False, **kwargs: Any) -> bool:
            example = utils.InputExample(key=0, instruction_id_list=[name], prompt="", kwargs=[kwargs])
            test = utils.test_instruction_following_loose if loose else utils.test_instruction_following_strict
            return bool(test(example, response).follow_instruction_list[0])

        yield check
