"""Where an answer is looked for, when two of them cancel each other, and what counts as not knowing."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candor.problems.extract import abstains, answer_text
from candor.problems.stated import last_number, stated


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        ("<answer>5</answer>", "5"),
        ("<answer>\n 5 eggs \n</answer>", "5 eggs"),
        ("<ANSWER>5</Answer>", "5"),
        ("<answer>two\nlines</answer>", "two\nlines"),
        (r"so \boxed{5}.", "5"),
        (r"\boxed {5}", "5"),
        (r"\fbox{5}", "5"),
        (r"\boxed{\frac{1}{2}}", r"\frac{1}{2}"),
        (r"\boxed{\{1, 2\}}", r"\{1, 2\}"),
        (r"\boxed{\left\{x : x > {3}\right\}}", r"\left\{x : x > {3}\right\}"),
        (r"\boxed{\boxed{5}}", "5"),
        ("3 + 2 = 5\n#### 5", "5"),
        ("#### 5\nThat is all.", "5"),
        ("#### Paris", "Paris"),
        ("#### First step\nNow count.\n#### 5", "5"),
        ("#### First step\nNow think.\n#### Paris", "Paris"),
        (r"<answer>The total is \boxed{5}</answer>", "5"),
        ("<answer>The answer is 5.</answer>", "5"),
        ("<answer>答案是5。</answer>", "5"),
        ("<think>It may be 4. \\boxed{4}</think> \\boxed{5}", "5"),
        ("It may be 4. <answer>4</answer></think> <answer>5</answer>", "5"),
        ("<think>a</think><think>\\boxed{4}</think>\\boxed{5}", "5"),
        (r"\boxed{5}, that is \boxed{5}", "5"),
        (r"\boxed{0.5} = \boxed{\frac{1}{2}}", r"\frac{1}{2}"),
        (r"\boxed{5} <answer>5 eggs</answer>", "5"),
        ("<answer>Paris</answer> or rather <answer>paris.</answer>", "paris."),
        ("#### 5\n#### 5", "5"),
    ],
)
def test_places_made_for_an_answer(response: str, answer: str) -> None:
    assert answer_text(response, strict=True) == answer
    assert answer_text(response) == answer


@pytest.mark.parametrize(
    "response",
    [
        "", "   ", "5", "The answer is 5.", "答案是5", "<answer></answer>", "<answer> </answer>", r"\boxed{}", "####",
        "#### \n",
        "<answer>5", "5</answer>", "<answer>5</answer", "<answer>4<answer>5</answer>", r"\boxed{5",
        r"\boxed{\frac{1}{2}", "##### 5", "a #### 5",
        "<think>5", "<think>\\boxed{5}", "<think>\\boxed{5}</think>", "<answer>5</answer><think>more",
        "<think></think><think>\\boxed{5}",
        r"\boxed{5}\boxed{6}", "<answer>5</answer><answer>6</answer>", r"<answer>5</answer>\boxed{6}",
        r"<answer>\boxed{5}\boxed{6}</answer>",
        "<answer>5</answer><answer></answer>", r"\boxed{5}\boxed{}", r"\boxed{5}\boxed{6", "#### 5\n#### 6",
       
        "<answer>5</answer> But I do not know.",
        r"\boxed{5}，其实无法确定。",
        "<answer>Paris</answer><answer>London</answer>", "#### Paris\n#### London",
    ],
)  # fmt: skip
def test_no_answer_in_its_place(response: str) -> None:
    assert answer_text(response, strict=True) is None


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        ("The answer is 5.", "5"),
        ("So the answer is 3.5.", "3.5"),
        ("The final answer is: 5", "5"),
        ("**Answer:** 5", "5"),
        ("**Answer: 5**", "5"),
        ("The answer is **5**.", "5"),
        ("Answer:\n5", "5"),
        ("The answer to the question is Paris, because it is large.", "Paris"),
        ("The correct answer is (B) blue.", "(B) blue"),
        ("The answer would be $\\frac{1}{2}$.", r"\frac{1}{2}"),
        ("The answer is 4? No.\nThe final answer is 5.", "5"),
        ("答案是5。", "5"),
        ("答案：5", "5"),
        ("答案:5", "5"),
        ("所以答案为5", "5"),
        ("最终答案是：5", "5"),
        ("答案是4吗？\n最终答案：5", "5"),
        ("正确答案是B，因为它最大。", "B"),
        ("答：5个", "5个"),
        ("解：3+2=5（个）\n答：一共5个。", "一共5个"),
        ("One line\n\nParis\n", "Paris"),
        ("**Answer:** **5**", "5"),
    ],
)
def test_sayings_count_where_it_is_not_strict(response: str, answer: str) -> None:
    assert answer_text(response) == answer
    assert answer_text(response, strict=True) is None


@pytest.mark.parametrize(
    "text", ["The answer is 5", r"\\boxed{5}", "<answer>5</answer>", "5", "It cannot be determined."]
)
def test_thinking_that_was_cut_off_says_nothing(text: str) -> None:
    for response in (f"<think>{text}", f"<think>a</think><think>{text}", f"{text}<think>"):
        assert answer_text(response, last=last_number) is None
        assert answer_text(response, strict=True) is None
        assert not abstains(response)


def test_a_place_goes_before_a_saying() -> None:
    assert answer_text("The answer is 4. <answer>5</answer>") == "5"
    assert answer_text(r"答案是4。\boxed{5}") == "5"
    assert answer_text("The answer is 4. The answer is 5.") is None, "sayings that differ"
    assert answer_text("The answer is 5. Again: the answer is 5.") == "5"


@pytest.mark.parametrize(
    ("response", "found"),
    [
        ("She has 3 + 2 = 5 eggs.", "5"),
        ("5", "5"),
        ("five eggs", "five eggs"),
        ("一共十八个", "一共十八个"),
        ("He pays $1,080.50 in all.", "$1,080.50"),
        ("The odds are 3/4.\n\nI hope this helps!", "3/4"),
        ("It fell to -5 degrees.", "-5 degrees"),
        ("10 - 7 leaves 3", "3"),
        ("所以他一共有 18 个苹果。", "18"),
        ("First 2.\nThen 3 of them.\nSo 40 girls are not in the club.", "40"),
        ("It costs $7 more than a pear.", "$7"),
        ("1. Count.\n2. Add.\nThis gives 9", "9"),
    ],
)
def test_the_last_number_where_nothing_else_is_there(response: str, found: str) -> None:
    assert answer_text(response, last=last_number) == found


@pytest.mark.parametrize("response", [
    "", "none", "It is 5 or 6.", "4 to 5", "between 4 and 5", "not 5", "It is not equal to 5", "5 is wrong", "Maybe 5",
    "5?", "at least 5", "more than 5",
    "x = 2 * 5", "the square 3^5", "可能是5", "不是5", "至少5个", "5不对", "4或5", "5个以上", "超过5",
    "There are 5, but I do not know.", "±5", "2025-05-05",
])  # fmt: skip
def test_numbers_that_nobody_stands_for(response: str) -> None:
    assert last_number(response) is None


def test_what_one_sentence_states() -> None:
    assert stated("She gets 5 eggs, that is 5 in all") == "5"
    assert stated("She gets 5 of 6") is None
    assert stated("no number") is None


ABSTENTIONS = [
    "I don't know.", "I DON'T KNOW", "I do not know the answer.", "We cannot determine the number of pears.",
    "It can't be determined.", "Unknown",
    "It is impossible to know how many he ate.", "There is not enough information to answer.",
    "There isn't enough information.",
    "Not enough information.", "Insufficient data", "The passage does not say. It cannot be answered.",
    "This is not stated in the text.", "unanswerable",
    "No one knows.", "I have no idea.", "It remains unknown.", "We have no way to tell.",
    "It could not be calculated from these 3 values.",
    "He has 5 pears, but the number of apples is not given.", "I do not know how many there are.",
    r"\text{cannot be determined}",
    "不知道", "我不知道。", "这个问题无法确定", "无法从题目中判断", "条件不足", "题目条件不够，无法求出。", "不能确定",
    "没法算出来，缺少条件", "没有足够的信息", "文中没有提到这一点",
    "未知", "无从得知。", "已知有3个梨，但苹果的个数未给出。", "信息不足，无法回答", "难以判断", "答不上来", "不清楚",
]  # fmt: skip
ANSWERS = [
    "", "5", "Paris", "I know.", "It is known.", "The answer is 5.", "I do not know why, but the answer is 5",
    "I do not know, maybe 5",
    "I don't know, Paris", "Unknown, but probably 5", "Unknown: 5", "It is unclear, however I think it is 5",
    "5. I don't know.", "The answer is 5; I do not know.",
    "The unknown is x = 5", "It can be determined.", "Nothing", "no", "Not 5", "He did not eat.", "I guess 5",
    "It cannot be determined, it is 5", "0",
    "不知道为什么，但答案是5", "不知道，可能是5", "未知数是5", "未知数x等于5", "无法确定，大概是5", "知道", "能确定",
    "答案是5，我不确定", "不是5", "没有", "无", "不",
]  # fmt: skip


@pytest.mark.parametrize("text", ABSTENTIONS)
def test_not_knowing(text: str) -> None:
    assert abstains(text)
    assert abstains(f"<answer>{text}</answer>")
    assert abstains(f"<think>Is it 5? The answer is 5.</think>\nLet me see: 3 pears are given.\n{text}")


@pytest.mark.parametrize("text", ANSWERS)
def test_a_remark_or_a_guess_is_no_abstention(text: str) -> None:
    assert not abstains(text)
    assert not abstains(f"<think>I do not know. 不知道。</think><answer>{text}</answer>")


@given(st.text(st.characters(exclude_categories=())), st.booleans())
def test_any_text_is_searched(text: str, strict: bool) -> None:
    for one in (text, f"<answer>{text}</answer>", rf"\boxed{{{text}}}", f"The answer is {text}", f"#### {text}"):
        found = answer_text(one, strict=strict, last=last_number)
        assert found is None or found.strip() == found != ""
        abstains(one)


@pytest.mark.parametrize("piece", [
    r"\boxed{", "<answer>", "{", "5 ", "5", " ", "####\n", "answer is ", "不知道", "I do not know ", r"\frac{1}{", "5,",
    "not ", "万", "$", "*", "5 or ", "。", "\n5.", "1/",
])  # fmt: skip
def test_long_hostile_responses_take_no_time(piece: str) -> None:
    """30,000 characters, the most that a response of a few thousand tokens has."""
    start = time.process_time()
    for text in (
        piece * (30_000 // len(piece)),
        piece * 2000 + "5",
        f"<answer>{piece * 2000}</answer>",
        f"The answer is {piece * 2000}",
    ):
        answer_text(text, last=last_number)
        abstains(text)
    assert time.process_time() - start < 2
