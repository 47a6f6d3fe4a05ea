"""`candor run` as a user meets it: what it leaves, what it keeps, what it says when something is wrong."""

import json
import os
import re
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

import candor
from candor.data import read_corpus
from candor.records import Provenance
from candor.text import Tokenizer
from tests.cli.conftest import Result, tiny

STAGES = ("corpus", "tokenizer", "tokens", "base/checkpoints", "base/model", "base/evals", "model", "report")


@pytest.fixture
def run_folder(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "run"))


def test_every_stage_leaves_its_folder_with_its_provenance(finished: Path) -> None:
    made: dict[str, str] = {}
    for stage in STAGES:
        record = Provenance.read(finished / stage)
        record.verify(finished / stage)
        assert record.stage == stage
        present = {file.relative_to(finished / stage).as_posix() for file in (finished / stage).rglob("*")}
        assert set(record.outputs) == {name for name in present if (finished / stage / name).is_file()} - {
            Provenance.FILE
        }
        for name, digest in record.inputs.items():
            assert digest == made.get(name, digest)
        made[stage] = record.digest
    inputs = Provenance.read(finished / "base" / "model").inputs
    assert inputs == {name: made[name] for name in ("base/checkpoints", "tokenizer")}


def test_summary_holds_what_the_evaluation_measured(finished: Path) -> None:
    summary = json.loads((finished / "report" / "summary.json").read_text())
    heldout = json.loads((finished / "base" / "evals" / "heldout.json").read_text())
    assert summary["pretrain.bits_per_byte"] == heldout["bits_per_byte"]
    assert summary["pretrain.tokens"] == 4096
    assert summary["pretrain.steps"] == 8
    assert all(not isinstance(value, dict | list) for value in summary.values())
    lines = (finished / "base" / "checkpoints" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == list(range(1, 9))
    page = (finished / "report" / "index.html").read_text(encoding="utf-8")
    assert f"{heldout['bits_per_byte']:.3f}" in page and "内容由 AI 生成" in page
    assert re.findall(r'(?:src|href)="(.{10})', page) == ["data:image"]  # nothing is fetched from anywhere


def test_the_model_folder_is_the_one_transformers_reads(finished: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    text = "import os; 你好 <｜User｜>"
    ours = Tokenizer.load(finished / "model")
    ids = ours.encode("import os; 你好")
    assert AutoTokenizer.from_pretrained(finished / "model")("import os; 你好")["input_ids"] == ids
    assert ours.decode(ours.encode(text)) == text
    theirs = AutoModelForCausalLM.from_pretrained(finished / "model", dtype=torch.float32).eval()
    with torch.no_grad():
        difference = (
            theirs(torch.tensor([ids])).logits - candor.load_model(finished / "model")(torch.tensor([ids]))
        ).abs()
    assert difference.max() < 1e-4


def times(folder: Path) -> dict[Path, int]:
    return {file: file.stat().st_mtime_ns for file in folder.rglob("*") if file.is_file() and file.name != ".lock"}


def test_a_second_run_keeps_everything(run_folder: Path, text: Path, candor_command: Callable[..., Result]) -> None:
    before = {
        file: file.stat().st_mtime_ns for file in run_folder.rglob("*") if file.is_file() and file.name != ".lock"
    }
    code, out, err = candor_command(*tiny(run_folder, text))
    assert (code, err) == (0, "")
    assert [f"{stage}: done before" in out for stage in STAGES] == [True] * len(STAGES)
    assert times(run_folder) == before


def test_only_what_a_change_touches_is_made_again(
    run_folder: Path, text: Path, candor_command: Callable[..., Result]
) -> None:
    code, out, _ = candor_command(*tiny(run_folder, text, "export.dtype=bfloat16"))
    assert code == 0
    assert [stage for stage in STAGES if f"{stage} ..." in out] == ["base/model", "base/evals", "model", "report"]


def test_a_damaged_folder_is_named_and_made_again(
    run_folder: Path, text: Path, candor_command: Callable[..., Result]
) -> None:
    weights = run_folder / "model" / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[len(data) // 2] ^= 1
    good = Provenance.read(run_folder / "model").digest
    weights.write_bytes(data)
    code, out, _ = candor_command(*tiny(run_folder, text))
    assert code == 0
    assert "model.safetensors was truncated or changed" in out and "evals: done before" in out
    assert Provenance.read(run_folder / "model").digest == good


def test_training_again_gives_the_same_bits(
    run_folder: Path, text: Path, candor_command: Callable[..., Result]
) -> None:
    model = run_folder / "model" / "model.safetensors"
    first = model.read_bytes()
    code, out, _ = candor_command(*tiny(run_folder, text, "train.resume=never"))
    assert code == 0 and "checkpoints ..." in out
    assert model.read_bytes() == first


@pytest.mark.slow
def test_sigterm_saves_and_the_same_command_ends_in_the_same_bits(
    text: Path, tmp_path: Path, candor_command: Callable[..., Result]
) -> None:
    longer = ["pretrain.total_tokens=20480", "train.checkpoint_every=100"]  # 40 steps, no checkpoint of its own
    out = tmp_path / "stopped"
    process = subprocess.Popen(
        [sys.executable, "-m", "candor", *tiny(out, text, *longer)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    metrics = out / "base" / "checkpoints" / "metrics.jsonl"
    while process.poll() is None and not (metrics.exists() and metrics.read_text().count("\n") >= 3):
        time.sleep(0.01)
    process.terminate()
    stdout, stderr = process.communicate()
    assert_one_line((process.returncode, stdout, stderr), "stopped by SIGTERM after step", "same command", code=130)
    code, said, _ = candor_command(*tiny(out, text, *longer))
    assert code == 0 and "resumed after step" in said
    assert candor_command(*tiny(tmp_path / "whole", text, *longer))[0] == 0
    for name in ("model/model.safetensors", "base/evals/heldout.json", "base/evals/sample.json"):
        assert (out / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("data", "fields", "script"),
    [("text/zh_novels", None, r"[\u4e00-\u9fff]"), ("math/gsm8k/test.jsonl", "question,answer", r"####")],
)
def test_public_data(
    data: str, fields: str | None, script: str, public_data: Path, tmp_path: Path, candor_command: Callable[..., Result]
) -> None:
    """A folder of Chinese novels, and questions with answers: the whole path, with text of theirs held out."""
    if not (public_data / data).exists():
        pytest.skip(f"{data} is not in {public_data}")
    named = ["--fields", fields] if fields else []
    code, said, err = candor_command(*tiny(tmp_path, public_data / data, "model.vocab_size=1000"), *named)
    assert (code, err) == (0, "")
    figures = json.loads((tmp_path / "base" / "evals" / "heldout.json").read_text())
    assert 1 < figures["bits_per_byte"] < 9
    heldout = "".join(document.text for document in read_corpus(tmp_path / "corpus", "heldout"))
    assert len(re.findall(script, heldout)) > 30
    assert "bits per byte" in said


def bad_utf8(text: Path) -> Path:
    (text / "bad.txt").write_bytes(b"fine so far \xff\xfe")
    return text


def empty(text: Path) -> Path:
    shutil.rmtree(text)
    text.mkdir()
    return text


def one_document(text: Path) -> Path:
    (empty(text) / "one.txt").write_text("only one document here")
    return text


def missing(text: Path) -> Path:
    return text / "nowhere"


def too_long(text: Path) -> Path:
    with open(text / "long.txt", "wb") as file:
        file.truncate(1 << 36)  # 64 GiB that take no room on the disk
    return text


def broken_json(text: Path) -> Path:
    (text / "rows.jsonl").write_text('{"text": "fine"}\n{"text": \n')
    return text


@pytest.mark.parametrize(
    ("spoil", "says", "mend"),
    [
        (missing, "does not exist", "give a file, a folder"),
        (empty, "holds no text", "give a source"),
        (one_document, "1 document is left", "at least two are needed"),
        (bad_utf8, "bad.txt is not utf-8: byte 12 is 0xff", "corpus.sources.N.encoding"),
        (too_long, "long.txt is a document of at least 68,719,476,736 bytes", "raise that limit"),
        (broken_json, "rows.jsonl:2 is not JSON", "mend or remove the line"),
    ],
)
def test_bad_sources(
    spoil: Callable[[Path], Path],
    says: str,
    mend: str,
    text: Path,
    tmp_path: Path,
    candor_command: Callable[..., Result],
) -> None:
    source = spoil(Path(shutil.copytree(text, tmp_path / "text")))
    assert_one_line(candor_command(*tiny(tmp_path / "run", source)), says, mend)
    assert left_in(tmp_path / "run") == []


@pytest.mark.parametrize(
    ("sets", "says", "mend"),
    [
        (["model.n_group=3"], "n_group", ""),
        (["model.qk_rope_head_dim=15"], "qk_rope_head_dim", "even"),
        (["model.num_experts_per_tok=9"], "num_experts_per_tok", ""),
        (["model.hidden_siz=64"], "no field 'hidden_siz'", "did you mean 'hidden_size'?"),
        (["model.hidden_size=wide"], "'wide' is not a whole number", ""),
        (["pretrain.sequence_length=4096"], "exceeds model.max_position_embeddings", "lower one or raise the other"),
        (["model.vocab_size=100"], "vocab_size", ""),
        (["model.hidden_size=60000", "model.num_hidden_layers=90"], "needs", "choose a smaller model"),
        (["pretrain.schedule.batch=0"], "pretrain.schedule.batch", "at least 1"),
        (["train.keep_checkpoints=0"], "train.keep_checkpoints", "at least 1"),
        (["seed=99999999999999999999"], "seed=", "below 2^63"),
        (["model.initializer_range=-1"], "initializer_range", "positive"),
        (["model.rope_theta=1"], "rope_theta", "above 1"),
        (["hardware.accelerators=0"], "accelerators=0", "at least 1"),
        (["evaluate.sample_tokens=0"], "evaluate.sample_tokens=0", "at least 1"),
        (["corpus.sources.0.encoding=undefined"], "encoding='undefined'", "utf-8"),
        (["export.dtype=int4"], "'int4' is not one of float32, bfloat16", ""),
    ],
)
def test_configurations_that_cannot_work(
    sets: list[str], says: str, mend: str, text: Path, tmp_path: Path, candor_command: Callable[..., Result]
) -> None:
    assert_one_line(candor_command(*tiny(tmp_path / "run", text, *sets)), says, mend, code=2)
    for stage in left_in(tmp_path / "run"):
        Provenance.read(tmp_path / "run" / stage).verify(tmp_path / "run" / stage)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (["--set", "model.vocab_size=330"], "tokenizer.vocab_size was 320 and is now 330"),
        (["--set", "pretrain.total_tokens=8192"], "checkpoints.pretrain.total_tokens was 4096 and is now 8192"),
        (["--set", "seed=1"], "seed was 0 and is now 1"),
        (["--data", "python-docs"], "corpus.sources.0.path was"),
    ],
)
def test_training_of_another_plan_is_not_thrown_away(
    change: list[str], says: str, run_folder: Path, text: Path, candor_command: Callable[..., Result]
) -> None:
    before = times(run_folder)
    assert_one_line(candor_command(*tiny(run_folder, text), *change), says, "choose another --out")
    assert times(run_folder) == before, "something was touched before it was refused"


def test_touched_sources_are_the_same_sources(
    run_folder: Path, text: Path, candor_command: Callable[..., Result]
) -> None:
    for file in text.iterdir():
        os.utime(file)
    code, out, _ = candor_command(*tiny(run_folder, text))
    assert code == 0 and "corpus ..." in out and "checkpoints: done before" in out


def test_what_stopped_before_the_first_checkpoint_may_be_changed(
    text: Path, tmp_path: Path, candor_command: Callable[..., Result]
) -> None:
    (tmp_path / "text").mkdir()
    for number in range(2):
        (tmp_path / "text" / f"{number}.txt").write_text(f"{number} little text " * 40)
    result = candor_command(*tiny(tmp_path / "run", tmp_path / "text", "pretrain.sequence_length=2000"))
    assert_one_line(result, "fewer than one window", "lower pretrain.sequence_length", code=2)
    assert candor_command(*tiny(tmp_path / "run", tmp_path / "text", "pretrain.sequence_length=32"))[0] == 0


def test_a_file_name_that_is_no_unicode(text: Path, tmp_path: Path, candor_command: Callable[..., Result]) -> None:
    source = Path(shutil.copytree(text, tmp_path / "text"))
    (Path(os.fsdecode(os.fsencode(source) + b"/\xce\xd2\xb0\xae.txt"))).write_text("novel text " * 50)
    assert candor_command(*tiny(tmp_path / "run", source))[0] == 0


def test_starting_over_is_possible(run_folder: Path, text: Path, candor_command: Callable[..., Result]) -> None:
    code, out, err = candor_command(*tiny(run_folder, text, "model.vocab_size=330", "train.resume=never"))
    assert (code, err) == (0, "") and "checkpoints ..." in out
    code, out, _ = candor_command(*tiny(run_folder, text, "model.vocab_size=330"))
    assert code == 0 and "checkpoints: done before" in out


def test_a_checkpoint_of_another_tokenizer_is_refused(
    finished: Path, text: Path, tmp_path: Path, candor_command: Callable[..., Result]
) -> None:
    there = finished / "base" / "checkpoints" / "step-8"
    result = candor_command(*tiny(tmp_path / "run", text, "model.vocab_size=330", f"train.resume={there}"))
    assert_one_line(result, f"{there} is of another run: tokenizer was", "train.resume=never")


def test_going_back_to_an_earlier_checkpoint(
    run_folder: Path, text: Path, candor_command: Callable[..., Result]
) -> None:
    model = (run_folder / "model" / "model.safetensors").read_bytes()
    there = run_folder / "base" / "checkpoints" / "step-4"
    code, out, _ = candor_command(*tiny(run_folder, text, f"train.resume={there}"))
    assert code == 0 and "step-8, which came after it" in out and "resumed after step 4" in out
    assert (run_folder / "model" / "model.safetensors").read_bytes() == model


@pytest.mark.parametrize("command", ["generate", "chat"])
def test_a_folder_that_is_no_model(command: str, tmp_path: Path, candor_command: Callable[..., Result]) -> None:
    arguments = [command, tmp_path, *(["x"] if command == "generate" else [])]
    assert_one_line(candor_command(*arguments), f"{tmp_path}", "give the folder")
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    assert_one_line(candor_command(*arguments), "llama", "")


def test_a_model_with_a_foreign_tokenizer(
    finished: Path, tmp_path: Path, candor_command: Callable[..., Result]
) -> None:
    folder = Path(shutil.copytree(finished / "model", tmp_path / "model"))
    Tokenizer.train(["some other text"], 500).save(folder)
    assert_one_line(candor_command("generate", folder, "x"), "500 tokens, the model 320", "do not belong together")


def test_unknown_recipe(tmp_path: Path, candor_command: Callable[..., Result]) -> None:
    assert_one_line(candor_command("run", "labtop"), "no recipe 'labtop'", "did you mean 'laptop'?", code=2)
    assert_one_line(candor_command("run", tmp_path / "mine.py"), "does not exist", "candor init", code=2)


def test_two_processes_do_not_share_a_folder(
    run_folder: Path, text: Path, candor_command: Callable[..., Result]
) -> None:
    from candor import files

    with files.lock(run_folder):
        assert_one_line(candor_command(*tiny(run_folder, text)), f"pid {os.getpid()}", "choose another --out")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MiB, smaller than what the run writes."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], capture_output=True).returncode:
        pytest.skip("needs the right to mount a small disk")
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)


def test_a_full_disk(small_disk: Path, text: Path, candor_command: Callable[..., Result]) -> None:
    result = candor_command(*tiny(small_disk / "run", text))
    assert_one_line(result, "the disk is full", "free some space")
    left = left_in(small_disk / "run")
    assert left and left != list(STAGES)
    for stage in left:
        if (small_disk / "run" / stage / Provenance.FILE).exists():
            Provenance.read(small_disk / "run" / stage).verify(small_disk / "run" / stage)
        else:
            assert stage in ("base", "base/checkpoints")


@pytest.mark.slow
@pytest.mark.parametrize("limit", [2_000, 20_000, 200_000, 1_500_000])
def test_a_file_that_may_not_grow(limit: int, text: Path, tmp_path: Path) -> None:
    """The same without rights to mount: wherever it strikes, one line, and every folder that is left is whole."""
    done = subprocess.run(
        [sys.executable, "-m", "candor", *tiny(tmp_path / "run", text)],
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    assert_one_line((done.returncode, done.stdout, done.stderr), "cannot write", "raise the limit")
    for stage in left_in(tmp_path / "run"):
        if stage not in ("base", "base/checkpoints"):
            Provenance.read(tmp_path / "run" / stage).verify(tmp_path / "run" / stage)


def left_in(run: Path) -> list[str]:
    """Names in the run folder but the lock: no temporary one may be among them.

    A corpus on its way keeps what it has, but shows no shard yet."""
    paths = [path for folder in (run, run / "base") if folder.exists() for path in folder.iterdir()]
    assert not [path for path in paths if path.name.startswith(".") and path.name != ".lock"]
    on_its_way = [path for path in paths if path.name == "corpus" and not (path / Provenance.FILE).exists()]
    assert not [shard for path in on_its_way for shard in path.glob("*.parquet")]
    return sorted(path.relative_to(run).as_posix() for path in paths if path.name != ".lock" and path not in on_its_way)


def assert_one_line(result: Result, says: str, mend: str, code: int = 1) -> None:
    found, _, err = result
    assert found == code
    assert err.startswith("error: ") and err.count("\n") == 1 and err.endswith("\n"), err
    assert says in err and mend in err, err
