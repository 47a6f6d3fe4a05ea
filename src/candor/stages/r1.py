"""From a base model to R1, as the paper tells it (sections 2 and B): each stage a folder, each readable alone.

base -> r1_zero                                     pure reinforcement learning
base + r1_zero -> drafts -> dev1                    long answers made readable, cold start
dev1 -> dev2                                        reinforcement learning with a language reward
dev2 -> samples; base + samples -> dev3             rejection sampling, then SFT from the base model anew
dev3 -> preferences -> helpfulness, safety          reward models
dev3 + reward models -> r1                          rules and, at the end, preferences
student + samples -> distilled; student -> student_rl   a smaller model, taught or on its own
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

from candor import files
from candor.config import to_dict
from candor.data.dialogues import Dialogue, LeftOut, read_dialogues
from candor.data.preferences import Preference, read_preferences, read_verdicts
from candor.errors import ConfigError, DataError, Interrupted
from candor.evaluate.subject import folder_hash, open_subject
from candor.model import ModelConfig
from candor.model.config import nano
from candor.plan.counts import count_parameters
from candor.problems import Grade, Problem
from candor.problems.readers import READERS
from candor.problems.tasks import check_task, draw
from candor.rl.rubric import LEARNT
from candor.stages.chain import Chain, training
from candor.stages.collect import CollectConfig, collect, dialogues_of, reference_dialogues, rejection_sample, sample
from candor.stages.export import ExportConfig, export
from candor.stages.judge import Judge, ModelJudge, RuleJudge, prefer
from candor.stages.pretrain import PretrainConfig, pretrain
from candor.stages.reward_model import RewardModelConfig, export_reward_model, train_reward_model
from candor.stages.rl import RLConfig, rl
from candor.stages.run import Ui
from candor.stages.scores import ScoresConfig, score
from candor.stages.sft import SftConfig, sft
from candor.store import Reviews, open_store

Until = Literal["base", "r1_zero", "r1", "distilled"]
"""How far a run goes."""
DIALOGUES, PAIRS, VERDICTS = "dialogues.jsonl", "pairs.jsonl", "verdicts.jsonl"
JUDGEMENTS, REVIEWS = "judgements.jsonl", "reviews.db"
"""What the folders of data hold."""
_SAMPLES, _PREFERENCES, _DRAFTS, _WORKED = 101_000_001, 102_000_001, 103_000_001, 104_000_001
"""Added to the seed, so that no stage is asked what the one before it has just learnt."""


@dataclass(frozen=True)
class RefusalsConfig:
    """What Dev3 learns to refuse and not to refuse, beside what is in `general`."""

    tasks: tuple[str, ...] = ()
    """Tasks of requests beside their harmless twins, such as safety:1:en."""
    each: int = 1000
    """Problems of each, of which about half are harmful."""
    harmless: float = 1.0
    """Harmless requests for each harmful one at least; more makes a model that helps where it is not sure."""

    def __post_init__(self) -> None:
        if self.each < 1 or not self.harmless > 0:
            raise ConfigError(
                f"r1.refusals.each={self.each} must be at least 1 and r1.refusals.harmless={self.harmless} above 0"
            )
        for task in self.tasks:
            check_task(task)


@dataclass(frozen=True)
class R1Config:
    """What happens after pre-training."""

    scores: ScoresConfig = field(default_factory=ScoresConfig)
    """What every model is asked, for the stage table."""
    base_format: str = "plain"
    """Words around the question for the base model, R1-Zero and the student: plain, r1_zero."""
    zero: RLConfig = field(default_factory=RLConfig)
    """R1-Zero: reinforcement learning on the base model."""
    prompted: CollectConfig = field(default_factory=lambda: CollectConfig(method="prompted"))
    """Drafts of the base model, which sees worked answers that reflect and check."""
    collected: CollectConfig = field(default_factory=CollectConfig)
    """Drafts of R1-Zero."""
    annotators: bool = False
    """Wait for people to decide on the drafts (`candor review`); else a stated rule does."""
    worked: int = 0
    """Fewest dialogues for each of the drafts' tasks: a language of which models give less, as R1-Zero does where it
    answers in another one, is filled up with the problems' own worked solutions."""
    cold_start: SftConfig = field(default_factory=SftConfig)
    """Dev1: the base model learns the drafts."""
    rl: RLConfig = field(default_factory=RLConfig)
    """Dev2: reinforcement learning with a language reward."""
    samples: CollectConfig = field(default_factory=lambda: CollectConfig(format="chat"))
    """Rejection sampling from Dev2."""
    general: tuple[str, ...] = ("requests:1:en", "requests:1:zh", "safety:1:en", "safety:1:zh")
    """Tasks whose own answers are added: general requests, safety, problems without an answer."""
    general_each: int = 200
    """Problems of each of these."""
    refusals: RefusalsConfig = field(default_factory=RefusalsConfig)
    """More requests to refuse, and their harmless twins."""
    sft: SftConfig = field(default_factory=SftConfig)
    """Dev3: the base model learns all of these."""
    preferences: CollectConfig = field(
        default_factory=lambda: CollectConfig(
            tasks=("requests:1:en", "requests:1:zh", "safety:1:en", "safety:1:zh"), format="chat", strict=False
        )
    )
    """Answers of Dev3 that reward models learn from: to `requests` in pairs, to `safety` one by one."""
    judge: str = ""
    """Model folder or server address ending in /v1 that says which of two answers is better; empty: a rule does."""
    judge_name: str = ""
    """Name of the server's model; its key is read from CANDOR_API_KEY."""
    judge_tokens: int = 1024
    """Most tokens of a judgement, its thought included."""
    helpfulness: RewardModelConfig = field(default_factory=RewardModelConfig)
    """The reward model of helpfulness."""
    safety: RewardModelConfig = field(default_factory=lambda: RewardModelConfig(kind="safety"))
    """The reward model of safety."""
    final: RLConfig = field(default_factory=RLConfig)
    """R1: rules, and preferences at the end."""
    student: ModelConfig = field(default_factory=nano)
    """A smaller model, dense or of experts; its vocabulary is the run's."""
    student_pretrain: PretrainConfig = field(default_factory=PretrainConfig)
    """Its pre-training, on the same tokens."""
    distill: SftConfig = field(default_factory=SftConfig)
    """What it learns from the dialogues of Dev3: SFT alone, as the paper's distilled models do."""
    student_rl: RLConfig = field(default_factory=RLConfig)
    """What it learns on its own, to compare."""

    def __post_init__(self) -> None:
        if self.general_each < 1:
            raise ConfigError(f"r1.general_each={self.general_each} must be at least 1")
        if self.judge.startswith("http") != bool(self.judge_name):
            raise ConfigError(
                f"r1.judge={self.judge} and r1.judge_name={self.judge_name}: a server's address (http...) and the name "
                "of its model go together; a folder has no name"
            )
        if self.judge_tokens < 1:
            raise ConfigError(f"r1.judge_tokens={self.judge_tokens} must be at least 1")
        if self.helpfulness.kind != "helpfulness" or self.safety.kind != "safety":
            raise ConfigError("r1.helpfulness.kind and r1.safety.kind are what their names say; leave them")
        for name in ("samples", "preferences"):
            if (form := getattr(self, name).format) != "chat":
                raise ConfigError(f"r1.{name}.format={form!r} is asked of a model that learnt to chat; set it to chat")
        for task in self.general:
            check_task(task)
        learnt = {task for one in (self.zero, self.rl, self.final, self.student_rl) for task in one.rollout.tasks}
        learnt |= {*self.prompted.tasks, *self.collected.tasks, *self.samples.tasks}
        for task in learnt & {*self.scores.reasoning, *self.scores.behaviour}:
            name, _, place = task.partition(":")
            if name in READERS and Path(place).is_file():
                raise ConfigError(
                    f"{task!r} is a single file without a test split, and is both learnt from and scored; name "
                    "another file in r1.scores"
                )


def r1_stages(chain: Chain, config: R1Config, until: Until) -> None:
    """Add the stages that follow the stage `base/model` to a chain, as far as `until`."""
    _Stages(chain, config).add(until)


def plan_of(config: R1Config, until: Until) -> list[tuple[str, str]]:
    """What each stage after the base model comes to, in words, for a dry run."""
    c = config
    zero = [("r1_zero", _rl_plan(c.zero))]
    rest = [
        ("drafts", f"{_collect_plan(c.prompted)} of the base model; {_collect_plan(c.collected)} of R1-Zero"),
        ("dev1", _sft_plan(c.cold_start)),
        ("dev2", _rl_plan(c.rl)),
        (
            "samples",
            f"{_collect_plan(c.samples)}; {len(c.general) * c.general_each:,} general, safety and no-answer ones; "
            f"at most {len(c.refusals.tasks) * c.refusals.each:,} to refuse or not",
        ),
        ("dev3", _sft_plan(c.sft)),
        ("preferences", _collect_plan(c.preferences)),
        *((one.kind, f"epochs: {one.epochs}, batches of {one.batch}") for one in (c.helpfulness, c.safety)),
        ("r1", f"{_rl_plan(c.final)}; rewards of models in the last {c.final.preference_steps:,} steps"),
    ]
    small = [
        ("student", f"{count_parameters(c.student).main:,} parameters, {c.student_pretrain.total_tokens:,} tokens"),
        ("distilled", _sft_plan(c.distill)),
        ("student_rl", _rl_plan(c.student_rl)),
    ]
    parts: dict[Until, list[tuple[str, str]]] = {"base": [], "r1_zero": zero, "r1": [*zero, *rest]}
    return parts.get(until, [*zero, *rest, *small])


def _rl_plan(config: RLConfig) -> str:
    rollout = config.rollout
    rollouts = -(-config.steps // config.inner_steps)
    answers = rollouts * rollout.questions * rollout.group
    most = f"{rollout.max_tokens:,}"
    if rollout.longer_from:
        most += f" (from step {rollout.longer_from:,} {rollout.longer_tokens:,})"
    return (
        f"{config.steps:,} steps of {config.loss.kind}, {answers:,} answers of up to {most} tokens "
        f"({rollouts:,} rollouts of {rollout.questions} questions x {rollout.group})"
    )


def _sft_plan(config: SftConfig) -> str:
    return f"epochs: {config.epochs}, batches of {config.batch} windows of {config.sequence_length:,} tokens"


def _collect_plan(config: CollectConfig) -> str:
    return f"{len(config.tasks) * config.questions * config.samples:,} answers"


class _Stages:
    """The stages with what they need of the run."""

    def __init__(self, chain: Chain, config: R1Config):
        self.chain, self.config, self.out, self.seed = chain, config, chain.out, chain.seed

    def add(self, until: Until) -> None:
        c = self.config
        if until == "base":
            return
        self.scored("base", c.base_format)
        self.reinforced("r1_zero", "base", c.zero, c.base_format)
        if until == "r1_zero":
            return
        drafts: dict[str, Any] = {"prompted": to_dict(c.prompted), "collected": to_dict(c.collected)}
        drafts |= {"annotators": c.annotators, "worked": c.worked}
        models = ("base/model", "r1_zero/model")
        self.chain.add("drafts", self.drafts, drafts, models, draws=True, in_place=True, by_hand=c.annotators)
        self.taught("dev1", "base", c.cold_start, "drafts")
        self.reinforced("dev2", "dev1", c.rl, "chat")
        samples = {"samples": to_dict(c.samples), "general": list(c.general), "general_each": c.general_each}
        samples |= {"refusals": to_dict(c.refusals)}
        self.chain.add("samples", self.samples, samples, ("dev2/model",), draws=True, in_place=True)
        self.taught("dev3", "base", c.sft, "samples")
        preferences = to_dict(c.preferences)
        if c.judge:  # a folder that is none is said before the first stage
            known = c.judge if c.judge_name else folder_hash(Path(c.judge))
            preferences["judge"] = [known, c.judge_name, c.judge_tokens]
        self.chain.add("preferences", self.preferences, preferences, ("dev3/model",), draws=True, in_place=True)
        self.judge("helpfulness", c.helpfulness)
        self.judge("safety", c.safety)
        self.reinforced("r1", "dev3", c.final, "chat", [one for one in LEARNT if getattr(c.final.rewards, one)])
        if until == "r1":
            return
        pretraining = {"model": to_dict(c.student), "pretrain": c.student_pretrain.deciding()}
        work = partial(pretrain, c.student_pretrain, model_config=c.student, tokens=self.out / "tokens", seed=self.seed)
        self.chain.train("student/checkpoints", training("student", work), pretraining, ("tokens",))
        self.chain.add("student/model", self.export_student, {}, ("student/checkpoints", "tokenizer"))
        self.scored("student", c.base_format)
        self.taught("distilled", "student", c.distill, "samples")
        self.reinforced("student_rl", "student", c.student_rl, c.base_format)

    # What stages have in common

    def scored(self, name: str, form: str) -> None:
        """`NAME/scores`: the model's row of the stage table, asked in one form."""
        config, model = self.config.scores, self.out / name / "model"

        def make(folder: Path, ui: Ui) -> None:
            with ui.progress("scores") as progress:
                figures = score(config, model, form, self.seed, folder, progress)
            told = ", ".join(f"{name} {figure.value:.3g}" for name, figure in figures.items())
            ui.say(
                f"  {config.problems} problems a task, k = {config.k} and {config.k_other}, seed {self.seed}: {told}"
            )

        settings = to_dict(config) | {"form": form}
        self.chain.add(f"{name}/scores", make, settings, (f"{name}/model",), draws=True, in_place=True)

    def reinforced(self, name: str, source: str, config: RLConfig, form: str, judges: Sequence[str] = ()) -> None:
        if config.rollout.format != form:
            raise ConfigError(f"the model {name} is asked in the format {form!r}, not {config.rollout.format!r}")
        if unknown := [one for one in LEARNT if getattr(config.rewards, one) and one not in judges]:
            raise ConfigError(f"the model {name} has no reward model of {unknown[0]}; set that weight to 0")
        folders = [self.out / judge / "model" for judge in judges]
        model = self.out / source / "model"
        train = training(name, partial(rl, config, model_folder=model, seed=self.seed, reward_models=folders))
        inputs = [f"{judge}/model" for judge in judges]
        self.chain.tuned(name, source, train, {"rl": config.deciding()}, inputs)
        self.scored(name, form)

    def taught(self, name: str, source: str, config: SftConfig, data: str) -> None:
        model, path = self.out / source / "model", self.out / data / DIALOGUES

        def work(**told: Any) -> None:
            sft(config, model_folder=model, dialogues=read_dialogues(path), seed=self.seed, **told)

        train = training(name, work)
        self.chain.tuned(name, source, train, {"sft": config.deciding()}, (data,), template=config.template)
        self.scored(name, "chat")

    def judge(self, name: str, config: RewardModelConfig) -> None:
        source, folder = self.out / "dev3" / "model", self.out / "preferences"

        def work(**told: Any) -> None:
            data = read_preferences(folder / PAIRS) if name == "helpfulness" else read_verdicts(folder / VERDICTS)
            train_reward_model(config, model_folder=source, data=data, seed=self.seed, **told)

        def make(target: Path, ui: Ui) -> None:
            export_reward_model(config, source, self.out / name / "checkpoints", target)

        self.chain.train(
            f"{name}/checkpoints", training(name, work), {"rm": config.deciding()}, ("dev3/model", "preferences")
        )
        self.chain.add(f"{name}/model", make, {}, (f"{name}/checkpoints", "dev3/model"))

    # Data

    def drafts(self, folder: Path, ui: Ui) -> None:
        """Answers of the base model and of R1-Zero through the review records to dialogues."""
        every = {"base": self.config.prompted, "r1_zero": self.config.collected}
        with open_store(f"sqlite:///{folder / REVIEWS}") as store, ui.progress("drafts") as progress:
            reviews = Reviews(store)
            for source, config in every.items():
                with open_subject(str(self.out / source / "model")) as subject:
                    place = folder / source
                    place.mkdir(exist_ok=True)
                    files.tidy(place)
                    found = collect(
                        config,
                        subject,
                        reviews,
                        place,
                        self.seed + _DRAFTS,
                        by_rule=not self.config.annotators,
                        progress=progress,
                    )
                reasons = ", ".join(f"{number:,} {reason}" for reason, number in list(found.reasons.items())[:5])
                ui.say(f"  {source}: {found.samples:,} answers, {found.good:,} right and readable; left out: {reasons}")
            counts = reviews.counts("state")
            if waiting := counts["waiting"] + counts["leased"]:
                raise Interrupted(
                    f"{waiting:,} drafts wait for annotators; run "
                    f"candor review export --store {folder / REVIEWS} --state waiting --out FILE, "
                    "decide, import the file, and run the same command again"
                )
            kept = dialogues_of(reviews.query())
        kept += self.worked(kept, ui)
        if not kept:
            raise DataError(
                f"{folder}: no draft is right and readable, so there is nothing to start from; train r1.zero longer, "
                "ask more (r1.collected.questions), or add worked solutions (r1.worked)"
            )
        _write_rows(folder / DIALOGUES, [_dialogue_row(one) for one in kept])
        ui.say(f"  {len(kept):,} drafts to learn from")

    def worked(self, kept: Sequence[Dialogue], ui: Ui) -> list[Dialogue]:
        """Worked solutions for the languages of which too little was kept."""
        tasks: dict[str, list[str]] = {}
        for task in self.config.collected.tasks:
            tasks.setdefault(draw(task, self.seed, 1)[0].lang, []).append(task)
        added: list[Dialogue] = []
        for lang, own in tasks.items():
            lacking = self.config.worked * len(own) - sum(one.lang == lang for one in kept)
            if lacking > 0:
                added += reference_dialogues(own, -(-lacking // len(own)), self.seed + _WORKED)[:lacking]
                ui.say(f"  {lacking:,} worked solutions added in {lang}, where models gave too little")
        return added

    def samples(self, folder: Path, ui: Ui) -> None:
        """Dev2's right and readable answers, and answers to what has none to check."""
        c = self.config
        with open_subject(str(self.out / "dev2" / "model")) as subject, ui.progress("samples") as progress:
            kept = rejection_sample(c.samples, subject, folder, self.seed + _SAMPLES, progress)
        general = reference_dialogues(c.general, c.general_each, self.seed + _SAMPLES)
        r = c.refusals
        general += reference_dialogues(r.tasks, r.each, self.seed + _SAMPLES, r.harmless)
        _write_rows(folder / DIALOGUES, [_dialogue_row(one) for one in (*kept, *general)])
        ui.say(f"  {len(kept):,} reasoning answers kept, {len(general):,} general ones added")

    def preferences(self, folder: Path, ui: Ui) -> None:
        """Dev3's answers, judged: pairs by a rule or a model, verdicts by the checker. Answers to other questions are
        among them.

        A refusal of a harmless request counts as wrong: a model that learnt otherwise would reward refusing everything.
        """
        c = self.config
        with open_subject(str(self.out / "dev3" / "model")) as subject, ui.progress("preferences") as progress:
            found = sample(c.preferences, subject, folder, self.seed + _PREFERENCES, progress)
        answered: dict[str, tuple[Problem, list[str]]] = {}
        for one in found:
            if one.response:
                answered.setdefault(one.problem.id, (one.problem, []))[1].append(one.response)
        groups = list(answered.values())
        for number, (problem, responses) in enumerate(groups):  # its own solution, and one to another question
            others = (groups[(number + step) % len(groups)][0] for step in range(1, len(groups)))
            other = next((one for one in others if one.family == problem.family and one.gold != problem.gold), problem)
            responses += [problem.solution, other.solution]
        asked, dropped = [one for one in groups if one[0].family == "requests"], LeftOut()
        if c.judge:
            with open_subject(c.judge, name=c.judge_name, chat=True) as subject:
                judge: Judge = ModelJudge(subject, max_tokens=c.judge_tokens)
                pairs = prefer(judge, asked, seed=self.seed, left_out=dropped, path=folder / JUDGEMENTS)
        else:
            judge = RuleJudge()
            pairs = prefer(judge, asked, calls=1, seed=self.seed, left_out=dropped)
        verdicts = [
            {
                "prompt": problem.prompt,
                "response": response,
                "safe": safe,
                "origin": "team-automatic",
                "case": problem.case,
            }
            for problem, responses in groups
            if problem.family == "safety"
            for response in dict.fromkeys(responses)
            for safe in [problem.gold.grade(response) is Grade.RIGHT]
        ]
        _write_rows(folder / PAIRS, [_pair_row(one) for one in pairs])
        _write_rows(folder / VERDICTS, verdicts)
        for line in dropped.lines():
            ui.say(f"  {line}")
        ui.say(f"  {len(pairs):,} pairs by {judge.name}, {len(verdicts):,} verdicts by the checker")
        if not pairs or not verdicts:
            raise DataError(
                f"{folder}: no {'pair' if not pairs else 'verdict'} to learn from; name tasks of both requests and "
                "safety in r1.preferences.tasks, or ask more (r1.preferences.questions)"
            )

    # The smaller model

    def export_student(self, folder: Path, ui: Ui) -> None:
        export(
            ExportConfig("float32"),
            self.config.student,
            self.out / "student" / "checkpoints",
            self.out / "tokenizer",
            folder,
        )


def _write_rows(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    files.atomic_write(path, "".join(map(files.json_line, rows)))


def _dialogue_row(one: Dialogue) -> dict[str, Any]:
    return {"messages": one.messages, "origin": one.origin, "lang": one.lang}


def _pair_row(one: Preference) -> dict[str, Any]:
    return {
        "messages": one.messages,
        "chosen": one.chosen,
        "rejected": one.rejected,
        "origin": one.origin,
        "case": one.case,
    }
