"""The source that every machine has: the documentation and the library of the Python that runs.

Three parts, none of which repeats another: the language reference of `pydoc_data`, the sources of the standard library
(their docstrings stand in them), and the docstrings of built-in and C modules, which have no Python source. Left out:
tests, and tables written by programs (encodings, the reference again as a source).
"""

import importlib
import importlib.util
import inspect
import sys
import sysconfig
import tokenize
import warnings
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from candor.records import Document

_LEFT_OUT = {
    "__pycache__", "config", "encodings", "ensurepip", "idle_test", "lib-dynload", "lib2to3", "pydoc_data",
    "site-packages", "dist-packages", "test", "tests", "turtledemo",
}  # fmt: skip
_LICENCE = "PSF-2.0"


def python_docs() -> Iterator[Document]:
    """The documents of the running Python, in a fixed order."""
    for text, origin in chain(_topics(), _sources(), _docstrings()):
        if len(text.strip()) >= 80:
            yield Document(text, "python-docs", origin, _LICENCE)


def _topics() -> Iterator[tuple[str, str]]:
    """The language reference, topic by topic; some distributions ship none."""
    try:
        from pydoc_data.topics import topics
    except ImportError:
        return
    for name in sorted(topics):
        yield topics[name], f"topics/{name}"


def _sources() -> Iterator[tuple[str, str]]:
    """The modules of the standard library as they are written."""
    library = Path(sysconfig.get_paths()["stdlib"])
    for file in sorted(library.rglob("*.py")):
        parts = file.relative_to(library).parts
        if any(part in _LEFT_OUT or part.startswith("config-") for part in parts):
            continue
        try:
            with tokenize.open(file) as source:
                yield source.read(), f"Lib/{'/'.join(parts)}"
        except (OSError, SyntaxError, UnicodeDecodeError):
            continue  # a file of the distribution's own making; the library's are all readable


def _docstrings() -> Iterator[tuple[str, str]]:
    """One document per built-in or C module: its docstring and those of its classes, methods and functions."""
    for name in sorted({"builtins", *sys.stdlib_module_names}):
        if name.startswith("_test") or name in ("antigravity", "this", "idlelib"):
            continue
        spec = importlib.util.find_spec(name) if name not in sys.builtin_module_names else None
        if spec is not None and not str(spec.origin).endswith((".so", ".pyd")):
            continue
        if spec is None and name not in sys.builtin_module_names:
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                module = importlib.import_module(name)
        except ImportError:
            continue  # needs a library that this machine does not have
        yield "\n\n".join(_module_docs(module)), f"docstrings/{name}"


def _module_docs(module: object) -> Iterator[str]:
    seen: set[str] = set()
    if doc := inspect.getdoc(module):
        yield doc
    for name, value in sorted(vars(module).items()):
        value = vars(module).get(f"__{name}__", value)  # where sys keeps the hooks that tools replace
        members = [(name, value)]
        if inspect.isclass(value):
            members += [(f"{name}.{key}", member) for key, member in sorted(vars(value).items())]
        for label, member in members:
            doc = getattr(member, "__doc__", None)
            if not label.startswith("_") and isinstance(doc, str) and callable(member) and doc not in seen:
                seen.add(doc)
                yield f"{label}\n{inspect.cleandoc(doc)}"
