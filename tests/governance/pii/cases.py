"""Seeded sentences with made-up identifiers, plain and in six disguises, and sentences with plain numbers, for tests.

They are written the way people write such numbers; nothing is imported from the package under test.
"""

import random
import string
from itertools import islice
from typing import NamedTuple

from tests.governance.pii.generated import AREAS, MAKERS, SMALL_AREAS, digits, is_identifier

CONTEXTS = ("glued", "punctuated", "english")
DISGUISES = ("none", "wide", "numerals", "grouped", "zero_width", "line_break")
# Which kinds a person could write in which disguise; every kind can be set in wide characters, broken over a line, or
# carry invisible characters.
NUMERALS = {"id18", "id15", "mobile", "landline", "tel400", "card", "qq", "alipay", "express"}
GROUPS: dict[str, list[str]] = {  # the sizes of the groups, by kind; the last group takes what is left
    "id18": ["6 8 4", "3 3 4 4 4"], "id15": ["6 6 3"], "credit": ["4 4 4 4 2", "8 9 1", "2 6 9 1"], "mobile": ["3 4 4"],
    "mobile86": ["3 4 4"], "landline": ["4 4"], "tel400": ["3 3 4", "3 4 3"], "card": ["4 4 4 4 3"],
    "plate": ["2 9"], "passport": ["1 8", "1 4 4", "2 7"], "permit": ["1 8", "1 4 4"], "qq": ["3 3 9", "4 9"],
    "alipay": ["3 4 4"], "express": ["4 4 4 9"], "iban": ["4 4 4 4 4 4 4"],
}  # fmt: skip
CUED = {"wechat", "qq", "alipay", "express"}


class Case(NamedTuple):
    """A sentence and the span of the identifier in it, in code points."""

    text: str
    start: int
    end: int
    kind: str


# --- sentences ------------------------------------------------------------------------------------------------------
# {x} is the identifier, {n} the word for its kind. Kinds that need a cue only enter sentences with {n}.
CARRIERS = {
    "glued": """我的{n}{x}麻烦你记好|我的{n}是{x}请帮忙查一下|请把{n}{x}登记进去|他留的{n}是{x}没错吧
表里的{n}{x}和系统里的对不上|登记的{n}为{x}请核对后再提交|昨天报上来的{n}{x}已经失效了|你好我想问下{n}{x}能不能改
把{n}改成{x}就可以了|客户说{n}是{x}让我们尽快处理|{n}应该填{x}别再写错了|原告提供的{n}{x}经核实无误
之前的{n}不用了换成{x}吧|忘了说我{n}是{x}哈|这个{n}{x}是谁的呀|对方把{n}{x}发到了群里|麻烦帮我看看{x}还有没有效
系统显示{x}已经存在|我记得好像是{x}来着|请在备注里写上{x}谢谢|刚才有人把{x}贴在公告栏上|材料里提到的{x}需要隐去
别把{x}告诉别人|后来查明{x}属于被告|你先记下{x}回头再说|屏幕上出现了{x}这样的内容|他随手写下{x}就走了""",
    "punctuated": """{n}：{x}，请尽快处理。|我的{n}：{x}。|您好，{n}：{x}，麻烦登记。|资料如下：{n}：{x}，其他暂缺。
{n}，{x}，已核对。|联系信息（{n}：{x}），请勿外传。|留言：本人{n}：{x}，急。|请记录，{n}：{x}；以上属实。
他把资料发来了，{n}：{x}。谢谢！|补充：新{n}：{x}，旧的作废。|{n}：{x}|备注，{n}是：{x}，不要弄错。
登记内容：{x}，核对无误。|刚查到的是，{x}，你看对不对？|{x}，就是这个。|回复：{x}。|请看，{x}，是不是写错了？
他说：“{x}”，我没记全。|答：{x}，没有别的了。|情况属实，见：{x}。""",
    "english": """My {n} is {x}, please update it.|Please check the {n} {x} again.|{n}: {x}
The customer gave us the {n} {x} yesterday.|I think the {n} is {x}.|Here is the {n}: {x}. Thanks!
Could you remove the {n} {x} from the list?|We found the {n} "{x}" in the old file.
She wrote her {n} ({x}) on the form.|Your {n} ({x}) has expired.|As for the {n}, {x} is the new one.
Someone posted {x} in the group.|Please delete {x} from the record.|The clerk typed {x} by mistake.
It said {x}, but nobody noticed.|Do not share {x} with anyone.""",
}
OWN = {  # more sentences for the kinds that need a cue
    ("wechat", "glued"): "有兴趣的加v就搜{x}哦|加v找{x}领资料|加我wx号{x}详聊|我wx是{x}欢迎来聊|加我微信{x}备注来意",
    ("wechat", "punctuated"): "想了解的加v：{x}，备注来意。|wx：{x}，常在线。|加V：{x}。|"
    "加我微信，{x}，谢谢。|微信号 {x}，同名。|加v {x}，备注来意。",
    ("wechat", "english"): "Add me on WeChat: {x}, I am always online.|WeChat {x}, same name everywhere.",
    ("qq", "glued"): "有事加我扣扣{x}就行|加QQ号{x}进群|我QQ是{x}常在线",
    ("qq", "punctuated"): "QQ：{x}，常在线。|有事扣扣：{x}。|加我QQ，{x}，谢谢。",
    ("qq", "english"): "Add me on QQ: {x}, any time.|QQ {x} is mine.",
    ("alipay", "glued"): "钱打到支付宝{x}就行|退款请转支付宝账号{x}谢谢",
    ("alipay", "punctuated"): "退款请转支付宝：{x}，谢谢。|支付宝账户，{x}，实名的。",
    ("alipay", "english"): "Please send it by Alipay to {x}, thanks.",
    ("express", "glued"): "东西寄出了快递单号{x}注意查收|运单号{x}显示已签收",
    ("express", "punctuated"): "已发货，快递单号：{x}，请查收。|物流单号：{x}。",
    ("express", "english"): "Your parcel has left, tracking number {x}.",
}
NOUNS = {  # Chinese words | words only before punctuation | English words
    "id18": "身份证号,身份证号码,证件号||ID number,identity card number",
    "id15": "老身份证号,旧身份证号码||old ID number", "credit": "统一社会信用代码,信用代码||credit code,company code",
    "mobile": "手机号,手机,电话,联系电话|Tel|mobile,phone number",
    "mobile86": "手机号,电话|Mobile|mobile,phone number", "landline": "座机,办公电话,固话||office phone,landline",
    "tel400": "客服电话,热线||hotline,service phone", "card": "银行卡号,卡号,银行卡||bank card,card number",
    "plate": "车牌,车牌号||plate,licence plate", "passport": "护照号,护照||passport,passport number",
    "permit": "港澳通行证号,通行证||travel permit", "wxid": "微信,微信号|wx|WeChat,WeChat ID",
    "wechat": "微信,微信号,V信|wx,VX,WeChat|WeChat,WeChat ID", "qq": "QQ号,扣扣,扣扣号,QQ号码|QQ,qq|QQ,QQ number",
    "email": "邮箱,电子邮箱|Email|e-mail,mail address", "ipv4": "服务器地址,IP地址|IP|server address,IP",
    "mac": "网卡地址,物理地址|MAC|MAC address", "url": "仓库地址,连接串|URL|address,link",
    "court": "案号,案件号||case number", "alipay": "支付宝,支付宝账号||Alipay,Alipay account",
    "express": "快递单号,运单号,物流单号,顺丰单号||tracking number,waybill number",
    "iban": "国际账号,收款账号|IBAN|IBAN", "key": "密钥,访问密钥|API key|API key,access key",
}  # fmt: skip
INVISIBLE = "\u200b\u200c\u200d\ufeff\u2060"
WIDE = {c: c + 0xFEE0 for c in range(0x21, 0x7F)}
STYLES = ("〇一二三四五六七八九", "零一二三四五六七八九", "零壹贰叁肆伍陆柒捌玖")


def group(r: random.Random, value: str, kind: str) -> str:
    """The value with one kind of separator between the groups people read it in."""
    head = ""
    if kind == "mobile86":
        head, value = ("+86" if value[0] == "+" else "86"), value[-11:]
    elif kind == "landline":
        area = next(a for a in AREAS + SMALL_AREAS if value.startswith(a))
        head, value = area, value.removeprefix(area).lstrip("-")
    sizes = [len(value) - 4] if kind == "landline" else [int(s) for s in r.choice(GROUPS[kind]).split()][:-1]
    parts = [head] if head else []
    for size in sizes:
        parts, value = ([*parts, value[:size]], value[size:]) if len(value) > size else (parts, value)
    if kind == "plate":
        return r.choice("·· -.").join([*parts, value])
    dots = "" if kind == "qq" else ".."  # a short number with a dot reads as a decimal
    return r.choice("     ----\u3000－" + dots).join([*parts, value])


def break_line(r: random.Random, value: str, kind: str, context: str) -> str:
    """The value over two lines; in English, where any letters may follow, only where a reader can see it."""
    places = list(range(1, len(value)))
    if context == "english" and (kind == "url" or "@" in value):
        start = value.find("@") if kind != "url" else 0  # a full stop before it could end a sentence
        places = [i for i in places if value[i - 1] in "@/:_-" or (value[i - 1] == "." and i > start)]
    elif context == "english" and kind == "key":
        places = places[5:-5]
    place = r.choice(places)
    return value[:place].rstrip() + "\n" + " " * r.choice((0, 0, 0, 2, 4)) + value[place:].lstrip()


def disguised(r: random.Random, value: str, kind: str, disguise: str, context: str) -> str | None:
    """The value in the disguise, or nothing where this one cannot be written so."""
    if disguise == "wide":
        marks = kind in {"url", "key"} or r.random() < 0.5
        return "".join(c.translate(WIDE) if marks or c.isalnum() else c for c in value)
    if disguise == "numerals":
        plain = kind in NUMERALS and value.replace("-", "").isdigit()
        return value.translate(dict(zip(map(ord, string.digits), r.choice(STYLES), strict=True))) if plain else None
    if disguise == "grouped":
        return group(r, value, kind) if kind in GROUPS and "@" not in value else None
    if disguise == "zero_width":
        for place in sorted(r.sample(range(1, len(value)), r.randint(1, min(3, len(value) - 1))), reverse=True):
            value = value[:place] + r.choice(INVISIBLE) + value[place:]
    if disguise == "line_break":
        free = context == "english" and kind in {"wechat", "wxid"}
        return None if free else break_line(r, value, kind, context)
    return value


def fill(r: random.Random, kind: str, value: str, context: str) -> Case:
    """The value in a sentence."""
    carriers = [c.strip() for line in CARRIERS[context].split("\n") for c in line.split("|")]
    if kind in CUED:
        carriers = [c for c in carriers if "{n}" in c and c.index("{x}") - c.index("{n}") < 7]  # a cue close by
        if r.random() < 0.4:
            carriers = OWN[kind, context].split("|")
    chinese, before_mark, english = NOUNS[kind].split("|")
    nouns = {"glued": chinese, "punctuated": f"{chinese},{before_mark}".strip(","), "english": english}[context]
    head, tail = r.choice(carriers).replace("{n}", r.choice(nouns.split(","))).split("{x}")
    return Case(head + value + tail, len(head), len(head) + len(value), kind)


def cases(seed: int, n: int, disguise: str, context: str) -> list[Case]:
    """Sentences with an identifier each, ``n`` of every kind that can wear the disguise."""
    r = random.Random(f"{seed} {disguise} {context}")
    out = []
    for kind, maker in MAKERS.items():
        values = (disguised(r, maker(r), kind, disguise, context) for _ in range(n * 20))
        out += [fill(r, kind, value, context) for value in islice(filter(None, values), n)]
    return out


PLAIN = """仓库里还剩{x}个零件|程序算出的结果是{x}比预期大|循环跑了{x}次才停下来|屏幕上的计数到了{x}就不动了
这个质数比{x}还要大|种子设成{x}再试|一共点击了{x}次，创下纪录。|结果：{x}，符合预期。|计数器停在 {x} 这里。
粒子总数约为 {x}，误差不大。|把{x}除以七，余数是多少？|数列的下一项是{x}，对吗？|他背出了圆周率里的{x}这一段
显微镜下数出{x}个细胞|哈希取模以后得到{x}，放进桶里。|训练看过{x}个词元之后停止
The loop ran {x} times before it stopped.|The sum came to {x} in the end.|We counted {x} particles in the sample.
Divide {x} by seven.|The random seed was {x}, as in the paper.|The result ({x}) is larger than expected.
After {x} steps the loss was flat.|It printed {x} and halted."""


def plain_numbers(seed: int, n: int) -> list[Case]:
    """Sentences with one string of 5 to 20 digits each that is no identifier and no date."""
    r = random.Random(f"{seed} plain")
    carriers = [c for line in PLAIN.split("\n") for c in line.split("|")]
    out = []
    for _ in range(n):
        size = r.randint(5, 20)
        number = digits(r, size)
        while is_identifier(number):
            number = digits(r, size)
        head, tail = r.choice(carriers).split("{x}")
        out.append(Case(head + number + tail, len(head), len(head) + size, "plain"))
    return out


CLEAN = """这件外套原价1{b}9元，打折后{a}.5元|会议定在{y}年{m}月{d}日上午{h}:{s}开始
营收同比增长{a}.{b}%，利润率为{b}.{m}%|请把软件升级到{m}.{d}.{b}版本|参见第{b}-{a}页和第{m}章第{d}节
比赛最终以{m}:{d}结束，上半场{b}比{h}|该书的ISBN是978-7-111-5{s}42-6，共{a}页|{y}-2021学年招生{a}0人，录取{b}人
我坐CA1{s}航班，{h}点{s}分起飞，{m}号登机口|房间在{m}楼{m}0{b}室，押金{m}00元
显卡用的是RTX 40{s}，内存{b}GB，硬盘{m}TB|他在{y}年—2020年间写了{a}首诗|步行{a}米，约{b}分钟；公交{m}路转{d}路
气温{m}.{d}℃，湿度{s}%，风速{m}m/s|根据《民法典》第1{s}条第{m}款，赔偿{a}00.00元|iPhone 15 Pro 起售价7{a}元
The ticket costs ${a}.{s} and the train leaves at {h}:{s}.|Sales rose {a}.{b}% in {y}-2020, to {b},{a},{s}0 units.
See pp. {b}-{a}, chapter {m}, section {m}.{d}.|Python 3.{m}.{d} was released in {y}; see PEP {a}.
The final score was {m}-{d} after {b} minutes.|Flight MU5{s} boards at gate {d} at {h}:{s}.
Room {m}0{b} has {d} beds, {a} sq ft, rated {m}/10.|A Boeing 737-800 seats 1{s} people and flies {a}0 km."""


def clean_text(seed: int, n: int) -> list[str]:
    """Sentences with everyday numbers and no identifier."""
    r = random.Random(f"{seed} clean")
    carriers = [c for line in CLEAN.split("\n") for c in line.split("|")]
    draw = {"a": (100, 999), "b": (10, 99), "y": (2000, 2019), "m": (1, 9), "d": (1, 28), "h": (10, 23), "s": (10, 59)}
    return [r.choice(carriers).format_map({k: r.randint(*v) for k, v in draw.items()}) for _ in range(n)]
