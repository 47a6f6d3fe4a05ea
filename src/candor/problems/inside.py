"""What goes into the sandbox with a candidate: the program that calls it, or runs tests beside it.

Tests see what a candidate returns, so both must share a process. This file keeps them apart within it: the candidate
has a thread of its own, below which there is no frame of ours; it is `__main__` itself; what returns is copied into
builtin types, or refused; tests get builtins, modules and helpers as they were before it was loaded; and only a word
that is known to the thread of the tests makes the process above say "passed".

What is left takes a program written against this file. Some ways are short: a class of its own that the tests use has
methods, and an error of its own that they catch has a traceback, from whose frames everything can be reached; ctypes
and a reloaded `sys` or `gc` reach it from anywhere. Tests themselves are fooled where they compare by a class that is
written in Python (`Counter`, `Fraction`) and can be patched, where they look at an argument afterwards, into which
anything may be put, or await what an async function returns. A model that knows none of this will hardly come upon it.
"""

from __future__ import annotations

import _queue
import _thread
import gc
import json
import os
import sys
import types

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, NoReturn

BUILTINS = dict(vars(sys.modules["builtins"]))
if __name__ == "__main__":
    globals()["__builtins__"] = BUILTINS  # what the candidate patches is not what these functions use
STACK = 32 << 20
"""Bytes, as the main thread has."""
LOOPHOLES = {
    sys: ("_current_frames", "_current_exceptions", "addaudithook", "monitoring"),
    gc: ("get_objects", "get_referrers", "callbacks"),
}
"""Ways from one thread to the objects and frames of another, or into it."""
ATOMS = (
    "builtins.bytearray", "builtins.range", "builtins.ellipsis", "builtins.type", "builtins.coroutine", "re.Match",
    "re.Pattern", "array.array", "decimal.Decimal", "datetime.date", "datetime.datetime", "datetime.time",
    "datetime.timedelta", "datetime.timezone",
)  # fmt: skip
"""Types in C that hold nothing of the candidate's own."""


def calls(told: dict[str, Any]) -> NoReturn:
    """Call the candidate on each tuple of arguments, fresh each time, and write what it returned, all or nothing."""
    leave, results = os._exit, []
    try:
        output = os.dup(1)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        module = load(told["parts"], here)
        for arguments in told["arguments"]:
            results.append(encode(plain(getattr(module, told["entry_point"])(*decode(arguments)), here)))
        with open(output, "w") as file:
            json.dump(results, file)
        leave(0)
    finally:
        leave(1)


def tests(told: dict[str, Any]) -> NoReturn:
    """Run the tests in a child, which cannot write where we write; it has to bring back a word to prove their end."""
    write, leave, word, (ours, theirs) = os.write, os._exit, os.urandom(16), os.pipe()
    if child := os.fork():
        os.close(theirs)
        os.waitpid(child, 0)
        os.set_blocking(ours, False)  # a process that the candidate left behind may keep the other end open
        if os.read(ours, 16) == word:
            write(1, b"passed")
        leave(0)
    try:
        os.close(ours)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        program = compile(told["tests"], "tests.py", "exec")
        builtins = BUILTINS | {"__import__": importer(told["modules"])}
        prompt = {"__name__": "prompt", "__builtins__": builtins}
        exec(told["prompt"], prompt)
        call = apart()
        for home, names in LOOPHOLES.items():
            for name in names:
                vars(home).pop(name, None)
        module = load(told["parts"], call)
        known = {
            name: guarded(each, call, classes=name in told["tested"])
            for name, each in vars(module).items()
            if name in told["tested"] or name not in BUILTINS
        }
        for name, each in prompt.items():  # the candidate may have redefined a helper, or the name of a module
            own_class = isinstance(each, type) and each.__module__ == "prompt"
            if name not in told["own"] and not own_class and (callable(each) or isinstance(each, types.ModuleType)):
                known[name] = each
        known["__builtins__"] = builtins
        exec(program, known)
        if told["check"]:
            known["check"](known[told["check"]])
        write(theirs, word)
    finally:
        leave(1)


def importer(modules: list[str]) -> Callable[..., types.ModuleType]:
    """An `__import__` that gives these modules as they are now."""
    usual, kept = BUILTINS["__import__"], {}
    for name in modules:
        try:
            usual(name)
        except ImportError:
            continue
        copy = kept[name] = types.ModuleType(name)
        vars(copy).update(vars(sys.modules[name]))

    def find(name: str, names: Any = None, local: Any = None, fromlist: Any = (), level: int = 0) -> types.ModuleType:
        found: types.ModuleType | None = kept.get(name if fromlist else name.partition(".")[0])
        return found or usual(name, names, local, fromlist, level)

    return find


def apart() -> Callable[..., Any]:
    """A function that has others called in a thread for the candidate, in whose frames there is nothing to find."""
    jobs: Any = _queue.SimpleQueue()
    results: Any = _queue.SimpleQueue()
    us = _thread.get_ident()
    _thread.stack_size(STACK)
    names = {"__builtins__": sys.modules["builtins"]}
    _thread.start_new_thread(types.FunctionType(serve.__code__, names), (jobs, results))

    def call(function: Any, *arguments: Any, **named: Any) -> Any:
        if _thread.get_ident() != us:  # the candidate was given one of its own functions
            return function(*arguments, **named)
        jobs.put((function, arguments, named))
        value, error = results.get()
        if error is not None:
            raise error
        return value

    return call


def serve(jobs: Any, results: Any) -> None:
    """Call what comes, one after the other."""
    while True:
        function, arguments, named = jobs.get()
        try:
            value, error = function(*arguments, **named), None
        except BaseException as raised:
            value, error = None, raised
        del function, arguments, named
        results.put((value, error))
        del value, error


def here(function: Any, *arguments: Any, **named: Any) -> Any:
    """Call it in this thread."""
    return function(*arguments, **named)


def load(parts: list[str], call: Callable[..., Any]) -> types.ModuleType:
    """Run the candidate as a module, with the builtins that it may spoil; to others it is the main one."""
    module = sys.modules["solution"] = sys.modules["__main__"] = types.ModuleType("solution")
    vars(module)["__builtins__"] = sys.modules["builtins"]
    for part in parts:
        call(exec, compile(part, "solution.py", "exec"), vars(module))
    return module


def guarded(each: Any, call: Callable[..., Any], *, classes: bool) -> Any:
    """A function of the candidate that can return nothing of its own making; other things as they are."""
    if not callable(each) or (isinstance(each, type) and not classes):
        return each
    return lambda *arguments, **named: plain(call(each, *arguments, **named), call)


def plain(value: Any, call: Callable[..., Any]) -> Any:
    """A copy in builtin types; TypeError for an object that may lie about itself, or hold one that does."""
    kind = type(value)
    if value is None or kind is bool or kind is int or kind is float or kind is str:
        return value
    copies: dict[Any, Callable[[Any], Any]] = {
        int: int.__pos__, float: float.__pos__, complex: complex.__pos__, str: str.__str__,
        bytes: lambda text: bytes.__getitem__(text, slice(None)),
        dict: lambda every: {plain(key, call): plain(each, call) for key, each in dict.items(every)},
    }  # fmt: skip
    for base, copy in copies.items():
        if issubclass(kind, base):
            return copy(value)
    several: tuple[Any, ...] = (list, tuple, set, frozenset)
    for base in several:
        if issubclass(kind, base):
            return base(plain(each, call) for each in base.__iter__(value))
    flags = type.__dict__["__flags__"].__get__(kind)
    if flags & 1 << 9 and not flags & 1 << 8:  # made at run time and not immutable: the candidate's, or patched by it
        raise TypeError("an object of a class written in Python")
    if kind in (types.FunctionType, types.BuiltinFunctionType, types.MethodType):
        return guarded(value, call, classes=True)
    if kind is type({}.keys()) or kind is type({}.values()) or kind is type({}.items()):
        return getattr(plain(dict(value.mapping), call), f"{kind.__name__.removeprefix('dict_')}")()
    if f"{kind.__module__}.{kind.__qualname__}" in ATOMS:
        return value
    if f"{kind.__module__}.{kind.__qualname__}" == "collections.deque":
        return kind((plain(each, call) for each in list(value)), value.maxlen)
    if hasattr(kind, "__next__"):
        return items(value, call)
    raise TypeError(f"an object of {kind}, which may hold others")


def items(iterator: Any, call: Callable[..., Any]) -> Iterator[Any]:
    """What an iterator of the candidate's yields, each guarded like what a function returns."""
    while True:
        try:
            each = call(next, iterator)
        except StopIteration:
            return
        yield plain(each, call)


def encode(value: Any) -> Any:
    """A plain value as JSON; TypeError for what is no literal."""
    kind = type(value)
    if kind is int and value.bit_length() > 63:
        return {"int": hex(value)}
    if value is None or kind in (bool, int, float, str):
        return value
    if kind is list:
        return [encode(each) for each in value]
    if kind is complex:
        return {"complex": [value.real, value.imag]}
    if kind is bytes:
        return {"bytes": value.hex()}
    if kind is dict:
        return {"dict": [[encode(key), encode(each)] for key, each in value.items()]}
    if kind in (tuple, set, frozenset):
        return {"tuple" if kind is tuple else "set": [encode(each) for each in value]}
    raise TypeError(f"{kind} is no literal")


def decode(value: Any) -> Any:
    """The value that `encode` was given, a frozen set as a set."""
    if isinstance(value, list):
        return [decode(each) for each in value]
    if not isinstance(value, dict):
        return value
    ((tag, inside),) = value.items()
    if tag == "int":
        return int(inside, 16)
    if tag == "bytes":
        return bytes.fromhex(inside)
    if tag == "complex":
        return complex(*inside)
    if tag == "dict":
        return {decode(key): decode(each) for key, each in inside}
    return {"tuple": tuple, "set": set}[tag](decode(each) for each in inside)


if __name__ == "__main__":
    given = json.load(sys.stdin)
    (tests if "tests" in given else calls)(given)
