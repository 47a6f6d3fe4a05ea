"""A build gives the same bytes whatever ran it and however often it was killed, and says what goes wrong."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from candor import files
from candor.data import CorpusConfig, SourceConfig, build_corpus, read_corpus
from candor.data import build as building
from candor.data.benchmarks import BenchmarksConfig
from candor.data.bias import BalanceConfig
from candor.data.corpus import read_rejects, verify
from candor.data.minhash import MinHashConfig
from candor.data.steps import StepsConfig
from candor.errors import DataError, StorageError
from tests.conftest import file_size_limit
from tests.data import killed
from tests.data.conftest import jsonl

CHANCE = random.Random(0)
_PARTS = ("ri", "ver", "sto", "ne", "clo", "gar", "den", "win", "dow", "bri", "let", "mar", "ket", "ter", "mor", "nin")
_NAMES = [one + two + three for one in _PARTS for two in _PARTS for three in _PARTS]
_VERBS = "finds sees carries builds opens follows remembers paints leaves keeps".split()


def sentence(chance: random.Random) -> str:
    one, two, three = chance.choices(_NAMES, k=3)
    return f"The {one} of the {two} {chance.choice(_VERBS)} a {three}, and it is {chance.randrange(10**6)} days old."


def prose(chance: random.Random, sentences: int = 12) -> str:
    """Text that the rules of quality have nothing against."""
    return "\n".join(" ".join(sentence(chance) for _ in range(4)) for _ in range(sentences // 4))


def planted(place: Path) -> Path:
    """Sources with something for every step: good prose, copies, near copies, short and repeated texts."""
    chance = random.Random(1)
    rows = [prose(chance) for _ in range(150)]
    rows += [
        rows[3],
        rows[5] + " ",
        rows[7].replace(" a ", " the ", 1),
        "too short",
        "They said it again and again and to the last.\n" * 30,
    ]
    rows += [prose(chance, 8) + "\n" + rows[9]]
    place.mkdir(parents=True, exist_ok=True)
    jsonl(place / "prose.jsonl", rows)
    jsonl(place / "any.jsonl", [f"{number} " + prose(chance, 4) for number in range(100)] + rows[20:23])
    return place


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus built by one process without a break."""
    place = planted(tmp_path_factory.mktemp("once"))
    subprocess.run([sys.executable, "-m", "tests.data.killed", place, "1"], check=True)
    assert len(list((place / "corpus").glob("train-*.parquet"))) > 1
    return place


def moved(once: Path, place: Path) -> Path:
    """The same sources under the same name: the name of a source is in the corpus."""
    os.symlink(once / "prose.jsonl", place / "prose.jsonl")
    os.symlink(once / "any.jsonl", place / "any.jsonl")
    return place


def test_every_document_is_somewhere_and_says_why(once: Path) -> None:
    folder = once / "corpus"
    kept = [*read_corpus(folder, "train"), *read_corpus(folder, "heldout")]
    rejected = list(read_rejects(folder))
    came = Counter((row["source"], row["origin"]) for row in rejected) + Counter((d.source, d.origin) for d in kept)
    lines = {name: (once / name).read_bytes().count(b"\n") for name in ("prose.jsonl", "any.jsonl")}
    expected = {(str(once / name), f"{name}:{n}") for name, count in lines.items() for n in range(1, count + 1)}
    assert set(came) == expected and set(came.values()) == {1}
    manifest = files.read_json(folder / "manifest.json")
    assert manifest["rejected"] == dict(Counter(row["reason"] for row in rejected))
    assert {"copies", "near_copies", "quality.words", "quality.repeated_lines"} <= set(manifest["rejected"])
    assert manifest["changes"]["passages"] == 1 and [d.origin for d in kept if d.changes] == ["prose.jsonl:156"]
    passed = {Path(d.source).name: d.steps for d in kept}
    assert "quality/1" in passed["prose.jsonl"] and "quality" not in passed["any.jsonl"]
    for source in manifest["sources"]:
        assert source["kept"] == sum(d.source == source["path"] for d in kept)
    assert verify(folder) == []


def _build(place: Path, once: Path, workers: int, engine: str = "local") -> subprocess.Popen[bytes]:
    """Sources are named by their paths, so every build reads the same ones and writes elsewhere."""
    code = (
        "import sys; from pathlib import Path; from tests.data import killed; from candor.data import build_corpus\n"
        "if __name__ == '__main__':\n"
        "    killed.small()\n"
        "    build_corpus(killed.config(Path(sys.argv[1])), Path(sys.argv[2]), workers=int(sys.argv[3]), "
        "engine=sys.argv[4])\n"
    )
    script = place / "script.py"
    script.write_text(code)
    (place / "corpus").mkdir(exist_ok=True)
    path = os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(
        [sys.executable, script, once, place / "corpus", str(workers), engine],
        env=os.environ | {"PYTHONPATH": path},
        start_new_session=True,
    )


@pytest.mark.parametrize("workers", [2, 3])
def test_processes_give_the_same_bytes(once: Path, tmp_path: Path, workers: int) -> None:
    assert _build(tmp_path, once, workers).wait() == 0
    assert contents(tmp_path / "corpus") == contents(once / "corpus")


@pytest.mark.slow
def test_ray_gives_the_same_bytes(once: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray")
    assert _build(tmp_path, once, 2, "ray").wait() == 0
    assert contents(tmp_path / "corpus") == contents(once / "corpus")


@pytest.mark.slow
def test_killed_at_any_moment_it_ends_in_the_same_bytes(once: Path, tmp_path: Path) -> None:
    """`kill -9` of the whole group of processes at random moments; 50 times in all, over builds that all end alike."""
    chance, kills, builds = random.Random(2), 0, 0
    wanted = 50 if os.environ.get("CANDOR_SOAK") else 12
    while kills < wanted:
        place = tmp_path / str(builds)
        place.mkdir()
        while True:
            process = _build(place, once, 1 + kills % 2)
            # It starts in a second or two, and works for as long.
            try:
                assert process.wait(chance.uniform(1, 6) if kills < wanted else None) == 0
                break
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                kills += 1
        assert contents(place / "corpus") == contents(once / "corpus")
        builds += 1


@pytest.mark.slow
def test_a_killed_worker_costs_its_task_alone(once: Path, tmp_path: Path) -> None:
    process = _build(tmp_path, once, 2)
    killed_workers = 0
    while process.poll() is None:
        children = [
            int(line)
            for line in subprocess.run(
                ["pgrep", "-P", str(process.pid), "-f", "spawn_main"], capture_output=True, text=True
            ).stdout.split()
        ]
        if children and killed_workers < 3 and list((tmp_path / "corpus").glob(".work/*/0*")):
            os.kill(children[0], signal.SIGKILL)
            killed_workers += 1
            time.sleep(1.0)
        time.sleep(0.02)
    assert process.returncode == 0 and killed_workers > 0
    assert contents(tmp_path / "corpus") == contents(once / "corpus")


def test_a_damaged_unit_is_made_again(once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a kill or a disk left torn below `.work` is seen by its checksum."""
    killed.small()
    folder = tmp_path / "corpus"
    folder.mkdir()

    def stop(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(building, "write_unit", stop)
    with pytest.raises(KeyboardInterrupt):
        build_corpus(killed.config(once), folder)
    monkeypatch.undo()
    killed.small()
    units = sorted((folder / ".work" / "read").iterdir())
    (units[0] / "kept.parquet").write_bytes(b"torn")
    (units[1] / "receipt.json").write_text("{")
    (units[2] / "exact.npy").unlink()
    build_corpus(killed.config(once), folder)
    assert contents(folder) == contents(once / "corpus")


def test_another_plan_begins_anew(once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another setting, or another content of a file that a step reads: nothing of the earlier build is taken over."""
    killed.small()
    folder = tmp_path / "corpus"
    folder.mkdir()
    bank = tmp_path / "bank.txt"
    bank.write_text("zyxxy\n")
    config = killed.config(once)
    config = replace(config, steps=replace(config.steps, keywords=(str(bank),), max_harmful_share=1.0))

    def stop(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(building, "write_unit", stop)
        build_corpus(config, folder)
    bank.write_text("days old\n")
    with pytest.raises(DataError, match="keywords rejects"):  # what the changed bank does to everything
        build_corpus(config, folder)
    build_corpus(killed.config(once), folder)
    assert contents(folder) == contents(once / "corpus")


def test_a_source_that_changes_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = jsonl(tmp_path / "x.jsonl", [prose(CHANCE) for _ in range(10)])
    real = building.write_unit

    def meddle(*arguments: Any) -> Any:
        path.write_text(path.read_text() + "\n")
        return real(*arguments)

    monkeypatch.setattr(building, "write_unit", meddle)
    (tmp_path / "corpus").mkdir()
    with pytest.raises(DataError, match=r"changed while .* was built"):
        build_corpus(CorpusConfig((SourceConfig(str(path), form="made"),)), tmp_path / "corpus")
    assert not list((tmp_path / "corpus").glob("*.parquet"))


def test_two_at_once(once: Path, tmp_path: Path) -> None:
    (tmp_path / "corpus").mkdir()
    with files.lock(tmp_path / "corpus" / ".work"), pytest.raises(StorageError, match="in use by another"):
        build_corpus(killed.config(once), tmp_path / "corpus")


def test_empty_texts_are_told(tmp_path: Path) -> None:
    folder = made(tmp_path, ["", "one text", " \n", "another text"], form="made")
    assert {row["origin"]: row["reason"] for row in read_rejects(folder)} == {
        "x.jsonl:1": "source.empty",
        "x.jsonl:3": "source.empty",
    }
    assert verify(folder) == []


def test_signs_without_words_are_not_alike(tmp_path: Path) -> None:
    folder = made(tmp_path, ["!!! ???", "+++ ---", "... ...", "!!! ???"], form="any")
    assert [row["reason"] for row in read_rejects(folder)] == ["copies"]


@pytest.mark.parametrize("unit", [10**6, 500])
def test_what_a_cut_makes_equal_is_rejected_with_its_reason(
    tmp_path: Path, unit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one unit, and in two."""
    monkeypatch.setattr(building, "_UNIT_BYTES", unit)
    chance = random.Random(8)
    first, second, tail = (" ".join(chance.choices(_NAMES, k=count)) for count in (60, 60, 45))
    folder = made(
        tmp_path, [first, second, f"{first} {tail}", f"{second} {tail}"], "code", minhash=MinHashConfig(bands=0)
    )
    kept = [*read_corpus(folder, "train"), *read_corpus(folder, "heldout")]
    assert sorted(document.text.strip() for document in kept) == sorted([first, second, tail])
    assert [(row["origin"], row["reason"]) for row in read_rejects(folder)] == [("x.jsonl:4", "copies.after_cut")]
    manifest = files.read_json(folder / "manifest.json")
    assert manifest["sources"][0]["kept"] == 3 and verify(folder) == []


def test_no_passage_is_lost_with_the_first_that_had_it(tmp_path: Path) -> None:
    chance = random.Random(9)
    words = [" ".join(chance.choices(_NAMES, k=count)) for count in (200, 80, 60, 150)]
    rows = [f"{words[0]} {words[1]}", f"{words[1]} {words[2]}", f"{words[3]} {words[2]}"]
    folder = made(tmp_path, rows, form="code", passage=50, minhash=MinHashConfig(bands=0))
    text = " ".join(d.text for d in [*read_corpus(folder, "train"), *read_corpus(folder, "heldout")])
    assert all(text.count(passage) == 1 for passage in words)


def test_a_step_that_drops_all_of_one_source_stops(tmp_path: Path) -> None:
    """Whatever the others keep."""
    good = SourceConfig(str(jsonl(tmp_path / "a.jsonl", [f"made {number}" for number in range(300)])), form="made")
    bad = SourceConfig(str(jsonl(tmp_path / "b.jsonl", [f"short {number}" for number in range(40)])), form="prose")
    (tmp_path / "corpus").mkdir()
    with pytest.raises(DataError, match=r"quality rejects 40 of 40 documents of .*b\.jsonl, mostly as quality.words"):
        build_corpus(CorpusConfig((good, bad)), tmp_path / "corpus")


@pytest.mark.parametrize("limit", [2**9, 2**12, 2**13, 2**15])
def test_a_disk_that_refuses_is_one_line_and_leaves_no_shard(once: Path, tmp_path: Path, limit: int) -> None:
    killed.small()
    (tmp_path / "corpus").mkdir()
    with pytest.raises(StorageError, match="the file would exceed the allowed size") as caught, file_size_limit(limit):
        build_corpus(killed.config(once), tmp_path / "corpus")
    assert "\n" not in str(caught.value)
    assert not list((tmp_path / "corpus").glob("*.parquet"))
    build_corpus(killed.config(once), tmp_path / "corpus")  # there is room again
    assert contents(tmp_path / "corpus") == contents(once / "corpus")


# What the steps are told to do.


def made(place: Path, rows: list[str], form: str = "prose", **settings: Any) -> Path:
    place.mkdir(exist_ok=True, parents=True)
    source = SourceConfig(str(jsonl(place / "x.jsonl", rows)), form=form, licence="MIT")  # type: ignore[arg-type]
    folder = place / "corpus"
    folder.mkdir()
    build_corpus(CorpusConfig((source,), steps=StepsConfig(**{"harmful": 1.0} | settings)), folder)
    return folder


def test_a_step_that_drops_everything_stops(tmp_path: Path) -> None:
    rows = [prose(CHANCE) for _ in range(30)]
    with pytest.raises(
        DataError, match=r"language rejects 30 of 30 documents of .*, mostly as language.en \(30\); look at .*"
    ):
        made(tmp_path / "a", rows, languages=("zh",))
    with pytest.raises(DataError, match=r"quality rejects 30 of 30 documents of .*, mostly as quality.words \(30\)"):
        made(tmp_path / "b", ["short text"[: 5 + n % 4] + str(n) for n in range(30)])
    with pytest.raises(DataError, match="licence rejects 30 of 30"):
        made(tmp_path / "c", rows, licences=("CC0-1.0",))
    assert made(tmp_path / "d", rows, licences=("CC0-1.0", "MIT")).exists()


def test_items_of_evaluation_sets_are_taken_out(tmp_path: Path) -> None:
    rows = [prose(CHANCE) for _ in range(40)]
    items = [sentence(random.Random(number)) for number in range(5)]
    for number, item in enumerate(items):
        rows[number * 3] += "\n" + item
    test = jsonl(tmp_path / "test.jsonl", [{"question": item, "answer": "7"} for item in items])
    folder = made(tmp_path, rows, benchmarks=BenchmarksConfig((f"days={test}",)))
    rejected = {row["origin"]: row for row in read_rejects(folder)}
    assert {origin: row["detail"] for origin, row in rejected.items()} == {
        f"x.jsonl:{number * 3 + 1}": f"days test.jsonl:{number + 1}" for number in range(5)
    }
    assert {row["reason"] for row in rejected.values()} == {"benchmarks.days"}


def test_evening_out(tmp_path: Path) -> None:
    """Women are blamed in 80 of 100 texts and men in 20: kept by Kamiran and Calders' weights, both in half of them."""
    chance, rows = random.Random(3), []
    for who, blamed in (("woman", 320), ("man", 80)):
        for number in range(400):
            word = "lazy" if number < blamed else "kind"
            rows.append(
                f"{prose(chance)}\nAt {number} they say that the {who} next door is {word} and leaves it at that."
            )
    folder = made(tmp_path, rows, balance=BalanceConfig(axes=("gender",), least_kept=0.01))
    bias = files.read_json(folder / "manifest.json")["bias"]
    before, after = ({one["group"]: one for one in bias[side]} for side in ("before", "after"))
    assert before["women"]["blame"] > 0.79 and before["men"]["blame"] < 0.21
    assert abs(after["women"]["blame"] - 0.5) < 0.08 and abs(after["men"]["blame"] - 0.5) < 0.08
    assert {row["reason"] for row in read_rejects(folder)} == {"balance.gender"}
    kept = after["women"]["mentions"] + after["men"]["mentions"]
    assert kept == 800 - sum(1 for _ in read_rejects(folder)) and kept > 150


def test_licences_addresses_and_models_are_in_every_row(tmp_path: Path) -> None:
    rows = jsonl(tmp_path / "x.jsonl", [prose(CHANCE) for _ in range(10)])
    known = {"licence": "CC-BY-4.0", "kind": "synthetic", "address": "https://a.b", "collected": "2026-11-30"}
    source = SourceConfig(str(rows), form="prose", model="M 1, 2026-11-01", **known)  # type: ignore[arg-type]
    (tmp_path / "corpus").mkdir()
    build_corpus(CorpusConfig((source,), steps=StepsConfig(harmful=1.0)), tmp_path / "corpus")
    for shard in (tmp_path / "corpus").glob("*.parquet"):
        for row in pq.read_table(shard).to_pylist():
            assert {name: row[name] for name in known} == known and row["model"] == "M 1, 2026-11-01"
            assert row["lang"] == "en" and row["steps"].startswith("licence/1 encoding/1 normalise/1")


def test_near_copies_can_be_left_in(tmp_path: Path) -> None:
    text = prose(CHANCE)
    rows = [text, text.replace(" a ", " the ", 1), *(prose(CHANCE) for _ in range(5))]
    kept = made(tmp_path / "a", rows, minhash=MinHashConfig(bands=0), passage=0)
    assert files.read_json(kept / "manifest.json")["rejects"]["documents"] == 0
    assert files.read_json(made(tmp_path / "b", rows, passage=0) / "manifest.json")["rejected"] == {"near_copies": 1}
