"""k-anonymity, the linkage attack and the gate, against counting by hand and by brute force."""

import random

import pytest

from candor.governance.pii.anonymity import Linkage, alike, anonymity, left, linkage, missing


def test_what_is_left_of_a_masked_text() -> None:
    assert left("<person>, <age:30-39>, nurse in <location:浙江>") == ("age:30-39", "location:浙江", "nurse")
    assert left("他是护士，回族，患有糖尿病") == ("回族", "护士", "糖尿病")
    assert left("<person> wrote to <organisation>") == ()
    assert left("The nursery opened") == ()  # no nurse


def test_k_is_the_number_of_records_that_are_alike() -> None:
    """By the worked example of an equivalence class: three, two and one."""
    texts = ["<age:30-39> nurse", "nurse <age:30-39>", "a nurse, <age:30-39>!", "<age:40-49>", "<age:40-49> x", "baker"]
    pool = anonymity(texts)
    assert pool.k == (3, 3, 3, 2, 2, 1)
    assert pool.lowest == 1 and pool.below(3) == [3, 4, 5]
    assert pool.mean_risk == pytest.approx((3 * 1 / 3 + 2 * 1 / 2 + 1) / 6)
    assert anonymity([]).lowest == 0 and anonymity([]).mean_risk == 0.0


def test_records_of_one_user_count_once() -> None:
    same, other = ("nurse",), ("baker",)
    assert alike([same, same, same, other], [0, 0, 1, 2], 2) == [True, True, True, False]
    assert alike([same, same], [0, 0], 2) == [False, False]


def _authors(n: int, seed: int) -> tuple[list[str], list[str]]:
    """Two texts of each of n authors who have a few words of their own."""
    chance = random.Random(seed)
    common = [f"w{number}" for number in range(200)]
    texts: tuple[list[str], list[str]] = ([], [])
    for author in range(n):
        own = [f"own{author}x{number}" for number in range(3)]
        for side in texts:
            side.append(" ".join(chance.sample(common, 20) + own))
    return texts


def test_the_attack_finds_who_keeps_own_words_and_nobody_else() -> None:
    first, second = _authors(100, 0)
    assert linkage(first, second).found > 0.95
    stripped = [" ".join(word for word in text.split() if not word.startswith("own")) for text in first]
    assert linkage(stripped, second).found < 0.1
    same = linkage(["<person>"] * 50, second[:50])
    assert same.found == pytest.approx(1 / 50) == same.chance  # ties count by chance
    assert linkage([], []) == Linkage(0.0, 0.0, 0)
    with pytest.raises(ValueError, match="1 records and 2 authors"):
        linkage(["a"], ["b", "c"])


def test_the_gate_says_what_is_missing() -> None:
    good = anonymity(["x"] * 10)
    assert missing(0, good, Linkage(0.01, 0.01, 100), k=5, most_linked=0.05) == []
    assert len(missing(2, anonymity(["a nurse", "x"]), Linkage(0.5, 0.01, 100), k=5, most_linked=0.05)) == 3
    assert missing(0, good, Linkage(0.1, 0.1, 10), k=5, most_linked=0.05) == []  # no better than guessing
