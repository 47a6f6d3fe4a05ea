"""Sentences with names, places, organisations and the like, in English and Chinese, from which the tagger learns what
annotated documents do not hold: letters, messages, records, news."""

import random
import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import cache
from importlib import import_module
from zoneinfo import available_timezones

from babel import Locale
from faker import Faker

from candor.governance.pii.lists import WORD_LISTS, read_list
from candor.governance.pii.training import Annotated

LOCALES = (
    "en_US", "en_GB", "en_IN", "de_DE", "fr_FR", "es_ES", "it_IT", "pt_PT", "nl_NL", "pl_PL", "cs_CZ", "sv_SE", "no_NO",
    "da_DK", "fi_FI", "tr_TR", "hu_HU", "ro_RO", "hr_HR", "sk_SK", "sl_SI", "et_EE", "ga_IE", "az_AZ", "id_ID",
)  # fmt: skip
"""Whose names, places and firms stand in English text."""
Make = Callable[[Faker, random.Random], str]

_EN = """
My name is {person} and I live in {location}.
I spoke to {first} yesterday about the invoice.
Please contact {person} at {organisation} before {date}.
{person} was born in {location} on {date} and works as a {job}.
{first} said that {first2} would come later.
Dear {person}, thank you for your letter of {date}.
Best regards, {person}
The patient, {person}, aged {age}, suffers from {condition}.
Dr {surname} saw {person} at {organisation} in {location}.
{surname} joined {organisation} in {year} and left two years later.
According to {surname}, the plan of {organisation} was never approved.
She moved from {location} to {location2} with her husband {first}.
A {nation} national, {person} worked for {organisation}.
Has anybody seen {first} today? He was going to {location}.
{organisation} announced that {person} will lead its office in {location}.
We sent the parcel to {address}.
Our office is at {address}, close to the station.
Ms {surname} paid {amount} to {organisation}.
He studied at {organisation} and later taught in {location}.
The defendant {person} lives at {address}.
My brother {first} is a {job} in {location}.
{person} ({age}) was taken to {organisation}.
The meeting between {person} and {person2} took place in {location}.
In {location}, {first} met {first2} {surname2}.
The flight from {location} to {location2} was late.
{first} and {first2} were friends of the {surname} family.
Yesterday {person} wrote that the {nation} team would travel to {location}.
{organisation} is based in {location} and employs {nation} engineers.
To: {person}, {organisation}
The {nation} government and {organisation} signed the agreement in {location}.
I asked {first} {surname} to call me back.
Hi {first}, are you free on {date}?
{first}'s sister has {condition}.
He is {nation} and a {job} by profession.
"""
_EN_PLAIN = """
The Court considers that the complaint is admissible.
Please read the manual before you start the machine.
The function returns a list of numbers and raises an error if it is empty.
It was a cold morning, and the road was wet.
However, the Government did not reply within the time allowed.
The Board of Directors approves the budget every year.
In Chapter 3 we look at Linear Regression and its limits.
The Report was published by the Committee on Internal Affairs.
She looked out of the window and saw nothing but rain.
Open the File menu and choose Save As.
The Minister answered the question in Parliament.
This Agreement is made between the Buyer and the Seller.
Table 2 shows the results for each Model.
The Applicant must send the Form to the Office.
What is the best way to learn a language?
Thank you for your help; it worked at once.
The price of bread has gone up again.
Section 4 of the Act applies to any Person who holds a licence.
Use Python to read the file and print each line.
The train leaves in the morning and comes back at night.
Happy New Year to all of you!
He asked whether the Internet would change the way we read.
The President of the Chamber gave leave to the Registrar.
First, wash the rice. Then boil it for ten minutes.
"""
_ZH = """
我叫{person}，住在{location}。
{person}今年{age}，在{organisation}工作。
昨天我和{person}一起去了{location}。
请联系{person}，地址是{address}。
收件人：{person}，{address}。
{surname}先生说他下周去{location}出差。
{surname}女士是{organisation}的{job}。
患者{person}，{age}，{ethnic}，因{condition}入院。
{person}出生于{date}，毕业于{organisation}。
{organisation}位于{address}。
我的同事{person}最近辞职了，去了{organisation}。
老师{person}和学生{person2}都来自{location}。
原告{person}诉被告{organisation}一案已经开庭。
{person}说，{person2}明天会来{location}。
她的丈夫{person}是一名{job}，患有{condition}。
{organisation}的负责人{person}表示，公司将在{location}设立分部。
从{location}到{location2}的火车晚点了。
{person}向{organisation}支付了{amount}。
今天{person}没有来上班，听说他去{organisation}看病了。
快递已送到{address}，签收人{person}。
{person}：你好，我是{organisation}的{person2}。
小区住户{person}（{age}）反映电梯坏了。
记者{person}从{location}报道。
他是{location}人，{ethnic}，信仰{religion}。
{person}和{person2}是大学同学，现在都在{location}。
法定代表人{person}，住所地{address}。
我妈妈{person}在{location}开了一家小店。
听{person}讲，{surname}老师下个月退休。
"""
_ZH_PLAIN = """
今天天气很好，我们一起去公园散步。
请先阅读说明书，然后再打开电源。
这个函数返回一个列表，如果列表为空就报错。
公司将在下个月公布新的管理办法。
他看了看窗外，什么也没有说。
水果和蔬菜的价格又上涨了。
学生应当按时完成作业，老师会认真批改。
经济发展离不开科学技术的进步。
如何学习一门新的语言？
把米洗干净，放进锅里，加水煮二十分钟。
本合同一式两份，双方各执一份。
法院经审理认为，该请求没有依据。
高中数学的重点是函数与方程。
于是大家都笑了起来。
谢谢你的帮助，问题已经解决了。
从前有一座山，山上有一座庙。
关于这个问题，目前还没有明确的答案。
安全生产是企业管理的重要内容。
请在左上角点击文件菜单，选择保存。
时间过得真快，转眼又到了年底。
人民生活水平不断提高。
方法很简单，先求出平均值，再比较大小。
金融市场的波动引起了广泛关注。
黄河是中国的第二长河，长江是最长的河流。
"""
_TYPES = {
    "person": "person", "person2": "person", "first": "person", "first2": "person", "surname": "person",
    "surname2": "person", "location": "location", "location2": "location", "address": "location",
    "organisation": "organisation", "job": "attribute", "condition": "attribute", "nation": "attribute",
    "ethnic": "attribute", "religion": "attribute", "date": "date", "age": "quantity", "year": "date",
    "amount": "quantity",
}  # fmt: skip


def made(seed: int, n: int) -> list[Annotated]:
    """`n` texts of a few sentences each, half in each language; the people of a text come again in it."""
    fakes = {locale: Faker(locale) for locale in (*LOCALES, "zh_CN")}
    found = []
    for number in range(n):
        chance = random.Random(f"{seed}/{number}")
        lang = "zh" if number % 2 else "en"
        fake = fakes["zh_CN" if lang == "zh" else chance.choice(LOCALES)]
        fake.seed_instance(f"{seed}/{number}")
        found.append(_text(fake, chance, lang))
    return found


def _text(fake: Faker, chance: random.Random, lang: str) -> Annotated:
    told, plain = ((_EN, _EN_PLAIN), (_ZH, _ZH_PLAIN))[lang == "zh"]
    values: dict[str, str] = {}
    parts: list[str] = []
    spans: list[tuple[int, int, str]] = []
    size = 0
    for _ in range(chance.randint(2, 7)):
        sentence = chance.choice((told if chance.random() < 0.6 else plain).strip().split("\n"))
        for piece in re.split(r"(\{\w+\})", sentence):
            name = piece.strip("{}") if piece.startswith("{") else ""
            if name:
                if name not in values or chance.random() < 0.4:
                    values[name] = _MAKERS[lang][name](fake, chance)
                piece = values[name]
                spans.append((size, size + len(piece), _TYPES[name]))
            parts.append(piece)
            size += len(piece)
        parts.append(chance.choice((" ", "\n") if lang == "en" else ("", "", "\n")))
        size += len(parts[-1])
    return Annotated("".join(parts), tuple(spans))


def _of(*names: str) -> Make:
    return lambda fake, chance: chance.choice(read_list(chance.choice(names)))


def _of_fake(name: str) -> Make:
    return lambda fake, chance: str(getattr(fake, name)()).replace("\n", chance.choice((", ", " ", "\n")))


def _person_en(fake: Faker, chance: random.Random) -> str:
    first, last = fake.first_name(), fake.last_name()
    middle = chance.choice(["", "", "", f" {chance.choice('ABCDEFGHJKLMNPRST')}."])
    return str(
        chance.choice([f"{first}{middle} {last}"] * 4 + [f"{first[0]}. {last}", f"Mr {last}", f"Mrs {first} {last}"])
    )


def _organisation_en(fake: Faker, chance: random.Random) -> str:
    if chance.random() < 0.5:
        return str(fake.company()) if chance.random() < 0.7 else chance.choice(read_list("organisations_en"))
    word = chance.choice(read_list("organisation_words_en"))
    name = chance.choice((fake.last_name(), fake.city(), fake.city()))
    return chance.choice(
        (
            f"{name} {word}",
            f"{word} of {name}",
            f"{name} {chance.choice(('Regional', 'District', 'State', 'National'))} {word}",
        )
    )


def _place_en(fake: Faker, chance: random.Random) -> str:
    return chance.choice((str(fake.city()), chance.choice(_cities()), chance.choice(_territories())))


def _nation_en(fake: Faker, chance: random.Random) -> str:
    return chance.choice(_languages())


def _person_zh(fake: Faker, chance: random.Random) -> str:
    if chance.random() < 0.4:
        return str(fake.name())
    surname = str(fake.last_name()) if chance.random() < 0.7 else chance.choice(read_list("surnames_zh"))
    return surname + "".join(chance.choice(read_list("given_zh")) for _ in range(chance.choice((1, 2, 2))))


def _organisation_zh(fake: Faker, chance: random.Random) -> str:
    if chance.random() < 0.4:
        return str(fake.company()) if chance.random() < 0.5 else chance.choice(read_list("organisations_zh"))
    place = chance.choice(read_list(chance.choice(("cities_zh", "districts_zh", "provinces_zh"))))
    own = "".join(chance.choice(read_list("given_zh")) for _ in range(2)) if chance.random() < 0.6 else ""
    return place + chance.choice(("", "市")) + own + chance.choice(read_list("organisation_suffixes_zh"))


def _address_zh(fake: Faker, chance: random.Random) -> str:
    road = "".join(chance.choice(read_list("given_zh")) for _ in range(2)) + chance.choice(("路", "街", "大道", "巷"))
    city = chance.choice(read_list("cities_zh")) + "市"
    district = chance.choice(read_list("districts_zh"))
    where = chance.choice((city, chance.choice(read_list("provinces_zh")) + city, city + district, district, ""))
    home = f"{chance.randint(1, 30)}栋{chance.randint(1, 6)}单元{chance.randint(101, 2504)}室"
    return where + road + f"{chance.randint(1, 999)}号" + chance.choice(("", home))


def _date_zh(fake: Faker, chance: random.Random) -> str:
    return f"{chance.randint(1950, 2015)}年{chance.randint(1, 12)}月{chance.randint(1, 28)}日"


_MAKERS: dict[str, dict[str, Make]] = {
    "en": {
        "person": _person_en, "person2": _person_en, "first": _of_fake("first_name"), "first2": _of_fake("first_name"),
        "surname": _of_fake("last_name"), "surname2": _of_fake("last_name"), "location": _place_en,
        "location2": _place_en, "address": _of_fake("address"), "organisation": _organisation_en,
        "job": _of("occupations_en"), "condition": _of("conditions_en"), "nation": _nation_en,
        "date": lambda fake, chance: fake.date_object().strftime(chance.choice(("%d %B %Y", "%B %d, %Y", "%B %Y"))),
        "year": lambda fake, chance: str(chance.randint(1950, 2025)),
        "age": lambda fake, chance: str(chance.randint(1, 99)),
        "amount": lambda fake, chance: f"{chance.choice(('EUR', 'USD', 'GBP'))} {chance.randint(1, 99) * 100:,}",
    },
    "zh": {
        "person": _person_zh, "person2": _person_zh, "surname": _of_fake("last_name"),
        "location": _of("cities_zh", "provinces_zh", "districts_zh", "nationalities_zh"), "location2": _of("cities_zh"),
        "address": _address_zh, "organisation": _organisation_zh, "job": _of("occupations_zh"),
        "condition": _of("conditions_zh"), "ethnic": _of("ethnic_zh"), "religion": _of("religions_zh"),
        "date": _date_zh,
        "age": lambda fake, chance: f"{chance.randint(1, 99)}岁",
        "amount": lambda fake, chance: f"{chance.randint(1, 99) * 100}元",
    },
}  # fmt: skip


# What is known of words, from the same sources.


def known_words(common: Iterable[str]) -> dict[str, Iterable[str]]:
    """The words of each of `WORD_LISTS`: names as Faker has them, places and nations as the CLDR and the time zones."""
    first: set[str] = set()
    last: set[str] = set()
    places = {*_cities(), *_territories()}
    for locale in LOCALES:
        people = import_module(f"faker.providers.person.{locale}").Provider
        for name in dir(people):
            if "first_names" in name:
                first.update(getattr(people, name))
            elif "last_names" in name:
                last.update(getattr(people, name))
        with suppress(ImportError):
            found = import_module(f"faker.providers.address.{locale}").Provider
            for name in (
                "cities",
                "states",
                "counties",
                "city_names",
                "regions",
            ):  # tuples of names, where a locale has them
                own = getattr(found, name, ())
                places.update(one for one in own if isinstance(own, (tuple, list)) and isinstance(one, str))
    lists: dict[str, Iterable[str]] = {name: read_list(name) for name in WORD_LISTS if name.endswith("_en")}
    small = {"of", "the", "and", "de", "la", "le", "on", "sur", "in", "am", "an", "der", "new", "saint", "st"}
    return lists | {
        "common": common,
        "first_names": first,
        "surnames": last,
        "places": [word for place in places for word in place.split() if word.casefold() not in small],
        "nations": _languages(),
        "currencies": [*Locale("en").currencies, *Locale("en").currencies.values()],
    }


@cache
def _cities() -> list[str]:
    """Cities that time zones are named after."""
    return sorted(
        {
            zone.rpartition("/")[2].replace("_", " ")
            for zone in available_timezones()
            if zone.count("/") == 1 and not zone.startswith("Etc")
        }
    )


@cache
def _territories() -> list[str]:
    return sorted(name for code, name in Locale("en").territories.items() if len(code) == 2 and code.isalpha())


@cache
def _languages() -> list[str]:
    """Names of languages, which most nations share."""
    return sorted({name for code, name in Locale("en").languages.items() if len(code) <= 3 and " " not in name})
