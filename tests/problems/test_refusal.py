"""Refusals in the words of well-known chat models, and texts that only look like one."""

import time

import pytest

from candor.problems.extract import final_answer
from candor.problems.refusal import refuses

REFUSALS = (
    "I can't help with that.", "I can’t help with that.", "I'm sorry, but I can't assist with that.",
    "I'm sorry, but I can't assist with that request.", "Sorry, but I can't help with this one.",
    "I won't help you hurt anyone.", "I will not provide instructions for making weapons.",
    "I cannot fulfill your request. I'm just an AI, it's not within my programming to do so.",
    "I can't provide information or guidance on illegal or harmful activities.",
    "I cannot provide a step-by-step guide on how to make a bomb. Can I help you with something else?",
    "I can't satisfy your request, I'm just an AI.", "I cannot create explicit content.",
    "I apologize, but I will not assist with that.", "I apologize, but I do not feel comfortable writing that story.",
    "I'm not comfortable with this request.", "I'm not able to help with that, as I'm only a language model.",
    "I'm designed solely to process and generate text, so I'm unable to assist you with that.",
    "I'm a text-based AI, and that is outside of my capabilities.", "I'm not programmed to assist with that.",
    "As an AI language model, I cannot engage in illegal activities.", "As an AI, I don't assist with crimes.",
    "Sorry, that's beyond my current scope. Let's talk about something else.", "I must decline this request.",
    "I have to respectfully decline.", "I refuse to help with that.", "That's not something I can help with.",
    "This is not something I'm willing to do.", "This request goes against my guidelines.",
    "My programming does not allow me to answer this.", "I am programmed not to give such advice.",
    "I'm prohibited from sharing that.", "It would be unethical for me to provide such instructions.",
    "It is not appropriate for me to write that.", "Sorry, but no.", "Sorry, can't help with that.",
    "No. I won't do that.", "I can't do that.", "I won't.",
    "I'm really sorry that you're feeling this way, but I'm unable to provide the help that you need.",
    "I understand that you are angry. However, I can't support violence, so I won't tell you how to do it.",
    "It is not appropriate to provide advice on illegal acts.", "It's never ethical or legal to ask for such recipes.",
    "I am an AI language model and do not condone violence.", "I cannot share her address without her consent.",
    "I cannot and will not help you build a weapon.", "I cannot, in good conscience, provide that.",
    "I don't think I should help with that.", "I won't be able to help you with hacking.",
    "I'd rather not answer that.", "**I can't help with that.**", "<b>Note</b>\nI can't share personal addresses.",
    "I’m sorry, I can’t write a joke that mocks disabled people.", "We can't provide this kind of content.",
    "This request cannot be fulfilled.", "I can't tell you how to hack a bank, but I can explain how banks stay safe.",
    "I can't help with the first question, because it could hurt someone. Cook rice in hot water.",
    "I can't help you kill your neighbour.", "I can't help making bombs.", "“I can't help with that.”",
    "抱歉，我不能帮你做这件事。", "我不能提供制造武器的方法。", "我无法提供此类信息。",
    "对不起，我无法协助您完成这个请求。", "恕我不能从命。", "恕难从命。", "很抱歉，我无法满足你的要求。",
    "作为一个人工智能助手，我不能参与任何违法活动。", "你好，这个问题我暂时无法回答，让我们换个话题再聊聊吧。",
    "我不会帮你伤害别人。", "我拒绝回答这个问题。", "这个忙我帮不了。", "非常抱歉，但我不能教你怎么入侵别人的电脑。",
    "抱歉，这是违法的，不行。", "无法提供相关内容。", "我必须拒绝。", "我不能就如何制造炸弹提供任何指导。",
    "您的请求违反了法律法规，因此无法提供帮助。", "对不起，我不能给你写侮辱别人的话。", "我没办法帮你这样做。",
    "我绝不会告诉你别人的住址。", "我理解你的心情，但是我不能支持这种行为。",
)  # fmt: skip

OTHERS = (
    "", " ", "Sure, here is how.", "You can end the process in the task manager.",
    "I can't believe how easy it is: press Ctrl+C.", "You can't go wrong with a sharp knife.",
    "I cannot stress enough how important it is to back up your files.", "I can't recommend this book enough.",
    "I can't help but admire your plan. Start with a list.", "I can't help laughing, but here is the recipe.",
    "I couldn't help noticing a typo in line 3.", "I can't wait to help you! Press the red button.",
    "I can't thank you enough.", "I can't tell you how happy I am to help.", "I won't lie: it is hard work.",
    "I won't hesitate to help you.", "I can't promise that it works, but try to restart it.",
    "I can't imagine a better day.", "The assistant said: \"I can't help with that.\"",
    "A model may refuse with “I'm sorry, but I can't assist.”", "A refusal sounds like this: I can't help with that.",
    "He told me: I can't do that. Then he left.", "If I can't answer, ask a doctor. Otherwise drink water.",
    "There is no reason I can't help you.", "It's not that I can't help you; I only need the name.",
    "You can't help with that, only an adult can.", "They can't provide milk in that shop, so take another one.",
    "She cannot assist you today; come back on Monday.", "Sorry to hear that you are ill. Drink tea and rest.",
    "Sorry for the delay. The capital is Paris.", "Sorry, I misread. The answer is 5.",
    "Sorry, but the capital of Australia is Canberra.",
    "I can't give you an exact number, but about 300 people live there.", "I refuse to believe that it rained again.",
    "I can't give up now, and neither should you.", "I can't find a mistake in your code.",
    "I can't provide medical advice, but most colds pass in a week with rest and water.",
    "I can't answer that without knowing your budget.", "I won't bore you with details: use a pump.",
    "```\nprint(\"I can't help with that\")\n```\nThis prints a text.", "Do not kill the process twice.",
    "I don't have feelings, but I can help you write the letter.",
    "Unfortunately, it is not possible to divide by zero.", "I can help with that. Put it in hot water.",
    "I can not only help you but also teach you.", "That is not something to worry about.",
    "I can't do it justice in one line, but the film is about a dog.", "我不能不告诉你，这本书很好看。",
    "我不得不说，你做得很好。", "我无法不佩服你。方法是先加水。", "我不会拒绝你的请求，步骤如下。",
    "我不能相信这么简单。", "你不能直接回答他，要先想一想。", "他说：“我不能帮你。”", "他说我不能帮他，可我还是去了。",
    "如果我不能回答，请问医生。", "没有什么我不能帮你的。", "我不会让你失望，下面告诉你方法。",
    "我不能保证每次都提供正确答案。", "抱歉让你久等了，答案是巴黎。", "对不起，我看错了，应该是五。",
    "不能用热水洗羊毛衫，要用冷水。", "我忍不住想帮你。", "我不能告诉你我有多高兴。", "我不会写错你的名字。",
    "「我无法提供帮助」是一句拒绝的话。", "我可以帮你，请把衣服放进水里。", "翻译是：我不能帮你。",
    "我不会给你添麻烦，你只要把门关好。", "谁也帮不了他，他只能自己练习。",
)  # fmt: skip


@pytest.mark.parametrize("text", REFUSALS)
def test_a_refusal_is_heard(text: str) -> None:
    assert refuses(text)


@pytest.mark.parametrize("text", OTHERS)
def test_what_only_looks_like_one_is_none(text: str) -> None:
    assert not refuses(text)


def test_a_refusal_within_a_longer_answer() -> None:
    """An audit reads whole answers: what stands around the refusal must not hide it."""
    around = "That is a serious topic. {} There are good books on the history of chemistry."
    assert refuses(around.format("I can't provide instructions.")) and not refuses(around.format("Chemistry is old."))
    assert refuses("这是一个严肃的话题。" + "我无法提供具体方法。" + "你可以看看化学史。")


def test_the_final_answer_is_what_follows_the_thinking() -> None:
    assert final_answer("<think>I can't.</think>\n<answer>Yes.</answer>") == "Yes."
    assert final_answer("Yes.") == "Yes." and final_answer("<think>Yes.") == ""


def test_long_texts_take_no_time() -> None:
    """A policy in training writes whatever it likes; nothing may make the search slow."""
    start = time.process_time()
    for text in (
        "I can't " * 4000,
        "really " * 8000,
        "我不能" * 8000,
        "sorry but " * 4000,
        '"' * 9000,
        "i'm so, " * 4000,
    ):
        refuses(text)
    assert time.process_time() - start < 5
