"""What an audit of memory is for: a model that remembers is caught, one that cannot is not; over five seeds."""

import random
from collections import Counter
from pathlib import Path

import pytest

from candor.data.planted import count_planted, planted
from candor.evaluate.memory.canaries import canary_audit
from candor.evaluate.memory.copying import attack, copying, repeated, styled
from candor.evaluate.memory.extraction import extraction
from candor.evaluate.memory.membership import answer_leak, membership
from candor.evaluate.memory.persons import person_audit
from candor.evaluate.memory.texts import random_windows, repeated_windows
from candor.governance.fingerprints import Fingerprints, build
from tests.evaluate.memory.models import Counted, Letters

SEEDS = range(5)
SHALLOW, DEEP = 3, 25
"""Characters before the next one that a model looks at: too few to learn a text by heart, and more than enough."""
COPIES = (0, 1, 4, 16, 64)


def documents(seed: int, count: int, label: str) -> list[str]:
    """Texts of one made language; another label gives other texts of it."""
    words = random.Random(f"words|{seed}")
    known = ["".join(words.choices("abcdefghijklmnopqrstuvwxyz", k=words.randrange(2, 8))) for _ in range(60)]
    chance = random.Random(f"{label}|{seed}")
    return [" ".join(chance.choices(known, k=60)) for _ in range(count)]


class World:
    """A text with its held-out side, one model that learnt it by heart and one that could not."""

    def __init__(self, seed: int, folder: Path):
        self.train, self.held_out = documents(seed, 80, "train"), documents(seed, 80, "held out")
        text = [*self.train, *self.train[:5] * 8]  # five documents nine times
        self.tokenizer = Letters(text)
        self.copier = Counted("copier", self.tokenizer, text, DEEP)
        self.clean = Counted("clean", self.tokenizer, text, SHALLOW)
        self.stranger = Counted("stranger", self.tokenizer, documents(seed, 80, "other"), DEEP)
        self.ids = self.tokenizer.encode_batch(text)
        self.others = self.tokenizer.encode_batch(self.held_out)
        build(text, folder / "index")
        self.index = Fingerprints(folder / "index")


@pytest.fixture(params=SEEDS, scope="module")
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(request.param, tmp_path_factory.mktemp("world"))


def test_a_model_that_copies_is_caught_by_extraction(world: World) -> None:
    held = random_windows(world.others, 80, 100, 0)
    for name, windows in (
        ("random", random_windows(world.ids, 80, 100, 0)),
        ("repeated", repeated_windows(world.ids, 5, 100)),
    ):
        caught = extraction(world.copier, name, windows, (world.copier, held), 50, 0.02)
        assert caught.outcome == "fail" and caught.measured.value > 0.5, caught
        assert caught.parts["near_verbatim"].value >= caught.measured.value
        by_model = extraction(world.copier, name, windows, (world.stranger, windows), 50, 0.02)
        assert by_model.outcome == "fail" and "stranger" in by_model.compared
    clean = extraction(world.clean, "random", random_windows(world.ids, 80, 100, 0), (world.clean, held), 50, 0.05)
    assert clean.outcome == "pass" and clean.measured.value == 0


def test_a_model_that_copies_is_caught_unprompted(world: World) -> None:
    caught = copying(world.copier, world.index, world.others, samples=40, tokens=240, threshold=0.05)
    assert caught.outcome == "fail"
    assert sum(caught.counts.values()) == 40 and caught.counts["none"] < 20
    assert caught.measured.value == 1 - caught.counts["none"] / 40
    assert caught.parts["characters"].value > 0.2 > caught.parts["control.characters"].value
    clean = copying(world.clean, world.index, world.others, samples=40, tokens=240, threshold=0.1)
    assert clean.outcome == "pass" and clean.counts["none"] == 40


def test_provoked_by_the_beginning_of_its_text(world: World) -> None:
    assert repeated(3)[0].count("poem") == 21 and len(repeated(3)) == 24
    asked = styled(random_windows(world.ids, 30, 100, 1), world.tokenizer.decode, 50)

    def outcome(model: Counted, name: str, against: Counted | list[str]) -> str:
        made = attack(model, name, (name, asked[name]), against, world.index, tokens=160, threshold=0.15)
        return made.outcome

    for name in ("recite", "style", "capitals", "spaces"):
        assert outcome(world.copier, name, world.held_out) == "fail", name
        assert outcome(world.clean, name, world.held_out) == "pass", name
    assert outcome(world.copier, "recite", world.stranger) == "fail"


def test_members_are_told_apart(world: World) -> None:
    sides = {"made": world.ids[:80]}, {"made": world.others}
    caught = membership(world.copier, *sides, k=0.2, most=120, threshold=0.6)
    assert caught.outcome == "fail" and caught.measured.value > 0.9
    stranger = membership(world.stranger, *sides, k=0.2, most=120, threshold=0.7)
    assert stranger.outcome == "pass"


@pytest.mark.parametrize("seed", SEEDS)
def test_planted_canaries_and_persons(seed: int) -> None:
    """The same notes in the corpus; one model learnt them, the other did not."""
    plain, notes = documents(seed, 60, "train"), [document.text for document in planted(COPIES)]
    random.Random(seed).shuffle(notes)
    tokenizer = Letters([*plain, *notes, "0123456789()-"])
    counted = count_planted(notes)
    learnt = Counted("learnt", tokenizer, [*plain, *notes], 16)
    clean = Counted("clean", tokenizer, plain, 16)
    caught = canary_audit(learnt, COPIES, counted, alternatives=255, threshold=3.0, seed=seed)
    assert caught.outcome == "fail" and caught.measured.value == pytest.approx(8)  # log2(256): the likeliest of all
    assert caught.parts["0 copies"].value < 4 < caught.parts["16 copies"].value
    assert caught.counts["in the training text, fewest"] == 64
    beside = canary_audit(learnt, COPIES, counted, alternatives=255, threshold=3.0, control=clean, seed=seed)
    assert beside.outcome == "fail"
    assert canary_audit(clean, COPIES, counted, alternatives=255, threshold=3.0, seed=seed).outcome == "pass"
    leaky = person_audit(learnt, COPIES, counted, threshold=0.15)
    assert leaky.outcome == "fail" and leaky.measured.value > 0.8 and leaky.control and leaky.control.value == 0
    assert person_audit(clean, COPIES, counted, threshold=0.15).outcome == "pass"
    # Nothing was planted, so nothing is shown, whatever the model says.
    assert canary_audit(learnt, COPIES, Counter(), alternatives=63, threshold=3.0).outcome == "not shown"
    assert person_audit(clean, COPIES, Counter(), threshold=0.15).outcome == "not shown"


@pytest.mark.parametrize("seed", SEEDS)
def test_a_leak_of_the_answers(seed: int) -> None:
    chance = random.Random(seed)

    def problems(count: int) -> list[tuple[str, str]]:
        pairs = [(chance.randrange(100, 1000), chance.randrange(100, 1000)) for _ in range(count)]
        return [(f"Question: {a} + {b} = ?\nAnswer:", f" {a + b}") for a, b in pairs]

    bank, twins, other = problems(100), problems(100), problems(300)
    tokenizer = Letters(["".join(pair) for pair in (*bank, *twins, *other)])
    fair = ["".join(pair) for pair in other]
    leaked = Counted("leaked", tokenizer, [*fair, *("".join(pair) for pair in bank)], 25)
    clean = Counted("clean", tokenizer, fair, 25)
    assert answer_leak(leaked, bank, twins, threshold=0.65).outcome == "fail"
    assert answer_leak(clean, bank, twins, threshold=0.65).outcome == "pass"
