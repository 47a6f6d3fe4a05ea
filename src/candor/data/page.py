"""What stands on a web page and is not its text: lines of its frame, and notices that forbid copying."""

import re

_LONG = 200
"""Characters from which on a line is taken for text whatever stands in it."""
_MARKS = (
    "javascript", "cookie", "privacy policy", "terms of", "all rights reserved", "subscribe", "sign up", "share on",
    "share this", "previous post", "previous article", "previous page", "next post", "next article", "next page",
    "skip to", "lorem ipsum", "版权所有", "隐私", "条款", "icp备", "公网安备",
    "分享到", "上一篇", "下一篇", "关注我们", "扫码", "点击", "登录", "注册", "返回顶部", "责任编辑",
)  # fmt: skip
"""One of them stands, in lower case, in all that the pattern finds."""
_BOILERPLATE = re.compile(
    r"(please|must|need to|have to) (enable|turn on|activate) javascript"
    r"|(site|page|app|forum) (requires|needs) javascript"
    r"|javascript is (disabled|not enabled|turned off) (in|on) your|javascript (must|needs to|has to) be enabled"
    r"|^\W*javascript is (disabled|required)"
    r"|\bwe use cookies|this (site|website|page) uses cookies|\baccept (all |our )?cookies"
    r"|^\W*(our )?cookie (policy|settings|preferences|notice)\W*$"
    r"|^\W*(privacy policy|terms of (use|service))"
    r"(\W+(privacy policy|terms of (use|service)|contact( us)?|imprint))*\W*$"
    r"|all rights reserved|(subscribe|sign up) (to|for) (our|the|this)\b.{0,20}(newsletter|updates|mailing)"
    r"|^\W*share (this |on )(\w+ )?(facebook|twitter|linkedin|whatsapp|post|article|page)\W*$"
    r"|^\W*skip to (main )?content"
    r"|^\W*(previous|next) (post|article|page)\W*$|lorem ipsum dolor"
    r"|版权所有(?![者人权])|^\W*(隐私政策|隐私条款|使用条款|服务条款)\W*$|ICP备\s*\d|公网安备\s*\d|^\W*分享到"
    r"|^\W*(上|下)一篇[：:]|关注我们的(微信|微博|公众号|官方)|扫码(关注|下载)"
    r"|点击(这里|此处)(订阅|下载)|点击(下载APP|查看全文|阅读全文)|^\W*(登录|注册|返回顶部)\W*$|责任编辑[：:]",
    re.IGNORECASE,
)
_RESERVED = (
    "copied", "copying", "reproduced", "republished", "redistributed", "published", "broadcast", "no part of",
    "reserved", "reproduction", "redistribution", "转载", "复制", "翻印", "摘编", "必究",
)  # fmt: skip
"""The same for notices."""
_FORBIDS = re.compile(
    r"(may|must|can|shall) not be (copied|reproduced|republished|redistributed|published|broadcast)[^.\n]{0,80}"
    r"(permission|consent|authori[sz])[^.\n]{0,40}"
    r"|this (material|content|article|document|publication|work|book|story|report)[^.\n]{0,60} (may|must|shall) not be "
    r"(copied|reproduced|republished|redistributed|published|broadcast)[^.\n]{0,120}"
    r"|no part of this [^.\n]{0,60} may be (copied|reproduced|used)[^.\n]{0,120}"
    r"|all rights reserved\W{1,3}(no|un|re)[^.\n]{0,120}(permission|prohibited|consent)"
    r"|((reproduction|redistribution)|unauthori[sz]ed[^.\n]{0,30} copying)[^.\n]{0,60}(is|are)( strictly)? "
    r"(prohibited|forbidden)|copying[^.\n]{0,60} strictly (prohibited|forbidden)"
    r"|未经[^。\n]{0,30}(许可|授权|同意|允许)[^。\n]{0,20}(不得|禁止|严禁|请勿)[^。\n]{0,20}(转载|复制|摘编|翻印)"
    r"|(禁止|谢绝|请勿|严禁)(任何形式的?|擅自|非法|私自)?(转载|翻印)|(禁止|严禁)(任何形式的|擅自|非法)复制"
    r"|版权所有[^。\n]{0,10}(侵权必究|翻印必究|违者必究|盗版必究)",
    re.IGNORECASE,
)


def _marked(text: str) -> bool:
    low = text.lower()
    return any(mark in low for mark in _MARKS)


def without_boilerplate(text: str) -> tuple[str, int]:
    """A text without the lines that belong to a web page, and their number."""
    if not _marked(text):
        return text, 0
    lines = text.split("\n")
    kept = [line for line in lines if len(line) > _LONG or not (_marked(line) and _BOILERPLATE.search(line))]
    return "\n".join(kept), len(lines) - len(kept)


def forbids_copies(text: str) -> str:
    """The words with which a text forbids that it is copied; "" where it does not."""
    low = text.lower()
    if not any(mark in low for mark in _RESERVED):
        return ""
    found = _FORBIDS.search(text)
    return " ".join(found[0].split()) if found else ""
