"""Files on disk: replaced whole or not at all, one writer at a time, every number logged; signatures."""

import hashlib
import json
import multiprocessing
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import docx
import pypdf
import pytest
from PIL import Image

from candor.errors import ConfigError, DataError, KeysError, StorageError
from candor.governance.keys import LocalRing
from candor.governance.labels import (
    CARRIERS,
    Relabelled,
    Style,
    new_label,
    notice,
    public_keys,
    read,
    relabel,
    signing_keys,
    spread,
    verify,
    write,
)
from candor.governance.labels.file import find_files
from candor.governance.labels.log import open_log
from tests.governance.labels.cases import CODE, OTHER, label_of


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "a.md"
    path.write_text("# Title\n\ntext\n")
    return path


def sample(path: Path) -> Path:
    """A small unlabelled file of the kind that its name says."""
    if path.suffix == ".docx":
        docx.Document().save(str(path))
    elif path.suffix == ".pdf":
        writer = pypdf.PdfWriter()
        writer.add_blank_page(300, 200)
        writer.write(path)
    elif path.suffix == ".png":
        Image.new("RGB", (8, 8)).save(path)
    else:
        path.write_text({".json": "{}", ".sse": "data: {}\n\n"}.get(path.suffix, "text\n"))
    return path


def test_a_label_is_written_logged_and_handed_on(page: Path, tmp_path: Path) -> None:
    with open_log(tmp_path / "log.jsonl") as log:
        first = write(page, new_label(CODE), log=log)
        assert (first.how, verify(page).status) == ("labelled", "compliant")
        assert write(page, new_label(CODE), log=log).how == "labelled already"
        handed = write(page, new_label(OTHER), log=log)
    assert (handed.how, handed.label.producer, handed.label.produce_id) == ("handed on", CODE, first.label.produce_id)
    assert (handed.label.propagator, verify(page).status) == (OTHER, "compliant")
    entries = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [one["producer"] for one in entries] == [CODE, OTHER]
    assert entries[-1]["sha256"] == hashlib.sha256(page.read_bytes()).hexdigest()
    assert page.read_text().count("AI生成") == 1


def test_a_number_is_given_once(page: Path, tmp_path: Path) -> None:
    other = tmp_path / "b.md"
    other.write_text("other")
    with open_log(tmp_path / "log.jsonl") as log:
        write(page, label_of("n1"), log=log)
        with pytest.raises(StorageError, match="n1 for another file"):
            write(other, label_of("n1"), log=log)
    assert other.read_text() == "other"


def test_files_of_one_name_in_two_folders_share_no_number(page: Path, tmp_path: Path) -> None:
    other = tmp_path / "deep" / page.name
    other.parent.mkdir()
    other.write_text("other")
    with open_log(tmp_path / "log.jsonl") as log:
        write(page, label_of("n1"), log=log)
        with pytest.raises(StorageError, match="n1 for another file"):
            write(other, label_of("n1"), log=log)
    assert json.loads((tmp_path / "log.jsonl").read_text())["file"] == str(page)


def test_an_answer_in_memory_is_labelled_as_a_file_is() -> None:
    done = relabel(CARRIERS[".md"], b"# Title\n", new_label(CODE, "2"), Style("zh"))
    assert done.label.label == "2" and notice("zh", label="2").text in done.data.decode() and not done.replaced
    handed = relabel(CARRIERS[".md"], done.data, new_label(OTHER))
    assert (handed.label.producer, handed.label.propagator, handed.replaced) == (CODE, OTHER, done.label.json())
    with pytest.raises(ConfigError, match="labelled 2 by you"):
        relabel(CARRIERS[".md"], done.data, new_label(CODE))


def test_of_several_labels_one_is_kept_and_the_log_has_them_all() -> None:
    first, second = label_of("n1"), label_of("n2")
    both = "".join(
        "AIGC:\n" + "".join(f"  {name}: {json.dumps(value)}\n" for name, value in one.values().items())
        for one in (first, second)
    )
    done = relabel(CARRIERS[".md"], f"---\n{both}---\ntext\n".encode(), new_label(CODE))
    assert done.label == first and done.replaced == f"{first.json()} {second.json()}"


def test_a_broken_label_is_replaced_and_the_log_keeps_it(page: Path, tmp_path: Path) -> None:
    page.write_text("---\nAIGC:\n  Label: 1\ntitle: x\n---\ntext\n")
    with open_log(tmp_path / "log.jsonl") as log:
        assert write(page, new_label(CODE), log=log).how == "its broken label replaced"
    assert json.loads((tmp_path / "log.jsonl").read_text())["replaced"] == '{"Label":1}'
    assert verify(page).status == "compliant" and "title: x" in page.read_text()


def test_a_torn_last_line_of_the_log_loses_nothing(page: Path, tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text('{"produce_id": "n7", "at"')
    with open_log(tmp_path / "log.jsonl") as log:
        write(page, label_of("n8"), log=log)
    assert json.loads((tmp_path / "log.jsonl").read_text().splitlines()[1])["produce_id"] == "n8"


def test_what_must_not_be_written_is_left(page: Path, tmp_path: Path) -> None:
    before = page.read_bytes()
    link = tmp_path / "link.md"
    link.symlink_to(page)
    with pytest.raises(StorageError, match="symbolic link"):
        write(link, new_label(CODE))
    page.chmod(0o444)
    with pytest.raises(StorageError, match="read-only"):
        write(page, new_label(CODE))
    page.chmod(0o640)
    with pytest.raises(DataError, match=r"known: \.md"):
        write(tmp_path / "a.exe", new_label(CODE))
    with pytest.raises(DataError, match="No such file"):
        write(tmp_path / "none.md", new_label(CODE))
    for code, why in (("", "needs the producer's code"), (CODE[:-1], "27 characters"), ("x" * 27, "begins with 00")):
        with pytest.raises(ConfigError, match=why):
            new_label(code)
    with pytest.raises(ConfigError, match="another kind"):
        write(page, new_label(CODE), out=tmp_path / "a.txt")
    assert page.read_bytes() == before and len(list(tmp_path.iterdir())) == 2
    write(page, new_label(CODE))
    assert page.stat().st_mode & 0o777 == 0o640


def test_a_label_is_not_changed_and_text_without_any_is_refused(page: Path, tmp_path: Path) -> None:
    write(page, new_label(CODE))
    with pytest.raises(ConfigError, match="labelled 1 by you already"):
        write(page, new_label(CODE, "3"))
    text = tmp_path / "a.txt"
    text.write_text("AI生成\n")
    with pytest.raises(ConfigError, match="no metadata"):
        write(text, new_label(CODE), style=None)
    assert write(text, new_label(CODE)).how == "labelled already"
    write(text, new_label(CODE), sidecar=True)
    assert verify(text).label is not None


@pytest.mark.parametrize("name", ["a.md", "a.html", "a.json", "a.sse", "a.txt", "a.docx", "a.pdf", "a.png"])
@pytest.mark.parametrize("label", ["2", "3"])
def test_notice_and_source_type_say_no_more_than_the_label(name: str, label: str, tmp_path: Path) -> None:
    """Also where it is another's label that is handed on by somebody who asks for "generated"."""
    path = sample(tmp_path / name)
    write(path, new_label(CODE, label), sidecar=True)
    assert not read(path).marks and verify(path).status == "compliant"
    handed = write(path, new_label(OTHER, "1"), sidecar=True)
    assert (handed.label.label, handed.label.propagator) == (label, OTHER)
    if name not in ("a.txt", "a.png"):
        bare = sample(tmp_path / f"bare-{name}")
        write(bare, spread(new_label(CODE, label), OTHER), style=None)
        write(bare, new_label(OTHER.replace("20001", "20002"), "1"), style=Style("zh"))
        path = bare
    assert not read(path).marks
    assert {seen.text for seen in read(path).notices} <= {notice(lang, label=label).text for lang in ("zh", "en")}
    assert verify(path, "both").status == "compliant" or name == "a.txt"


def test_a_source_type_that_is_there_stays_beside_a_doubtful_label(tmp_path: Path) -> None:
    """A camera's; and one that says AI, which is not for us to take away."""
    capture = "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"
    for name, text in (
        ("a.md", f"---\ndigitalSourceType: {capture}\n---\nx\n"),
        ("a.json", f'{{"digitalSourceType":"{capture}"}}'),
    ):
        (tmp_path / name).write_text(text)
        write(tmp_path / name, new_label(CODE, "3"))
        assert [mark.value for mark in read(tmp_path / name).marks] == [capture]
    for name in ("a.docx", "a.pdf", "a.png"):
        path, out = sample(tmp_path / name), tmp_path / f"out-{name}"
        carrier = CARRIERS[path.suffix]
        path.write_bytes(carrier.write(path.read_bytes(), new_label(CODE), None))
        out.write_bytes(carrier.write(path.read_bytes(), new_label(CODE, "3"), None))
        assert read(out).marks == read(path).marks and read(path).marks[0].says_ai


def test_mode_names_and_links(tmp_path: Path) -> None:
    page = tmp_path / "s.md"
    page.write_text("secret")
    page.chmod(0o600)
    write(page, new_label(CODE), out=Path(f"{tmp_path}/./s.md"))
    write(page, new_label(OTHER), out=tmp_path / "other.md")
    assert {one.stat().st_mode & 0o777 for one in tmp_path.iterdir()} == {0o600}
    long = tmp_path / ("长" * 83 + ".md")
    long.write_text("text")
    write(long, new_label(CODE))
    assert verify(long).status == "compliant"
    linked = tmp_path / "linked.md"
    linked.write_text("text")
    os.link(linked, tmp_path / "twin.md")
    with pytest.raises(StorageError, match="hard links"):
        write(linked, new_label(CODE))
    with pytest.raises(StorageError, match="is no folder"):
        write(page, new_label(CODE), out=tmp_path / "nowhere/x.md")


def test_a_propagation_service_hands_on_and_generates_nothing(page: Path) -> None:
    with pytest.raises(ConfigError, match="propagation service"):
        write(page, new_label(OTHER))
    for code in ("00ZZ" + CODE[4:], "0021" + CODE[4:]):
        with pytest.raises(ConfigError, match="not 11"):
            new_label(code)


def test_a_full_disk_leaves_the_file(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = page.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="full"):
        write(page, new_label(CODE))
    assert page.read_bytes() == before and list(tmp_path.iterdir()) == [page]


def test_a_locked_or_torn_document_is_left_as_it_was(tmp_path: Path) -> None:
    locked = sample(tmp_path / "locked.pdf")
    writer = pypdf.PdfWriter(clone_from=pypdf.PdfReader(locked))
    writer.encrypt("", "owner", algorithm="AES-256")
    writer.write(locked)
    torn = sample(tmp_path / "torn.docx")
    torn.write_bytes(torn.read_bytes()[:-1000])
    numbers = tmp_path / "log.jsonl"
    for path, why in ((locked, "is encrypted"), (torn, "torn ZIP")):
        before, names = path.read_bytes(), sorted(tmp_path.iterdir())
        assert verify(path).status == "inconclusive" and why in verify(path).notes[0]
        with open_log(numbers) as log, pytest.raises(DataError, match=why):
            write(path, new_label(CODE), log=log)
        assert path.read_bytes() == before and numbers.read_bytes() == b""
        assert sorted(tmp_path.iterdir()) in (names, sorted([*names, numbers]))


def test_a_file_of_a_gigabyte_is_refused_at_once(tmp_path: Path) -> None:
    huge = tmp_path / "huge.txt"
    with open(huge, "wb") as file:
        file.truncate(2**30)
    assert verify(huge).status == "inconclusive" and "1,024 MiB" in verify(huge).notes[0]
    with pytest.raises(DataError, match="256 MiB"):
        write(huge, new_label(CODE))


def _label(path: Path, number: int) -> None:
    write(path, new_label(CODE, produce_id=f"n{number}"))


def test_two_writers_at_once_leave_one_label(tmp_path: Path) -> None:
    for turn in range(3):
        page = tmp_path / f"{turn}.md"
        page.write_text("text\n" * 2000)
        context = multiprocessing.get_context("fork")
        writers = [context.Process(target=_label, args=(page, number)) for number in range(4)]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
        assert [writer.exitcode for writer in writers] == [0] * 4
        assert verify(page).status == "compliant" and len(read(page).labels) == 1


def test_another_program_that_writes_meanwhile_wins(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from candor.governance.labels import file

    whole = file.relabel

    def slow(*given: Any, **more: Any) -> Relabelled:
        done = whole(*given, **more)
        page.write_text("changed by an editor")
        return done

    monkeypatch.setattr(file, "relabel", slow)
    with pytest.raises(StorageError, match="changed while"):
        write(page, new_label(CODE))
    assert page.read_text() == "changed by an editor"


def test_signatures(page: Path) -> None:
    old = signing_keys(LocalRing("label", {1: bytes(range(32))}))
    rotated = signing_keys(LocalRing("label", {1: bytes(range(32)), 3: bytes(range(1, 33))}))
    public = public_keys(rotated.published(), "public.json")
    assert list(old.public) == list(public.public)[:1] and not public.private
    write(page, new_label(CODE), keys=old)
    verdict = verify(page, keys=public)
    assert verdict.signatures == {"ReservedCode1": "valid", "ReservedCode2": "not signed"}
    write(page, new_label(OTHER), keys=rotated)
    assert verify(page, keys=public).signatures == {"ReservedCode1": "valid", "ReservedCode2": "valid"}
    stranger = signing_keys(LocalRing("label", {1: bytes(32)}))
    assert verify(page, keys=stranger).notes[0].startswith("ReservedCode1 is signed with a key")
    forged = page.read_text().replace(verdict.label.produce_id if verdict.label else "", "0" * 32)
    page.write_text(forged)
    verdict = verify(page, keys=public)
    assert verdict.status == "noncompliant" and verdict.problems[0].clause == "TC260-PG-202511A"
    with pytest.raises(KeysError, match="verifying only"):
        public.sign(label_of())
    with pytest.raises(ConfigError, match="--ring label"):
        signing_keys(LocalRing("watermark", {1: bytes(32)}))


def test_a_signature_is_the_one_of_rfc_8032() -> None:
    """The secret of a ring is the seed itself: test 1 of its section 7.1."""
    seed = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    (public,) = signing_keys(LocalRing("label", {1: seed})).published().values()
    assert public == "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"


def test_the_signed_string_is_the_prescribed_one() -> None:
    label = replace(label_of("n1"), reserved1="x")
    assert label.signed_text() == f'"Label":"1","ContentProducer":"{CODE}","ProduceID":"n1"'
    assert label.spread_text() == f'"Label":"1","ContentPropagator":"{CODE}","PropagateID":"n1"'


@pytest.mark.parametrize("published", [[], {}, "x", {"a": 1}, {"a": "00"}, {"a": "zz" * 32}])
def test_what_holds_no_public_keys_is_named(published: object) -> None:
    with pytest.raises(KeysError, match=r"keys\.json holds no public keys"):
        public_keys(published, "keys.json")


def test_a_sidecar_beside_plain_text(tmp_path: Path) -> None:
    text = tmp_path / "a.txt"
    text.write_text("text\n")
    label = write(text, new_label(CODE), sidecar=True, style=Style("zh")).label
    assert verify(text).label == label and verify(text).status == "compliant"
    (tmp_path / "a.txt.aigc.json").write_text('{"AIGC": {"Label": 1}}')
    assert verify(text).status == "noncompliant"
    assert find_files([tmp_path]) == [text]
