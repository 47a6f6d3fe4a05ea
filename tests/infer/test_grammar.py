"""Structured output from a model that knows nothing: what it says has the form, whatever it would have said."""

import json
import re

import pytest

from candor.errors import ConfigError, RequestError
from candor.infer import Engine, SamplingParams, StructuredOutput

SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 4}, "age": {"type": "integer", "minimum": 0, "maximum": 9}},
    "required": ["name", "age"],
    "additionalProperties": False,
}


def ask(engine: Engine, count: int = 12, max_tokens: int = 50, **wanted: object) -> list[str]:
    structure = StructuredOutput(**wanted)  # type: ignore[arg-type]
    params = SamplingParams(n=count, seed=3, max_tokens=max_tokens, structured_outputs=structure)
    done = engine.generate([[0, 9]], params)
    assert not [one.error for one in done if one.error]
    return [one.text for one in done if one.finish_reason == "stop"]


def test_json_schema(engine: Engine) -> None:
    texts = ask(engine, 40, json=SCHEMA)
    assert len(texts) > 3 and len(set(texts)) == len(texts)
    for text in texts:
        value = json.loads(text)
        assert set(value) == {"name", "age"} and len(value["name"]) <= 4 and 0 <= value["age"] <= 9
    assert all(json.loads(text) for text in ask(engine, 5, json=json.dumps(SCHEMA)))


def test_regex(engine: Engine) -> None:
    texts = ask(engine, regex=r"[0-9]{3}-(甲|乙)")
    assert len(texts) == 12 and len(set(texts)) > 6
    assert all(re.fullmatch(r"[0-9]{3}-(甲|乙)", text) for text in texts)


def test_choice(engine: Engine) -> None:
    choices = ("yes", "no", "不知道", 'quote " and \\ too')
    texts = ask(engine, 40, choice=choices)
    assert len(texts) == 40 and set(texts) <= set(choices) and len(set(texts)) > 2
    assert set(ask(engine, 20, choice=("不知道", "知道"))) == {"不知道", "知道"}


def test_greedy_and_beside_free_requests(engine: Engine) -> None:
    """Structure binds its own request only."""
    free = SamplingParams(temperature=0, max_tokens=10, ignore_eos=True)
    bound = SamplingParams(temperature=0, max_tokens=30, structured_outputs=StructuredOutput(regex="(ab)+c"))
    alone = engine.generate([[0, 5]], free)[0]
    one, two, three = engine.generate([[0, 5], [0, 5], [0, 6]], [free, bound, free])
    assert one.token_ids == alone.token_ids
    assert re.fullmatch("(ab)+c?", two.text)
    assert three.error is None


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ({"regex": "("}, "structured_outputs cannot be"),
        ({"json": "{not json"}, "structured_outputs cannot be"),
        ({"json": {"type": "no such type"}}, "structured_outputs cannot be"),
        ({"json": {"type": "integer", "minimum": 3, "maximum": 1}}, "structured_outputs cannot be"),
        ({"json": False}, "structured_outputs cannot be"),
        ({"regex": "(a{1000}){1000}"}, "structured_outputs cannot be"),
    ],
)
def test_impossible_structures_end_their_request_alone(engine: Engine, wanted: dict[str, object], says: str) -> None:
    params = SamplingParams(max_tokens=5, structured_outputs=StructuredOutput(**wanted))  # type: ignore[arg-type]
    bad, good = engine.generate([[0, 9], [0, 9]], [params, SamplingParams(max_tokens=5, ignore_eos=True)])
    assert isinstance(bad.error, RequestError) and says in str(bad.error) and bad.finish_reason == "error"
    assert "\n" not in str(bad.error)
    assert good.finish_reason == "length"


def test_exactly_one_structure() -> None:
    for wanted in ({}, {"regex": "a", "choice": ("b",)}):
        with pytest.raises(ConfigError, match="exactly one of json, regex and choice"):
            StructuredOutput(**wanted)  # type: ignore[arg-type]
