"""Typed configuration: a tree of frozen dataclasses, overridden one field at a time.

A recipe is a Python function that returns such a tree; `--set model.num_hidden_layers=6` changes one field with its
type checked. tyro was tried for this: it wants `True` for `true` and several words for one tuple, and its errors are
boxes rather than lines, so the walk over dotted names is done here.
"""

import ast
import dataclasses
import difflib
import inspect
import itertools
import json
import textwrap
import types
import typing
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

from candor.errors import ConfigError

C = TypeVar("C")


def override(config: C, *assignments: str) -> C:
    """Return `config` with fields replaced; it is checked once all of them are in place.

    >>> override(ModelConfig(...), "num_hidden_layers=6", "first_k_dense_replace=2")

    An assignment is `dotted.name=value`. Values: numbers (`3e-4`, `1_000`), `true|false`, `none`, plain text, and for
    tuples `a,b`. Raises ConfigError for an unknown name (with the nearest one) or a value of the wrong type.
    """
    tree: dict[str, Any] = {}
    for assignment in assignments:
        name, separator, text = assignment.partition("=")
        if not separator:
            raise ConfigError(f"--set {assignment!r} has no '='; write --set name=value, for example --set seed=1")
        *groups, last = name.strip().split(".")
        place = tree
        for group in groups:
            if not isinstance(place.setdefault(group, {}), dict):
                place[group] = {}
            place = place[group]
        place[last] = text.strip()
    return _replace(config, tree, "")


def _replace(config: Any, tree: dict[str, Any], prefix: str) -> Any:
    kinds, changes = typing.get_type_hints(type(config)), {}
    names = [field.name for field in dataclasses.fields(config)]
    for name, change in tree.items():
        full_name = prefix + name
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
            hint = f"did you mean '{near[0]}'?" if near else f"known here: {', '.join(names)}"
            raise ConfigError(f"--set {full_name}: there is no field '{name}' in {type(config).__name__}; {hint}")
        if not isinstance(change, dict):
            changes[name] = _parse(change, kinds[name], full_name)
            continue
        group = getattr(config, name)
        if isinstance(group, tuple) and all(map(dataclasses.is_dataclass, group)):
            changes[name] = _replace_in(group, change, full_name)
            continue
        if group is None:  # an optional group: its defaults, then the change
            group = next(
                (kind() for kind in get_args(kinds[name]) if isinstance(kind, type) and dataclasses.is_dataclass(kind)),
                None,
            )
        if not dataclasses.is_dataclass(group):
            raise ConfigError(
                f"--set {full_name}.{next(iter(change))}: {full_name} is a plain value; stop the name there"
            )
        changes[name] = _replace(group, change, f"{full_name}.")
    return dataclasses.replace(config, **changes)


def _replace_in(groups: tuple[Any, ...], tree: dict[str, Any], name: str) -> tuple[Any, ...]:
    """Change groups in a row by their places, from 0; `none` takes one out."""
    changed: list[Any] = list(groups)
    for place, change in tree.items():
        if place in map(str, range(len(groups))) and change == "none":
            changed[int(place)] = None
        elif place not in map(str, range(len(groups))) or not isinstance(change, dict):
            last = len(groups) - 1
            raise ConfigError(
                f"--set {name}.{place}: {name} is a row of {len(groups)}; write {name}.0.FIELD=..."
                + (f" to {name}.{last}.FIELD=..." if last > 0 else "")
            )
        else:
            changed[int(place)] = _replace(groups[int(place)], change, f"{name}.{place}.")
    return tuple(group for group in changed if group is not None)


def _parse(text: str, kind: Any, name: str) -> Any:
    origin, args = get_origin(kind), get_args(kind)
    wrong = ConfigError(f"--set {name}: {text!r} is not {_describe(kind)}")
    if origin in (Union, types.UnionType):
        if type(None) in args and text.lower() in ("none", "null", ""):
            return None
        for arg in args:
            if arg is not type(None):
                try:
                    return _parse(text, arg, name)
                except ConfigError:
                    continue
        raise wrong
    if origin is Literal:
        for arg in args:
            if text == str(arg):
                return arg
        raise wrong
    if origin is tuple:
        items = [item.strip() for item in text.strip("()[] ").split(",") if item.strip()]
        if len(args) == 2 and args[1] is Ellipsis:
            return tuple(_parse(item, args[0], name) for item in items)
        if len(items) != len(args):
            raise wrong
        return tuple(_parse(item, arg, name) for item, arg in zip(items, args, strict=True))
    if dataclasses.is_dataclass(kind):
        fields = ", ".join(f"{name}.{field.name}" for field in dataclasses.fields(kind))
        raise ConfigError(f"--set {name}: is a group; set one of {fields}")
    try:
        if kind is bool:
            return {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}[text.lower()]
        if kind is int:
            number = float(text.replace("_", "")) if any(c in text for c in ".eE") else int(text)
            if number != int(number):
                raise wrong
            return int(number)
        return kind(text)
    except (KeyError, ValueError, OverflowError):
        raise wrong from None


def _describe(kind: Any) -> str:
    origin, args = get_origin(kind), get_args(kind)
    if origin is Literal:
        return "one of " + ", ".join(str(arg) for arg in args)
    if origin in (Union, types.UnionType):
        return " or ".join(_describe(arg) for arg in args)
    if origin is tuple:
        return "a comma-separated list, like " + ",".join(_describe(arg) for arg in args if arg is not Ellipsis)
    named = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}
    return named.get(kind, "none" if kind is type(None) else getattr(kind, "__name__", str(kind)))


def to_dict(config: Any) -> dict[str, Any]:
    """The tree as plain JSON values (paths as text, tuples as lists), as it stands in `provenance.json`."""
    plain: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(config), default=str))
    return plain


def check(config: Any, prefix: str = "") -> None:
    """Compare every field of the tree with its annotation: recipes are Python, where nothing else does."""
    kinds = typing.get_type_hints(type(config))
    for field in dataclasses.fields(config):
        value, name = getattr(config, field.name), prefix + field.name
        if dataclasses.is_dataclass(value):
            check(value, f"{name}.")
        elif isinstance(value, tuple) and value and all(map(dataclasses.is_dataclass, value)):
            for place, one in enumerate(value):
                check(one, f"{name}.{place}.")
        elif not _fits(value, kinds[field.name]):
            raise ConfigError(f"{name}={value!r} is not {_describe(kinds[field.name])}")


def _fits(value: Any, kind: Any) -> bool:
    origin, args = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return any(_fits(value, arg) for arg in args)
    if origin is Literal:
        return value in args
    if origin is tuple:
        each = [args[0]] * len(value) if args[1:] == (Ellipsis,) else list(args)
        return isinstance(value, tuple) and len(value) == len(each) and all(map(_fits, value, each))
    if kind in (int, float):
        return isinstance(value, (int, kind)) and not isinstance(value, bool)
    return isinstance(value, kind)


def difference(old: Any, new: Any, name: str = "") -> str:
    """The first setting in which two trees of plain values differ, with both values; "" where they are equal."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in (*new, *(key for key in old if key not in new)):
            if found := difference(old.get(key), new.get(key), f"{name}.{key}" if name else key):
                return found
        return ""
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new) and isinstance((*old, None)[0], dict):
        return difference(dict(enumerate(old)), dict(enumerate(new)), name)
    return "" if old == new else f"{name} was {old!r} and is now {new!r}"


def field_docs(cls: type) -> dict[str, str]:
    """Field name -> the sentence that stands under it in the source of the dataclass."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(cls)))
    body = tree.body[0].body  # type: ignore[attr-defined]
    docs = {}
    for here, below in itertools.pairwise(body):
        if isinstance(here, ast.AnnAssign) and isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant):
            docs[here.target.id] = " ".join(str(below.value.value).split())  # type: ignore[union-attr]
    return docs


def describe(config: Any, prefix: str = "") -> list[tuple[str, str, str]]:
    """Flatten the tree to rows (dotted name, value, what the field means) for `--dry-run`."""
    docs, rows = field_docs(type(config)), []
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if dataclasses.is_dataclass(value):
            rows += describe(value, f"{prefix}{field.name}.")
        elif isinstance(value, tuple) and value and all(map(dataclasses.is_dataclass, value)):
            for place, one in enumerate(value):
                rows += describe(one, f"{prefix}{field.name}.{place}.")
        else:
            rows.append((prefix + field.name, str(value), docs.get(field.name, "")))
    return rows
