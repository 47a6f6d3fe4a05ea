"""The documentation that every Python has: the same in every process, with its licence, without tests."""

import hashlib
import importlib.util
import math
import re
import subprocess
import sys
from pathlib import Path
from pydoc_data.topics import topics

import pytest

from candor.data import SourceConfig, read_documents
from candor.records import Document

DIGEST = """
import hashlib
from candor.data.python_docs import python_docs
print(hashlib.sha256(" ".join(f"{document.origin} {document.id}" for document in python_docs()).encode()).hexdigest())
"""


@pytest.fixture(scope="module")
def documents() -> dict[str, Document]:
    """By origin, which is theirs alone."""
    found = list(read_documents(SourceConfig()))
    by_origin = {document.origin: document for document in found}
    assert len(by_origin) == len(found)
    return by_origin


def test_every_document_has_its_source_and_licence(documents: dict[str, Document]) -> None:
    assert {(document.source, document.licence, document.kind) for document in documents.values()} == {
        ("python-docs", "PSF-2.0", "public")
    }
    assert all(len(document.text.strip()) >= 80 for document in documents.values())


def test_the_language_reference_is_there(documents: dict[str, Document]) -> None:
    expected = {f"topics/{name}": text for name, text in topics.items() if len(text.strip()) >= 80}
    assert len(expected) > 50
    found = {origin: document.text for origin, document in documents.items() if origin.startswith("topics/")}
    assert found == expected


def test_sources_are_those_of_the_library(documents: dict[str, Document]) -> None:
    for name in ("json.decoder", "argparse", "asyncio.events", "email.message", "typing"):
        spec = importlib.util.find_spec(name)
        assert spec and spec.origin
        origin = "Lib/" + name.replace(".", "/") + ".py"
        assert documents[origin].text == Path(spec.origin).read_text(encoding="utf-8")
    assert sum(origin.startswith("Lib/") for origin in documents) > 300


def test_c_modules_give_their_docstrings(documents: dict[str, Document]) -> None:
    assert math.hypot.__doc__ and math.hypot.__doc__ in documents["docstrings/math"].text
    assert "str.removeprefix\n" in documents["docstrings/builtins"].text
    assert str.removeprefix.__doc__ and str.removeprefix.__doc__ in documents["docstrings/builtins"].text
    assert "docstrings/json" not in documents  # its docstrings stand in its source


def test_no_tests_no_tables_and_nothing_that_was_installed(documents: dict[str, Document]) -> None:
    unwanted = re.compile(r"(^|/)(tests?|idle_test|site-packages|dist-packages|encodings|__pycache__|_test\w*)(/|$)")
    assert [origin for origin in documents if unwanted.search(origin)] == []
    assert not any(origin.endswith("pydoc_data/topics.py") for origin in documents)


def test_another_process_gives_the_same(documents: dict[str, Document]) -> None:
    """Neither the order of sets nor what else is imported matters."""
    run = subprocess.run(
        [sys.executable, "-c", DIGEST], env={"PYTHONHASHSEED": "1"}, capture_output=True, text=True, timeout=60
    )
    assert run.returncode == 0, run.stderr
    here = " ".join(f"{origin} {document.id}" for origin, document in documents.items())
    assert run.stdout.strip() == hashlib.sha256(here.encode()).hexdigest()
