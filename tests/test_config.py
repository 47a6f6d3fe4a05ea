"""Every kind of field is overridden with its type checked; a wrong assignment is one line that helps."""

import dataclasses
import json
import math
import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

from candor.config import check, describe, difference, field_docs, override, to_dict
from candor.errors import ConfigError
from candor.stages.pipeline import RunConfig


@dataclass(frozen=True)
class Inner:
    """A group."""

    depth: int = 1
    """How deep."""
    rates: tuple[float, ...] = (0.5,)
    """How often,
    each."""


@dataclass(frozen=True)
class Config:
    """One field of each kind."""

    steps: int = 1
    """Whole number."""
    lr: float = 0.1
    """Number."""
    on: bool = False
    """Switch."""
    name: str = ""
    """Text."""
    path: Path = Path()
    """Path."""
    limit: int | None = 3
    """Number or none."""
    mode: Literal["fast", "slow"] = "fast"
    """One of two."""
    level: Literal[1, 2] = 1
    """One of two numbers."""
    fields: tuple[str, ...] = ()
    """Names."""
    betas: tuple[float, float] = (0.9, 0.95)
    """Two numbers."""
    inner: Inner = field(default_factory=Inner)
    """Group."""
    extra: Inner | None = None
    """Group or none."""
    bare: int = 0

    def __post_init__(self) -> None:
        if self.steps < 0:
            raise ConfigError(f"steps={self.steps} must not be negative")
        if self.level == 2 and self.mode == "fast":
            raise ConfigError("level=2 needs mode=slow")


@pytest.mark.parametrize(
    ("assignment", "value"),
    [
        ("steps=7", 7),
        ("steps=1e6", 1_000_000),
        ("steps=2.5E3", 2500),
        ("steps=1_000", 1000),
        (" steps = 7 ", 7),
        ("lr=3e-4", 0.0003),
        ("lr=2", 2.0),
        ("lr=1_000.5", 1000.5),
        ("on=true", True),
        ("on=YES", True),
        ("on=1", True),
        ("on=False", False),
        ("name=none", "none"),
        ("name=a=b c", "a=b c"),
        ("name=", ""),
        ("path=/a/b", Path("/a/b")),
        ("limit=None", None),
        ("limit=null", None),
        ("limit=12", 12),
        ("mode=slow", "slow"),
        ("level=1", 1),
        ("fields=question,answer", ("question", "answer")),
        ("fields=(a, b,)", ("a", "b")),
        ("fields=", ()),
        ("betas=0.8,0.9", (0.8, 0.9)),
        ("betas=[0.8, 1]", (0.8, 1.0)),
        ("inner.depth=4", 4),
        ("inner.rates=1,2,3", (1.0, 2.0, 3.0)),
    ],
)
def test_one_field_is_replaced_with_its_type(assignment: str, value: Any) -> None:
    config = override(Config(), assignment)
    found: Any = config
    for part in assignment.partition("=")[0].strip().split("."):
        found = getattr(found, part)
    assert found == value
    assert type(found) is type(value)
    if isinstance(value, tuple):
        assert [type(item) for item in found] == [type(item) for item in value]
    name = assignment.partition("=")[0].strip().split(".")[0]
    assert dataclasses.replace(config, **{name: getattr(Config(), name)}) == Config(), "another field changed too"


def test_several_fields_are_checked_once_all_are_in_place() -> None:
    config = override(Config(), "level=2", "inner.depth=4", "mode=slow", "inner.rates=1")
    assert config == Config(level=2, mode="slow", inner=Inner(4, (1.0,)))
    assert override(Config(), "steps=5", "steps=6").steps == 6
    assert override(Config()) == Config()
    with pytest.raises(ConfigError, match="level=2 needs mode=slow"):
        override(Config(), "level=2")


def test_a_field_of_an_absent_group_brings_the_group() -> None:
    assert override(Config(), "extra.depth=4").extra == Inner(4)


def test_the_given_tree_is_left_as_it_was() -> None:
    config = Config()
    assert override(config, "inner.depth=9").inner is not config.inner
    assert config == Config()


@pytest.mark.parametrize(
    ("assignment", "says"),
    [
        ("steps", "--set 'steps' has no '='; write --set name=value"),
        ("stpes=1", "there is no field 'stpes' in Config; did you mean 'steps'?"),
        ("inner.dept=1", "--set inner.dept: there is no field 'dept' in Inner; did you mean 'depth'?"),
        ("inner.zzz=1", "there is no field 'zzz' in Inner; known here: depth, rates"),
        ("=1", "there is no field '' in Config; known here: steps, lr"),
        ("inner=1", "--set inner: is a group; set one of inner.depth, inner.rates"),
        ("steps.x=1", "--set steps.x: steps is a plain value"),
        ("extra.dept=1", "there is no field 'dept' in Inner; did you mean 'depth'?"),
        ("steps=x", "--set steps: 'x' is not a whole number"),
        ("steps=1.5", "'1.5' is not a whole number"),
        ("steps=1e999", "'1e999' is not a whole number"),
        ("steps=", "'' is not a whole number"),
        ("steps=true", "'true' is not a whole number"),
        ("steps=-1", "steps=-1 must not be negative"),
        ("lr=fast", "'fast' is not a number"),
        ("on=maybe", "'maybe' is not true or false"),
        ("limit=x", "'x' is not a whole number or none"),
        ("mode=quick", "'quick' is not one of fast, slow"),
        ("level=3", "'3' is not one of 1, 2"),
        ("betas=0.9", "'0.9' is not a comma-separated list, like a number,a number"),
        ("betas=0.9,x", "'x' is not a number"),
        ("inner.rates=1,x", "--set inner.rates: 'x' is not a number"),
    ],
)
def test_a_wrong_assignment_is_one_line_that_helps(assignment: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        override(Config(), assignment)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_to_dict_is_plain_json() -> None:
    plain = to_dict(override(override(Config(), "path=/a/b"), "fields=x,y"))
    assert plain == {
        "steps": 1, "lr": 0.1, "on": False, "name": "", "path": "/a/b", "limit": 3, "mode": "fast", "level": 1,
        "fields": ["x", "y"], "betas": [0.9, 0.95], "inner": {"depth": 1, "rates": [0.5]}, "extra": None,
        "bare": 0,
    }  # fmt: skip
    assert json.loads(json.dumps(plain)) == plain


def test_field_docs_are_the_sentences_of_the_source() -> None:
    assert field_docs(Inner) == {"depth": "How deep.", "rates": "How often, each."}
    docs = field_docs(Config)
    assert docs["limit"] == "Number or none."
    assert "bare" not in docs


def test_describe_flattens_the_tree() -> None:
    rows = {name: (value, meaning) for name, value, meaning in describe(Config())}
    assert rows["steps"] == ("1", "Whole number.")
    assert rows["inner.rates"] == ("(0.5,)", "How often, each.")
    assert rows["bare"] == ("0", "")
    assert "inner" not in rows


def fields_below(cls: type, prefix: str = "") -> list[tuple[type, str, str]]:
    """(class, field, dotted name) of every field of a tree, by its type hints."""
    found = []
    for name, kind in typing.get_type_hints(cls).items():
        found.append((cls, name, prefix + name))
        for part in (kind, *typing.get_args(kind)):
            if dataclasses.is_dataclass(part) and isinstance(part, type):
                found += fields_below(part, f"{prefix}{name}.")
    return found


def test_every_field_of_a_run_has_its_sentence() -> None:
    found = fields_below(RunConfig)
    assert "corpus.heldout_fraction" in [name for _, _, name in found]
    assert "model.num_hidden_layers" in [name for _, _, name in found]
    bare = [name for cls, field_name, name in found if not field_docs(cls).get(field_name, "").endswith(".")]
    assert bare == []


def test_every_field_of_a_run_can_be_overridden_with_its_own_value() -> None:
    config = RunConfig()
    for name, value, _ in describe(config):
        if value not in ("()", "nan") and not (value.startswith("(") and "'" in value):
            assert override(config, f"{name}={value}") == config, name
    assert math.isclose(override(config, "corpus.heldout_fraction=0.25").corpus.heldout_fraction, 0.25)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"steps": 1.5}, "steps=1.5 is not a whole number"),
        ({"steps": True}, "steps=True is not a whole number"),
        ({"lr": "0.1"}, "lr='0.1' is not a number"),
        ({"on": 1}, "on=1 is not true or false"),
        ({"mode": "medium"}, "mode='medium' is not one of fast, slow"),
        ({"fields": "abc"}, "fields='abc' is not"),
        ({"limit": "3"}, "limit='3' is not a whole number or none"),
        ({"betas": (0.9,)}, "betas=(0.9,) is not a comma-separated list"),
        ({"betas": [0.9, 0.95]}, "betas=[0.9, 0.95] is not a comma-separated list"),
        ({"fields": ("a", 1)}, "fields=('a', 1) is not a comma-separated list"),
        ({"inner": Inner(depth="deep")}, "inner.depth='deep' is not a whole number"),  # type: ignore[arg-type]
        ({"inner": None}, "inner=None is not"),
    ],
)
def test_a_recipe_written_with_a_wrong_type_is_named(change: dict[str, Any], says: str) -> None:
    check(Config())
    check(Config(extra=Inner(), lr=1, limit=None))
    with pytest.raises(ConfigError) as caught:
        check(dataclasses.replace(Config(), **change))
    assert str(caught.value).startswith(says)


def test_difference_names_the_first_setting_that_differs() -> None:
    old = {"model": {"width": 8, "depth": 2}, "seed": 0}
    assert difference(old, {"model": {"width": 8, "depth": 2}, "seed": 0}) == ""
    assert difference(old, {"seed": 1, "model": {"width": 9, "depth": 2}}) == "seed was 0 and is now 1"
    assert difference(old, {"model": {"width": 8, "depth": 3}, "seed": 1}) == "model.depth was 2 and is now 3"
    assert difference(old, {"model": {"width": 8}, "seed": 0}) == "model.depth was 2 and is now None"
    assert difference(old, {**old, "more": [1]}) == "more was None and is now [1]"
