"""The recipes that ship: each builds, its problems exist, and v3_r1 has the published numbers."""

from dataclasses import replace
from pathlib import Path

import pytest

from candor.config import describe, override
from candor.errors import ConfigError
from candor.plan.counts import count_parameters
from candor.problems.families import FAMILIES
from candor.problems.readers import READERS
from candor.problems.tasks import draw, parse_task
from candor.recipes import RECIPES, find_recipe
from candor.recipes.laptop import laptop, smoke
from candor.recipes.r1 import r1_one_gpu, v3_r1
from candor.stages.chain import Chain
from candor.stages.pipeline import RunConfig
from candor.stages.r1 import plan_of, r1_stages
from candor.stages.rl import RLConfig


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_is_a_plan_that_can_be_carried_out(name: str, tmp_path: Path) -> None:
    config = find_recipe(name)
    assert isinstance(config, RunConfig) and config.name == name and RECIPES[name].__doc__
    override(config, "seed=3")  # checks every field once more
    assert all(text for _, _, text in describe(config)), "every setting is explained by --dry-run"
    chain = Chain(tmp_path, config.seed, config.train)
    r1_stages(chain, config.r1, config.until)  # such as a model asked in a form that it does not know
    trained = [stage.name.partition("/")[0] for stage in chain.stages if stage.name.endswith("/checkpoints")]
    assert {row for row, _ in plan_of(config.r1, config.until)} >= set(trained), "a dry run tells of all that trains"


@pytest.mark.parametrize("recipe", [laptop, smoke, r1_one_gpu])
def test_no_family_runs_out_of_problems(recipe: object) -> None:
    """A level has only so many; a run would find that out hours after it began."""
    config = recipe().r1  # type: ignore[operator]
    wanted: dict[str, int] = {}
    for stage in (config.zero, config.rl, config.final, config.student_rl):
        each = -(-stage.rollout.questions // len(stage.rollout.tasks))
        wanted |= {task: max(each, wanted.get(task, 0)) for task in stage.rollout.tasks}
        for task in stage.rollout.tasks:
            assert there(task, stage.watch_problems)
    for stage in (config.prompted, config.collected, config.samples, config.preferences):
        more = stage.shots if stage.method == "prompted" else 0
        wanted |= {task: max(stage.questions + more, wanted.get(task, 0)) for task in stage.tasks}
    wanted |= {task: max(config.general_each, wanted.get(task, 0)) for task in config.general}
    wanted |= {task: max(config.refusals.each, wanted.get(task, 0)) for task in config.refusals.tasks}
    wanted |= {task: max(config.worked, wanted.get(task, 0)) for task in config.collected.tasks}
    for task, number in wanted.items():
        assert len(draw(task, 0, number)) == number
    for task in (*config.scores.reasoning, *config.scores.behaviour):
        assert there(task, config.scores.problems)


def there(task: str, number: int) -> bool:
    family, difficulty, lang = parse_task(task)
    return len(family.generate(0, number, difficulty, lang, split="test")) == number


def test_smoke_has_the_stages_of_laptop_and_less_of_everything() -> None:
    short, long = smoke(), laptop()
    assert (short.until, short.model, short.r1.student) == (long.until, long.model, long.r1.student)
    pairs = [(getattr(short.r1, name), getattr(long.r1, name)) for name in ("zero", "rl", "final", "student_rl")]
    assert all(one.steps < other.steps and one.rewards == other.rewards for one, other in pairs)
    assert short.corpus.sources[1].size < long.corpus.sources[1].size
    assert short.pretrain.total_tokens < long.pretrain.total_tokens


# The published numbers: 2501.12948v2, sections 2.1, 2.3 and B; 2412.19437, section 4.2.


def answers(config: RLConfig) -> int:
    return config.rollout.questions * config.rollout.group


@pytest.mark.parametrize("stage", ["zero", "rl", "final"])
def test_v3_r1_has_the_published_reinforcement_learning(stage: str) -> None:
    config: RLConfig = getattr(v3_r1().r1, stage)
    assert answers(config) == 8192 and config.inner_steps == 16, "a rollout is split into 16 minibatches"
    assert answers(config) // config.inner_steps == 512 and config.rollout.group == 16, "32 questions, 16 answers each"
    loss = config.loss.resolved()
    assert (loss.kind, loss.eps_low, loss.eps_high, loss.beta) == ("r1", 10.0, 10.0, 0.001)
    assert config.optim.learning_rate == 3e-6 and config.refresh_reference == 400
    assert config.rollout.max_tokens == 32_768
    assert config.rollout.temperature == (0.7 if stage == "final" else 1.0)


def test_v3_r1_has_the_published_steps_and_rewards() -> None:
    config = v3_r1().r1
    assert (config.zero.steps, config.final.steps, config.final.preference_steps) == (10_400, 1_700, 400)
    assert config.zero.rollout.format == "r1_zero"
    assert [config.zero.rollout.tokens_at(step) for step in (0, 8_199, 8_200, 10_399)] == [32_768] * 2 + [65_536] * 2
    rewards = config.zero.rewards
    assert rewards.accuracy == rewards.format == 1 and rewards.weights() == {"accuracy": 1, "format": 1}
    assert config.rl.rewards.language == 1 and "language" not in rewards.weights()
    assert set(config.final.rewards.weights()) - set(config.rl.rewards.weights()) == {"helpfulness", "safety"}


def test_v3_r1_has_the_published_fine_tuning() -> None:
    config = v3_r1().r1
    for lessons in (config.cold_start, config.sft):
        assert lessons.epochs in (2, 3) and lessons.sequence_length == 32_768 and lessons.batch == 128
        assert lessons.optim.learning_rate == 5e-5 and lessons.schedule == "cosine" and lessons.template == "r1"
    for judge in (config.helpfulness, config.safety):
        assert (judge.batch, judge.optim.learning_rate, judge.epochs, judge.sequence_length) == (256, 6e-6, 1, 8192)
    kept = len(config.samples.tasks) * config.samples.questions * config.samples.keep
    assert kept == 600_000 and 190_000 <= len(config.general) * config.general_each <= 210_000
    families = {parse_task(task)[0].name for task in config.preferences.tasks}
    assert families == {"requests", "safety"} and config.preferences.questions * 2 == 66_000  # of each, two languages
    assert config.preferences.max_tokens == 32_768
    assert (config.scores.temperature, config.scores.top_p) == (0.6, 0.95)


def test_v3_r1_starts_from_v3() -> None:
    config = v3_r1()
    counts = count_parameters(config.model)
    assert counts.main // 10**9 == 671 and counts.activated // 10**9 == 37
    assert config.pretrain.total_tokens == 14_800_000_000_000 and config.until == "r1"


# What is refused before anything is trained.


@pytest.mark.parametrize(
    ("sets", "says"),
    [
        (["r1.samples.format=plain"], "r1.samples.format='plain' is asked of a model that learnt to chat"),
        (["r1.preferences.format=r1_zero"], "r1.preferences.format='r1_zero'"),
        (["r1.general=requests:1:en,requets:1:zh"], "'requets:1:zh' must be NAME:DIFFICULTY:LANG"),
        (["r1.general_each=0"], "r1.general_each=0 must be at least 1"),
        (["r1.refusals.harmless=0"], "r1.refusals.harmless=0.0 above 0"),
        (["audits.models=r9"], "audits.models names r9"),
        (["r1.safety.kind=helpfulness"], "r1.safety.kind are what their names say"),
        (["r1.scores.reasoning="], "scores.reasoning names no task"),
        (["r1.scores.behaviour=arithmetic:1:en"], "arithmetic:1:en is in both reasoning and behaviour"),
        (["r1.judge=http://localhost:1/v1"], "a server's address (http...) and the name of its model go together"),
        (["r1.judge_name=m"], "r1.judge= and r1.judge_name=m: a server's address"),
        (["r1.judge_tokens=0"], "r1.judge_tokens=0 must be at least 1"),
        (["r1.zero.rollout.tasks="], "rollout.tasks='' names none"),
        (["r1.zero.rollout.tasks=arithmetic:1:en,arithmetic:1:en"], "names one twice"),
        (["r1.zero.rollout.longer_from=5", "r1.zero.rollout.longer_tokens=96"], "must be above rollout.max_tokens=96"),
        (["r1.zero.rollout.longer_from=40", "r1.zero.rollout.longer_tokens=97"], "never comes in rl.steps=40"),
        (["r1.zero.rollout.longer_from=5"], "rollout.longer_from=5 and rollout.longer_tokens=0 belong together"),
        (["r1.zero.rollout.temperature=0"], "rollout.temperature=0.0 must be above 0"),
        (["r1.scores.behaviour=mmlu:x.jsonl"], "mmlu has options to choose from"),
        (["base_model=somewhere"], "base_model=somewhere is where until=r1_zero or until=r1 starts"),
        (["r1.final.preference_steps=0"], "rl.rewards.helpfulness counts in the last rl.preference_steps only"),
    ],
)
def test_settings_that_cannot_work(sets: list[str], says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        override(laptop(), *sets)
    assert says in str(caught.value) and "\n" not in str(caught.value)


def test_forms_and_reward_models_are_checked_before_the_first_stage(tmp_path: Path) -> None:
    for sets, says in (
        (["r1.base_format=r1_zero"], "the model r1_zero is asked in the format 'r1_zero', not 'plain'"),
        (["r1.rl.rewards.safety=1", "r1.rl.preference_steps=1"], "the model dev2 has no reward model of safety"),
    ):
        config = override(laptop(), *sets)
        with pytest.raises(ConfigError, match=says):
            r1_stages(Chain(tmp_path, 0, config.train), config.r1, config.until)


def test_who_weighs_no_reward_model_needs_none(tmp_path: Path) -> None:
    config = laptop()
    rewards = replace(config.r1.final.rewards, safety=0.0)
    chain = Chain(tmp_path, 0, config.train)
    r1_stages(chain, replace(config.r1, final=replace(config.r1.final, rewards=rewards)), "r1")
    (final,) = [stage for stage in chain.stages if stage.name == "r1/checkpoints"]
    assert final.inputs == ("dev3/model", "helpfulness/model")


def test_the_names_that_recipes_use_are_known() -> None:
    assert not set(FAMILIES) & set(READERS), "a line of text would mean two things"
