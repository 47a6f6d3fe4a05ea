"""Planted models are told apart: an unsafe one, one that refuses all, a clean one, and one that an attack turns."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from candor.data.harmful import KeywordBank
from candor.errors import ConfigError, DataError, RequestError, Unreachable
from candor.evaluate.safety.asking import Asking, asker, responder
from candor.evaluate.safety.attacks import attack_of
from candor.evaluate.safety.audit import Audit, Respond, SafetyResult, audit, overall, read_audit, together, write_audit
from candor.evaluate.safety.bank import KINDS, RULES, Bank, Broken, Item, Outcome
from candor.evaluate.safety.classes import REFUSED_RISKS
from candor.evaluate.safety.judges import Exchange, KeywordJudge, ModelJudge, Verdict
from candor.evaluate.safety.made import made_banks
from tests.evaluate.conftest import Scripted
from tests.evaluate.safety.banks import HARMFUL, HELPFUL, REFUSAL, full_bank, model

TERMS = KeywordBank(
    [("badword", "A.1.f"), *((f"term{n}of{risk.code[-3:]}x", risk.code) for risk in REFUSED_RISKS for n in range(600))]
)


def planted(harmful: float, over: float, seed: int) -> Respond:
    """Answers a share of what it must refuse, and refuses a share of what it must not."""
    source = Random(seed)

    def say(turn: str) -> str:
        if turn.startswith("should-refuse"):
            return HARMFUL if source.random() < harmful else REFUSAL
        if turn.startswith("should-not-refuse"):
            return REFUSAL if source.random() < over else HELPFUL
        return HARMFUL if source.random() < harmful else HELPFUL

    return model(say)


def audited(respond: Respond, seed: int) -> Audit:
    banks = [full_bank(kind, seed=seed) for kind in KINDS]
    return together([audit(bank, respond, [KeywordJudge(TERMS, "t")], model="planted", seed=seed) for bank in banks])


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("harmful", "over", "outcomes"),
    [
        (0.0, 0.0, {"generation": "pass", "should-refuse": "pass", "should-not-refuse": "pass"}),
        (0.01, 0.01, {"generation": "pass", "should-refuse": "pass", "should-not-refuse": "pass"}),
        (0.3, 0.0, {"generation": "fail", "should-refuse": "fail", "should-not-refuse": "pass"}),
        (0.0, 0.3, {"generation": "pass", "should-refuse": "pass", "should-not-refuse": "fail"}),
        (0.0, 1.0, {"generation": "pass", "should-refuse": "pass", "should-not-refuse": "fail"}),
        (1.0, 1.0, {"generation": "fail", "should-refuse": "fail", "should-not-refuse": "fail"}),
    ],
    ids=["clean", "nearly clean", "unsafe", "over-refusing", "refuses all", "both"],
)
def test_planted_models_are_told_apart(harmful: float, over: float, outcomes: dict[str, Outcome], seed: int) -> None:
    found = audited(planted(harmful, over, seed), seed)
    assert {result.kind: result.outcome for result in found.results} == outcomes
    assert overall(found.results)[0] == ("pass" if set(outcomes.values()) == {"pass"} else "fail")


@pytest.mark.parametrize("seed", range(5))
def test_a_clean_model_on_our_own_banks_is_not_shown_to_pass(seed: int) -> None:
    banks = made_banks(seed=seed)
    harmful = {item.prompt for item in banks[1].items}
    clean = model(lambda turn: REFUSAL if turn in harmful else HELPFUL)
    unsafe = model(lambda turn: HARMFUL)
    silent = model(lambda turn: REFUSAL)
    judges = [KeywordJudge(TERMS, "t")]
    outcomes = {
        name: [audit(bank, respond, judges, model=name, seed=seed).results[0].outcome for bank in banks]
        for name, respond in (("clean", clean), ("unsafe", unsafe), ("silent", silent))
    }
    assert outcomes["clean"] == ["not shown"] * 3
    assert outcomes["unsafe"] == ["fail", "fail", "not shown"]
    assert outcomes["silent"][2] == "fail"


@pytest.mark.parametrize("bank", made_banks(), ids=lambda bank: bank.kind)
def test_our_own_banks_are_what_they_say(bank: Bank) -> None:
    assert bank == next(one for one in made_banks() if one.kind == bank.kind) and bank.generated
    assert len({item.prompt for item in bank.items}) == len(bank.items) and {item.lang for item in bank.items} == {
        "en",
        "zh",
    }
    known = set(RULES[bank.kind].each) | {"everyday", "A.3.e", "A.4.a", "A.4.e"}
    assert {item.label for item in bank.items} <= known
    assert made_banks(seed=1)[1].items != made_banks(seed=2)[1].items


# Attacks.


def test_a_model_that_reads_base64_is_turned_by_it_alone() -> None:
    bank = full_bank("should-refuse")
    asked = {item.prompt for item in bank.items}

    def say(turn: str) -> str:
        return REFUSAL if any(prompt in turn for prompt in asked) else HARMFUL

    def result(name: str) -> SafetyResult:
        attack = attack_of(name) if name else None
        (one,) = audit(bank, model(say), [KeywordJudge()], model="m", attack=attack).results
        return one

    assert (result("").outcome, result("role").outcome, result("role|base64").outcome) == ("pass", "pass", "fail")
    assert result("role|base64").attack == "role|base64" and result("role").unchanged == 0
    assert result("traditional").unchanged == 300  # English questions have no other script


# What cannot be judged.


class Says:
    """A judge that says what it is told to."""

    def __init__(self, name: str, *given: Verdict):
        self.name, self._given = name, given

    def lacks(self, kind: str) -> tuple[str, ...]:
        return ()

    def judge(self, kind: str, exchanges: Sequence[Exchange]) -> list[Verdict]:
        return [self._given[place % len(self._given)] for place in range(len(exchanges))]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("reply", [None, "", "I think it is fine.", "<verdict>maybe</verdict>"])
def test_a_judge_of_nonsense_never_lets_a_model_pass(kind: str, reply: str | None) -> None:
    judge = ModelJudge(lambda texts: [reply] * len(texts), "broken")
    (result,) = audit(full_bank(kind), model(lambda turn: HELPFUL), [judge], model="m").results  # type: ignore[arg-type]
    assert result.verdicts == {"invalid": result.n} and result.outcome == "not shown"
    assert len(result.wrong) == result.n and f"{result.n} answers that could not be judged" in result.reasons[-1]


def test_a_judge_that_times_out_is_counted_and_goes_on() -> None:
    """Of three requests one times out and one is refused: two invalid, one verdict."""
    errors: dict[str, str | Exception] = {
        "a1": Unreachable("timed out"), "b1": RequestError("too long"), "c1": "<verdict>refused</verdict>",
    }  # fmt: skip
    guard = Scripted(lambda prompt, seed: next(value for name, value in errors.items() if name in prompt))
    items = tuple(Item(id=n, prompt=n, label="", lang="en", source="t") for n in errors)
    bank = Bank(name="three", kind="should-refuse", items=items)
    judge = ModelJudge(asker(guard, Asking()), "guard")
    (result,) = audit(bank, model(lambda turn: REFUSAL), [judge], model="m").results
    assert result.verdicts == {"invalid": 2, "refused": 1} and result.wrong == ("a1", "b1")


def test_two_judges_are_compared() -> None:
    judges = [Says("one", Verdict.SAFE, Verdict.REFUSED), Says("two", Verdict.SAFE, Verdict.REFUSED, Verdict.INVALID)]
    found = audit(full_bank("should-refuse"), model(lambda turn: "x"), judges, model="m")
    (agreement,) = found.agreements
    # Of each 6: 1 and 2 same, 3 and 6 unjudged, 4 and 5 opposite.
    assert agreement.judges == ("one", "two") and agreement.same.n == 200 and agreement.same.value == 0.5
    assert agreement.kappa is not None and agreement.kappa.value == pytest.approx(0)


def test_judges_are_named_once() -> None:
    for judges in ([], [Says("one", Verdict.SAFE)] * 2):
        with pytest.raises(ConfigError, match="each once"):
            audit(full_bank("generation"), model(lambda turn: "x"), judges, model="m")
    with pytest.raises(DataError, match="is empty"):
        audit(Bank(name="none", kind="generation", items=()), model(lambda turn: "x"), [KeywordJudge()], model="m")


def test_a_pass_needs_every_kind_of_bank() -> None:
    found = audited(planted(0, 0, 0), 0)
    outcome, why = overall(found.results[:2])
    assert outcome == "not shown" and why == ("no should-not-refuse bank was used",)
    assert overall(()) == ("not shown", tuple(f"no {kind} bank was used" for kind in KINDS))


# What is written.


def test_results_come_back_and_hold_no_question_and_no_answer(tmp_path: Path) -> None:
    bank = replace(full_bank("should-refuse"), broken=(Broken(12, "no text in 'prompt'"),))
    judges = [KeywordJudge(), Says("other", Verdict.REFUSED, Verdict.UNSAFE)]
    found = audit(bank, model(lambda turn: f"{HARMFUL} {turn}"), judges, model="m", attack=attack_of("role"))
    path = write_audit(found, tmp_path)
    assert read_audit(path) == found and found.results[0].broken == (12,)
    text = path.read_text()
    assert not any(item.prompt in text for item in bank.items) and "placeholder" not in text
    value = json.loads(text)
    assert value["outcome"] == "fail" and value["results"][0]["verdicts"] == {"unsafe": 300}
    assert sum(sum(counts.values()) for counts in value["results"][0]["labels"].values()) == 300
    path.write_text("{}")
    with pytest.raises(DataError, match="no safety test of this version"):
        read_audit(path)


# Asking a subject.


def test_a_conversation_goes_turn_by_turn_and_is_kept(tmp_path: Path) -> None:
    class Talking(Scripted):
        def chat(self, message):  # type: ignore[no-untyped-def]
            return message if isinstance(message, str) else json.dumps(message)

    subject = Talking(lambda prompt, seed: f"heard {len(prompt)}")
    asked = [("one",), ("one", "two", "three"), ("four", "five")]
    kept = tmp_path / "answers"
    heard = responder(subject, Asking(), kept)(asked)
    assert [len(own) for own in heard] == [1, 3, 2] and heard[0][0] == heard[1][0] == "heard 3"
    third = json.loads(subject.asked[-1])
    assert [message["role"] for message in third] == ["user", "assistant", "user", "assistant", "user"]
    assert third[1]["content"] == "heard 3" and third[-1]["content"] == "three"
    again = Talking(lambda prompt, seed: "other")
    assert responder(again, Asking(), kept)(asked) == heard and not again.asked
    assert not any("one" in path.read_text().replace("heard", "") for path in tmp_path.iterdir())
    with pytest.raises(ConfigError, match="another model, task or setting"):
        responder(again, Asking(temperature=0.1), kept)(asked)


def test_a_refused_request_has_no_answer_and_ends_its_conversation() -> None:
    subject = Scripted(lambda prompt, seed: RequestError("too long") if "bad" in prompt else "fine")
    subject.chat = lambda message: message if isinstance(message, str) else "next"  # type: ignore[method-assign]
    heard = responder(subject, Asking())([("bad", "more"), ("good", "more")])
    assert heard == [(None, None), ("fine", "fine")]


def test_a_server_that_fails_leaves_no_result(tmp_path: Path) -> None:
    subject = Scripted(lambda prompt, seed: Unreachable("down") if "7" in prompt else REFUSAL)
    bank = full_bank("should-refuse")
    with pytest.raises(Unreachable, match="down"):
        audit(bank, responder(subject, Asking(), tmp_path / "a"), [KeywordJudge()], model="m")
