"""Documents and folders are known by the hash of their bytes, whoever computes it."""

import hashlib
import json
import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from candor import files, records
from candor.errors import DataError
from candor.records import Document, Provenance


def test_the_id_of_a_document_is_the_sha256_of_its_utf8_text() -> None:
    abc = Document("abc", source="x", origin="y")
    assert abc.id == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2, appendix B.1
    assert Document("北京😀", "x", "y").id == hashlib.sha256(b"\xe5\x8c\x97\xe4\xba\xac\xf0\x9f\x98\x80").hexdigest()
    assert abc.id == Document("abc", "other", "place", "MIT", "licensed").id
    assert abc.id != Document("abc\n", "x", "y").id


def filled(folder: Path) -> Provenance:
    """A folder of two files and its record."""
    (folder / "deep").mkdir(parents=True)
    (folder / "b").write_text("two")
    (folder / "deep" / "a").write_text("one")
    record = Provenance("tokens", {"corpus": "5a1c"}, {"fim_rate": 0.1, "sizes": [1, 2]}, 7, files.checksums(folder))
    record.write(folder)
    return record


def test_a_record_comes_back_as_written(tmp_path: Path) -> None:
    record = filled(tmp_path)
    assert Provenance.read(tmp_path) == record
    assert json.loads((tmp_path / "provenance.json").read_text())["outputs"] == {
        "b": hashlib.sha256(b"two").hexdigest(),
        "deep/a": hashlib.sha256(b"one").hexdigest(),
    }
    written = datetime.fromisoformat(record.time)
    assert written.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - written) < timedelta(minutes=1)


def test_the_digest_depends_on_the_outputs_alone() -> None:
    first = Provenance("a", {}, {}, 0, {"x": "11", "y": "22"}, code="1", time="then")
    assert first.digest == hashlib.sha256(b"x 11\ny 22").hexdigest()
    assert first.digest == Provenance("b", {"i": "j"}, {"k": 1}, 1, {"y": "22", "x": "11"}, "2", "now").digest
    assert first.digest != Provenance("a", {}, {}, 0, {"x": "11", "y": "23"}, "1", "then").digest
    assert first.digest != Provenance("a", {}, {}, 0, {"x": "22", "y": "11"}, "1", "then").digest


def test_made_by_asks_for_stage_inputs_settings_and_seed(tmp_path: Path) -> None:
    filled(tmp_path)
    record = Provenance.read(tmp_path)
    assert record.made_by("tokens", {"corpus": "5a1c"}, {"sizes": [1, 2], "fim_rate": 0.1}, 7)
    assert not record.made_by("corpus", {"corpus": "5a1c"}, {"fim_rate": 0.1, "sizes": [1, 2]}, 7)
    assert not record.made_by("tokens", {"corpus": "5a1d"}, {"fim_rate": 0.1, "sizes": [1, 2]}, 7)
    assert not record.made_by("tokens", {"corpus": "5a1c"}, {"fim_rate": 0.2, "sizes": [1, 2]}, 7)
    assert not record.made_by("tokens", {"corpus": "5a1c"}, {"fim_rate": 0.1, "sizes": [1, 2]}, 8)


def test_verify_names_the_first_file_that_is_missing_or_changed(tmp_path: Path) -> None:
    record = filled(tmp_path)
    record.verify(tmp_path)
    (tmp_path / "deep" / "a").write_text("onf")
    with pytest.raises(DataError, match=r"damaged: deep/a was truncated or changed \(checksum differs\); delete"):
        record.verify(tmp_path)
    (tmp_path / "deep" / "a").unlink()
    with pytest.raises(DataError, match=r"damaged: deep/a is missing; delete"):
        record.verify(tmp_path)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "does not exist"),
        ("{", "cannot be read as JSON"),
        ("[]", "has another form; delete"),
        ("{}", "has another form; delete"),
        ('{"stage": "x", "inputs": {}, "config": {}, "seed": 0, "outputs": {}, "more": 1}', "has another form; delete"),
    ],
)
def test_a_record_of_another_form_is_one_line(tmp_path: Path, content: str | None, says: str) -> None:
    if content is not None:
        (tmp_path / "provenance.json").write_text(content)
    with pytest.raises(DataError) as caught:
        Provenance.read(tmp_path)
    assert f"{tmp_path / 'provenance.json'} {says}" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_code_version_changes_with_every_source_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Taken on a copy of the package, whose files are changed one after the other."""
    package = Path(records.__file__).parent
    copy = tmp_path / "candor"
    shutil.copytree(package, copy, ignore=shutil.ignore_patterns("__pycache__"))
    before = records.code_version()
    monkeypatch.setattr(records, "__file__", str(copy / "records.py"))

    def version() -> str:
        return records.code_version.__wrapped__()

    assert version() == before
    assert before.startswith(f"{records.__version__}+")
    every = [Path(place) / name for place, _, names in os.walk(copy) for name in names]
    sources = [path for path in every if path.name not in ("py.typed", "LICENSE")]  # which decide nothing
    assert {path.suffix for path in sources} <= {".py", ".jinja", ".md", ".cpp", ".json", ".npz", ".ttf"}, (
        "a kind of source that is not hashed"
    )
    seen = {before}
    for path in sources:
        content = path.read_bytes()
        path.write_bytes(content + b"\n")
        seen.add(version())
        path.write_bytes(content)
    assert len(seen) == 1 + len(sources)
    (copy / "files.py").rename(copy / "filed.py")
    assert version() not in seen
    (copy / "filed.py").rename(copy / "files.py")
    (copy / "__pycache__").mkdir()
    (copy / "__pycache__" / "files.pyc").write_bytes(b"compiled")
    assert version() == before
