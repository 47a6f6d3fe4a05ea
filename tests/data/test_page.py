"""Lines of a page's frame go and prose stays; notices against copies are found, talk of copying is not."""

import time
from pathlib import Path

import pytest

from candor.data.page import forbids_copies, without_boilerplate
from tests.data.public import CLEAN, clean

FRAME = [
    "Please enable JavaScript to view the comments powered by Disqus.",
    "You need to enable JavaScript to run this app.",
    "JavaScript is disabled in your browser.",
    "This site requires JavaScript.",
    "JavaScript must be enabled.",
    "This website uses cookies to improve your experience.",
    "We use cookies.",
    "Accept all cookies",
    "Cookie policy",
    "Our Cookie Settings",
    "Privacy Policy | Terms of Use",
    "Terms of Service",
    "© 2019 Example Ltd. All rights reserved.",
    "Subscribe to our weekly newsletter",
    "Sign up for our mailing list!",
    "Share this post",
    "Share on Facebook",
    "Share this article",
    "Skip to main content",
    "« Previous post",
    "Next post »",
    "Next page",
    "Previous article",
    "Lorem ipsum dolor sit amet, consectetur adipiscing elit.",
    "版权所有 © 2020 某某公司",
    "隐私政策",
    "使用条款",
    "京ICP备12345678号",
    "京公网安备 11010802020134号",
    "分享到：微信 微博",
    "上一篇：城市的变化",
    "下一篇:无",
    "请关注我们的公众号",
    "扫码关注",
    "点击这里订阅",
    "点击下载APP",
    "点击查看全文",
    "登录",
    "注册",
    "返回顶部",
    "责任编辑：王某",
]
PROSE = [
    "The server uses cookies to keep the session open.",
    "She baked our cookies before dawn.",
    "Tell me about cookies.",
    "Some browsers let a reader disable JavaScript, and the page still works when JavaScript is disabled.",
    "TypeScript compiles to JavaScript, which requires no types.",
    "Change the cookie settings of the proxy as follows.",
    "He read the terms of the treaty aloud.",
    "The next page told of the war.",
    "Subscribe to the topic with a callback.",
    "Users sign up, and the service sends a message.",
    "In the previous article of the series we built a parser.",
    "You can share this page of memory between two processes.",
    "The lorem ipsum of typesetters is old.",
    "版权所有者可以许可他人使用作品。",
    "他们一直关注我们的工作进展。",
    "网站上线之前要办理ICP备案。",
    "点击订阅按钮之后会发送一个请求。",
    "注册表中保存了全部设置。",
    "登录之后才能看到消息。",
    "上一篇文章介绍了线段树。",
    "他把照片分享到了群里。",
    "本节介绍隐私政策的写法。",
    "准备工作做好以后，便可以出发。",
]
NOTICES = [
    "No part of this book may be reproduced in any form without written permission from the publisher.",
    "This material may not be published, broadcast, rewritten or redistributed.",
    "All rights reserved. No reproduction without the prior consent of the author.",
    "Reproduction in whole or in part is strictly prohibited.",
    "Unauthorised copying of this disc is prohibited.",
    "These pages may not be copied without the permission of the editor.",
    "Copying of any kind is strictly forbidden.",
    "No part of this work may be used to train machines.",
    "未经作者书面许可，任何人不得以任何形式转载本文。",
    "未经授权，禁止复制、摘编或建立镜像。",
    "版权所有，翻印必究。",
    "版权所有 侵权必究",
    "谢绝转载",
    "禁止任何形式的转载。",
    "严禁擅自翻印。",
    "未经允许请勿转载",
]
NO_NOTICES = [
    "A value of this type must not be copied; move it instead.",
    "The list can not be published before Monday.",
    "Copying an uninitialised value is forbidden by the standard.",
    "All rights reserved to the crown were sold.",
    "The seats are reserved without permission of anyone.",
    "The novel was published without the consent of his heirs.",
    "No part of this theory may be wrong.",
    "Licensees may copy, modify and redistribute this work without permission.",
    "请勿复制该目录下的临时文件。",
    "该类禁止复制构造，只能移动。",
    "未经用户许可，应用不得使用摄像头。",
    "欢迎转载，请注明出处。",
    "这部小说侵权与否尚无定论。",
    "本文允许自由复制与转载。",
]
BEFORE, BEHIND = "The river rises in the hills to the north.", "这条河发源于城北的山中。"


@pytest.mark.parametrize("line", FRAME)
def test_a_line_of_the_frame_goes(line: str) -> None:
    """Alone in its document, and between lines that stay; in capitals too."""
    for text in (line, line.upper(), f"  {line}"):
        assert without_boilerplate(f"{BEFORE}\n{text}\n{BEHIND}") == (f"{BEFORE}\n{BEHIND}", 1)
    assert without_boilerplate(line) == ("", 1)
    assert without_boilerplate("\n".join([line, BEFORE, line])) == (BEFORE, 2)


@pytest.mark.parametrize("line", PROSE)
def test_prose_stays(line: str) -> None:
    assert without_boilerplate(f"{line}\n{BEFORE}") == (f"{line}\n{BEFORE}", 0)


def test_a_long_line_is_text_whatever_stands_in_it() -> None:
    long = " ".join([BEFORE] * 5) + " All rights reserved."
    assert without_boilerplate(long) == (long, 0)
    assert without_boilerplate("x" * 181 + " All rights reserved") == ("x" * 181 + " All rights reserved", 0)
    assert without_boilerplate("x" * 180 + " All rights reserved") == ("", 1)


@pytest.mark.parametrize("notice", NOTICES)
def test_a_notice_is_found(notice: str) -> None:
    """In its own words, wherever it stands."""
    for text in (notice, f"{BEFORE}\n\n{notice}\n{BEHIND}", notice.upper()):
        found = forbids_copies(text)
        assert found and found.lower() in " ".join(text.split()).lower()


@pytest.mark.parametrize("text", NO_NOTICES + PROSE + [BEFORE, BEHIND, ""])
def test_to_speak_of_copies_forbids_none(text: str) -> None:
    assert forbids_copies(text) == ""


@pytest.mark.parametrize("name", CLEAN)
def test_clean_text_is_left_alone(public_data: Path, name: str) -> None:
    """At most one document in two hundred loses a line, and none of these open works forbids copies."""
    texts = clean(public_data, name)
    hit = [text for text in texts if without_boilerplate(text)[1]]
    assert len(hit) <= 0.005 * len(texts)
    assert [found for text in texts if (found := forbids_copies(text))] == []


def test_strange_text_takes_no_longer_than_other() -> None:
    start = time.process_time()
    for text in (
        "未经许可" * 20_000,
        "no part of this " * 10_000,
        "copied " * 20_000 + "may not be ",
        "javascript" * 20_000,
    ):
        without_boilerplate(text)
        forbids_copies(text)
    assert time.process_time() - start < 10
