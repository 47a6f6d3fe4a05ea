"""What `candor eval safety` does and shows: ids, classes and counts, never a question or an answer."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from candor import files
from candor.cli import console
from candor.cli.evaluate import default_name
from candor.data.harmful import KeywordBank
from candor.errors import ConfigError, DataError
from candor.evaluate.safety.asking import Asking, asker, responder
from candor.evaluate.safety.attacks import ATTACKS, attack_of
from candor.evaluate.safety.audit import Agreement, Audit, SafetyResult, audit, overall, together, write_audit
from candor.evaluate.safety.bank import KINDS, RULES, Bank, Outcome, shortfalls
from candor.evaluate.safety.classes import NAMED, name_of
from candor.evaluate.safety.garak import read_report
from candor.evaluate.safety.judges import ClassifierJudge, Judge, KeywordJudge, ModelJudge, PeopleJudge
from candor.evaluate.safety.made import made_banks
from candor.evaluate.safety.readers import SETS, Columns, read_bank, read_set
from candor.evaluate.statistics import Figure
from candor.evaluate.subject import open_subject
from candor.store import Reviews, open_store

_JUDGES = ("keywords", "classifier", "model", "people")
_SHOWN = 12
"""Numbers of broken rows that are shown; all are in the file of results."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The options of the command, as it explains them."""

    model: str
    name: str
    banks: tuple[str, ...]
    judges: tuple[str, ...]
    attacks: tuple[str, ...]
    n: int
    columns: str
    labels: Path | None
    encoding: str
    keywords: Path | None
    judge_model: str
    judge_name: str
    store: str
    max_tokens: int
    temperature: float
    top_p: float
    seed: int
    out: Path | None


def carry_out(settings: Settings) -> Outcome:
    """Test, print, write `safety.json`; the outcome over all."""
    folder = settings.out or Path("runs") / "safety" / default_name(settings.model, settings.name)
    attacks = [None, *map(attack_of, settings.attacks)]
    banks = [bank for spec in settings.banks for bank in banks_of(spec, settings)]
    if settings.n < 0:
        raise ConfigError(f"-n {settings.n} must be 0 or more")
    terminal = console.Terminal()
    terminal.say(f"testing {settings.model} with safety banks: into {folder}", "bold")
    for bank in banks:
        _introduce(terminal, bank)
    asking = Asking(
        max_tokens=settings.max_tokens, temperature=settings.temperature, top_p=settings.top_p, seed=settings.seed
    )
    found: list[Audit] = []
    with (
        files.lock(folder),
        open_subject(settings.model, name=settings.name, chat=True) as subject,
        _judges(settings, folder) as judges,
    ):
        for bank in banks:
            for attack in attacks if bank.kind != "should-not-refuse" else [None]:
                label = f"{bank.kind}{f' {attack.name}' if attack else ''}"
                kept = folder / files_name(bank, attack.name if attack else "")
                with terminal.progress(label) as progress:
                    respond = responder(subject, asking, kept, progress, label)
                    one = audit(
                        bank, respond, judges, model=subject.name, n=settings.n, seed=settings.seed, attack=attack
                    )
                found.append(one)
                for result in one.results:
                    terminal.say(f"  {line_of(result)}")
        every = together(found)
        path = write_audit(every, folder)
    return _conclude(terminal, every, path)


def files_name(bank: Bank, attack: str) -> str:
    """Name of the files of answers, different for each bank, kind and attack."""
    return default_name(f"answers-{bank.name}-{bank.kind}-{attack}-{bank.sha256[:8]}", "").strip("-")


def banks_of(spec: str, settings: Settings) -> list[Bank]:
    """`made`, `SET=FILE` or `FILE:KIND` as banks."""
    labels = _labels(settings.labels)
    if spec == "made":
        return list(made_banks(seed=settings.seed))
    name, equals, place = spec.partition("=")
    if equals and name in SETS:
        return read_set(name, Path(place), labels=labels, encoding=settings.encoding)
    path, colon, kind = spec.rpartition(":")
    for known in KINDS:
        if colon and kind == known:
            return [read_bank(Path(path), known, _columns(settings.columns, labels), encoding=settings.encoding)]
    raise ConfigError(
        f"--bank {spec!r}: write FILE:KIND with a kind of {', '.join(KINDS)}, or SET=FILE with a set of "
        f"{', '.join(SETS)}, or made"
    )


def _columns(text: str, labels: dict[str, str]) -> Columns:
    given: dict[str, tuple[str, ...]] = {}
    for part in filter(None, text.split(",")):
        name, equals, column = part.partition("=")
        if not equals or name not in ("prompt", "label", "id", "before"):
            raise ConfigError(f"--columns {part!r}: write prompt=COLUMN, label=, id= or before=, with commas between")
        given[name] = (*given.get(name, ()), column)
    usual = Columns()
    return Columns(
        prompt=given.get("prompt", usual.prompt),
        label=given.get("label", usual.label),
        id=given.get("id", usual.id),
        before=given.get("before", usual.before),
        labels=labels,
    )


def _labels(path: Path | None) -> dict[str, str]:
    value = files.read_json(path) if path else {}
    if not isinstance(value, dict) or not all(isinstance(code, str) for code in value.values()):
        raise DataError(f'{path} is no object like {{"fraud": "A.3.e"}}; mend it')
    return value


@contextmanager
def _judges(settings: Settings, folder: Path) -> Iterator[list[Judge]]:
    """The judges, ready, in the order in which they were named."""
    with ExitStack() as stack:
        found: list[Judge] = []
        for name in settings.judges:
            if name == "keywords":
                terms = KeywordBank.read(settings.keywords) if settings.keywords else None
                found.append(KeywordJudge(terms, settings.keywords.name if settings.keywords else ""))
            elif name == "classifier":
                found.append(ClassifierJudge())
            elif name == "model":
                if not settings.judge_model:
                    raise ConfigError("--judge model needs --judge-model, a folder or a server's address")
                subject = stack.enter_context(open_subject(settings.judge_model, name=settings.judge_name, chat=True))
                found.append(ModelJudge(asker(subject, Asking(max_tokens=settings.max_tokens)), subject.name))
            elif name == "people":
                opened = stack.enter_context(open_store(settings.store or folder / "reviews.db"))
                found.append(PeopleJudge(Reviews(opened)))
            else:
                raise ConfigError(f"there is no judge {name!r}; known: {', '.join(_JUDGES)}")
        yield found


def _introduce(terminal: console.Terminal, bank: Bank) -> None:
    terminal.say(f"  {bank.name}, {bank.kind}: {len(bank.items)} questions")
    if bank.broken:
        numbers = ", ".join(f"{row.number} ({row.why})" for row in bank.broken[:_SHOWN])
        more = f" and {len(bank.broken) - _SHOWN} more" if len(bank.broken) > _SHOWN else ""
        terminal.say(f"    {len(bank.broken)} broken rows, left out: {numbers}{more}")
    for lack in shortfalls(bank):
        terminal.say(f"    below the standard: {lack}")


def line_of(result: SafetyResult) -> str:
    """One result in one line."""
    sign = "at least" if result.at_least else "at most"
    attack = f", {result.attack}" if result.attack else ""
    same = f", {result.unchanged} left unchanged by the attack" if result.unchanged else ""
    said = ", ".join(f"{count} {verdict}" for verdict, count in sorted(result.verdicts.items()))
    return (
        f"{result.bank} {result.kind}{attack}, {result.judge}: {result.name} {_share(result.figure)}, {sign} "
        f"{result.limit:.0%} wanted; {said}, of {result.n}{same}: {result.outcome}"
    )


def _share(figure: Figure) -> str:
    span = "" if figure.low is None or figure.high is None else f" [{figure.low:.1%} to {figure.high:.1%}]"
    return f"{figure.value:.1%}{span}"


def _conclude(terminal: console.Terminal, found: Audit, path: Path) -> Outcome:
    """Verdicts by class, agreement of the judges, and the outcome with its reasons."""
    terminal.say("\nverdicts by class", "bold")
    rows = [["bank", "judge", "class", "", "verdicts"]]
    for result in found.results:
        for label, verdicts in result.labels.items():
            told = ", ".join(f"{count} {verdict}" for verdict, count in sorted(verdicts.items()))
            where = f"{result.bank} {result.kind}{f' {result.attack}' if result.attack else ''}"
            rows.append([where, result.judge, label or "-", name_of(label)[1], told])
    terminal.table(rows)
    for agreement in found.agreements:
        terminal.say(agreement_line(agreement))
    outcome, reasons = overall(found.results)
    terminal.say(f"\n{outcome}", "bold")
    for reason in reasons:
        terminal.say(f"  {reason}")
    terminal.say(f"written to {path}; the answers beside it hold what the model said and are no report")
    return outcome


def agreement_line(one: Agreement) -> str:
    """How far two judges agree, in one line."""
    where = f"{one.bank} {one.kind}{f', {one.attack}' if one.attack else ''}"
    if not one.same.n:
        return f"{where}: {one.judges[0]} and {one.judges[1]} judged no answer both"
    kappa = "not defined" if one.kappa is None else f"{one.kappa.value:.2f}"
    if one.kappa and one.kappa.low is not None and one.kappa.high is not None:
        kappa += f" [{one.kappa.low:.2f} to {one.kappa.high:.2f}]"
    both = f"{one.judges[0]} and {one.judges[1]}"
    return f"{where}: {both} agree on {_share(one.same)} of {one.same.n} answers, kappa {kappa}"


def list_all() -> None:
    """Print public sets, attacks, classes and aspects."""
    terminal = console.Terminal()
    terminal.say("public sets: --bank SET=FILE", "bold")
    terminal.table([[f"  {name}", known.where] for name, known in SETS.items()])
    terminal.say("\nattacks: --attack NAME, several by |", "bold")
    terminal.say(f"  {', '.join(ATTACKS)}")
    terminal.say("\nkinds: --bank FILE:KIND", "bold")
    for kind, rule in RULES.items():
        sign = "at least" if rule.at_least else "at most"
        said = f"{rule.size:,} questions, {rule.sample:,} in a test, {sign} {rule.limit:.0%} {rule.figure}"
        terminal.say(f"  {kind}: {said}")
    terminal.say("\nclasses and aspects", "bold")
    terminal.table([[f"  {one.code}", one.zh, one.en] for one in NAMED])


def show_scan(path: Path) -> None:
    """Print what a report of garak says."""
    terminal = console.Terminal()
    scan = read_report(path)
    rows = [["probe", "detector", "withstood", "95% interval", "answers", "not judged"]]
    for one in scan.probes:
        low, high = one.figure.low, one.figure.high
        span = "-" if low is None or high is None else f"{low:.1%} to {high:.1%}"
        rows.append([one.probe, one.detector, f"{one.figure.value:.1%}", span, str(one.figure.n), str(one.invalid)])
    terminal.table(rows)
    if scan.broken:
        terminal.say(f"{len(scan.broken)} lines could not be read, the first: {scan.broken[0].number}")
    if not scan.complete:
        terminal.say("the scan did not come to its end: what is missing is not counted")
