"""What a corpus has to show: a page a person can judge it by, the gate of its samples, the records of GB/T 45652."""

import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from candor import files
from candor.data.build import GATE
from candor.data.corpus import MANIFEST, read_rejects
from candor.data.shards import SAMPLES
from candor.errors import DataError
from candor.evaluate.page import page
from candor.records import Provenance

HUMAN, TECHNICAL = 0.96, 0.98
"""GB/T 45652, 8.2.3: share that passes of what people, and of what programs, look at."""
_WANTED = 4000
_TEXT = 400


def corpus_folder(path: Path) -> Path:
    """The corpus at a path, or in the run at it; DataError where there is none."""
    for folder in (path, path / "corpus"):
        if (folder / MANIFEST).is_file():
            return folder
    raise DataError(f"{path} holds no corpus: no {MANIFEST} in it; build one with candor data build, or name a run")


def manifest_of(folder: Path) -> dict[str, Any]:
    """The manifest of a corpus."""
    value = files.read_json(folder / MANIFEST)
    if not isinstance(value, dict) or not {"sources", "rejected", "technical", "bias"} <= value.keys():
        raise DataError(f"{folder / MANIFEST} has another form; build the corpus again")
    return value


def examples(folder: Path, reason: str = "", each: int = 3, seed: int = 0) -> dict[str, list[dict[str, str]]]:
    """Some rejected documents of each reason, or of those that begin with `reason`: drawn evenly, the same ones for a
    seed, in one pass."""
    chance = random.Random(seed)
    found: dict[str, list[dict[str, str]]] = {}
    seen: Counter[str] = Counter()
    for row in read_rejects(folder):
        name = row["reason"]
        if not name.startswith(reason):
            continue
        seen[name] += 1
        some = found.setdefault(name, [])
        if len(some) < each:
            some.append(row)
        elif (place := chance.randrange(seen[name])) < each:
            some[place] = row
    return dict(sorted(found.items()))


@dataclass(frozen=True)
class Gate:
    """Whether a corpus may be trained on, by its two samples."""

    technical_checked: int
    """Documents that programs looked at again."""
    technical_passed: int
    """Of them those that passed."""
    human_wanted: int
    """Documents that people must look at."""
    human_checked: int
    """Those with a verdict."""
    human_passed: int
    """Of them those that passed."""
    failures: dict[str, int]
    """Reasons that people gave, and how often."""
    missing: list[str]
    """What is not there yet or not good enough, in words; nothing where the gate is open."""

    @property
    def open(self) -> bool:
        """Whether nothing is missing."""
        return not self.missing


def gate(folder: Path, reviewed: Path | None = None) -> Gate:
    """The gate of a corpus, written to `gate.json` beside its shards; `reviewed` is `human_sample.jsonl` with verdicts.

    A verdict is `"verdict": "pass"` or `"fail"`, with `"annotator"` and, where it failed, a `"reason"`.
    """
    manifest = manifest_of(folder)
    technical = manifest["technical"]
    wanted = min(_WANTED, manifest["train"]["documents"] + manifest["heldout"]["documents"])
    checked = passed = 0
    failures: Counter[str] = Counter()
    if reviewed is not None:
        for good, reason in _verdicts(reviewed, {line["id"] for line in files.read_lines(folder / SAMPLES)}):
            checked, passed = checked + 1, passed + good
            failures.update([] if good else [reason])
    missing = []
    if technical["passed"] < TECHNICAL * technical["checked"]:
        missing.append(
            f"technical sample: {technical['passed']:,} of {technical['checked']:,} pass, {TECHNICAL:.0%} must"
        )
    if checked < wanted:
        missing.append(f"human sample: {checked:,} of {wanted:,} documents have a verdict")
    elif passed < HUMAN * checked:
        missing.append(f"human sample: {passed:,} of {checked:,} pass, {HUMAN:.0%} must")
    found = Gate(
        technical["checked"],
        technical["passed"],
        wanted,
        checked,
        passed,
        dict(failures.most_common()),
        missing,
    )
    corpus = {"open": found.open, "corpus": files.sha256(folder / MANIFEST)}
    files.write_json(folder / GATE, corpus | asdict(found))
    return found


def _verdicts(path: Path, known: set[str]) -> Iterable[tuple[bool, str]]:
    seen: set[str] = set()
    for number, line in enumerate(files.read_lines(path), start=1):
        own, verdict = str(line.get("id")), line.get("verdict")
        if verdict in (None, ""):
            continue
        wrong = (
            f"id {own!r} is not in the sample of this corpus" if own not in known
            else f"id {own[:12]} has a verdict twice" if own in seen
            else f'verdict {verdict!r} is neither "pass" nor "fail"' if verdict not in ("pass", "fail")
            else 'no "annotator" says who looked' if not str(line.get("annotator") or "").strip()
            else ""
        )  # fmt: skip
        if wrong:
            raise DataError(f"{path}:{number}: {wrong}; mend the line")
        seen.add(own)
        yield verdict == "pass", str(line.get("reason") or "no reason given")


def write_page(folder: Path, path: Path) -> None:
    """The page of a corpus: sources, what was rejected and changed and why, with examples, bias, and its samples."""
    manifest = manifest_of(folder)
    read = sum(source["documents"] for source in manifest["sources"])
    shown = {
        reason: [{**row, "text": row["text"][:_TEXT]} for row in rows] for reason, rows in examples(folder).items()
    }
    before, after = manifest["bias"]["before"], manifest["bias"]["after"]
    context = {
        "title": f"Corpus {folder}",
        "folder": str(folder),
        "manifest": manifest,
        "read": read,
        "reasons": sorted(manifest["rejected"].items(), key=lambda item: -item[1]),
        "examples": shown,
        "lengths": _histogram(manifest["lengths"]),
        "bias": [(old, new) for old, new in zip(before, after, strict=True) if old["mentions"]],
        "gate": _gate_of(folder),
        "made": Provenance.read(folder) if (folder / Provenance.FILE).exists() else None,
    }
    files.atomic_write(path, page("candor.stages", "corpus.html.jinja", **context))


def _histogram(lengths: dict[str, dict[str, int]]) -> list[tuple[str, float, float, int, int]]:
    """(label, share before, share after, count before, count after) of powers of two of characters."""
    sizes = sorted({int(size) for counts in lengths.values() for size in counts})
    most = {side: max([*counts.values(), 1]) for side, counts in lengths.items()}
    highest = max(most.values())
    rows = []
    for size in sizes:
        before, after = (lengths[side].get(str(size), 0) for side in ("before", "after"))
        rows.append((f"{2 ** max(0, size - 1):,}", before / highest, after / highest, before, after))
    return rows


def records(folder: Path) -> str:
    """The records of pre-training data that GB/T 45652 asks for, as Markdown in Chinese and English."""
    manifest = manifest_of(folder)
    found = _gate_of(folder) or gate(folder)
    made = Provenance.read(folder) if (folder / Provenance.FILE).exists() else None
    lines = [
        "# 预训练数据记录 / Records of pre-training data",
        "",
        f"生成时间 / made: {made.time if made else '-'}; 程序版本 / code: {made.code if made else '-'}; "
        f"清单校验 / manifest sha256: {files.sha256(folder / MANIFEST)}",
        "",
        "## 来源 / Sources",
        "",
        "| 来源 / source | 类别 / kind | 许可 / licence | 地址 / address | 采集时间 / collected | 合成模型 / model "
        "| 文档 / documents | 保留 / kept | 有害比例 / harmful | 采用 / used |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for source in manifest["sources"]:
        share = f"{source['harmful'] / source['judged']:.2%}" if source["judged"] else "-"
        cells = [
            (source[name] or "-").replace("|", "\\|")
            for name in ("path", "kind", "licence", "address", "collected", "model")
        ]
        used = "否 / refused" if source["refused"] else "是 / yes"
        lines.append("| " + " | ".join([*cells, f"{source['documents']:,}", f"{source['kept']:,}", share, used]) + " |")
    lines += ["", "## 剔除 / Rejected", "", "| 原因 / reason | 文档 / documents |", "|---|---|"]
    lines += [f"| {reason} | {count:,} |" for reason, count in sorted(manifest["rejected"].items())]
    lines += ["", "## 处理步骤 / Steps", ""]
    lines += [f"- {source['path']}: {source['steps']}" for source in manifest["sources"]]
    lines += [
        "",
        "## 抽检 / Samples",
        "",
        f"- 技术抽检 / technical: {found.technical_passed:,} / {found.technical_checked:,} (>= {TECHNICAL:.0%})",
        f"- 人工抽检 / human: {found.human_passed:,} / {found.human_checked:,} (>= {HUMAN:.0%}), "
        f"{found.human_wanted:,} wanted",
        f"- 结论 / verdict: {'通过 / open' if found.open else '未通过 / closed: ' + '; '.join(found.missing)}",
        "",
        "## 文件 / Files",
        "",
        "| 文件 / file | 文档 / documents | SHA-256 |",
        "|---|---|---|",
    ]
    lines += [f"| {name} | {shard['rows']:,} | `{shard['sha256']}` |" for name, shard in manifest["shards"].items()]
    return "\n".join(lines) + "\n"


def _gate_of(folder: Path) -> Gate | None:
    """What was decided of a corpus as it is now."""
    if not (folder / GATE).exists():
        return None
    value: dict[str, Any] = files.read_json(folder / GATE)
    if value.pop("corpus", "") != files.sha256(folder / MANIFEST):
        return None
    value.pop("open", None)
    return Gate(**value)
