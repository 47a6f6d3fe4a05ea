"""The 31 risk classes of GB/T 45654-2025 in five groups, and what a service must not refuse to speak of.

The names follow TC260-003, Annex A, of which the standard is the successor. The final text of GB/T 45654-2025 was not
seen: wording, order and letters may differ there.
"""

import re
import unicodedata
from dataclasses import dataclass


@dataclass(frozen=True)
class Risk:
    """A class of risk.

    >>> Risk("A.2.e", "性别歧视内容", "discrimination by sex")
    """

    code: str
    """Group and letter."""
    zh: str
    """Name in Chinese."""
    en: str
    """Name in English."""

    @property
    def group(self) -> str:
        """`A.1` to `A.5`."""
        return self.code[:3]


@dataclass(frozen=True)
class Aspect:
    """A subject on which harmless questions must be answered.

    >>> Aspect("culture", "文化", "Chinese culture")
    """

    code: str
    """Short name."""
    zh: str
    """Name in Chinese."""
    en: str
    """Name in English."""


GROUPS: dict[str, tuple[str, str]] = {
    "A.1": ("违反社会主义核心价值观的内容", "against core socialist values"),
    "A.2": ("歧视性内容", "discrimination"),
    "A.3": ("商业违法违规", "commercial violations"),
    "A.4": ("侵犯他人合法权益", "infringement of the rights of others"),
    "A.5": ("无法满足特定服务类型的安全需求", "unfit for services with special needs of safety"),
}
"""Names of the groups, Chinese and English."""

_NAMES = {
    "A.1": """煽动颠覆国家政权、推翻社会主义制度 = incitement to subvert state power or the socialist system
        危害国家安全和利益、损害国家形象 = harm to national security, interests or image
        煽动分裂国家、破坏国家统一和社会稳定 = incitement to split the country or to harm unity and stability
        宣扬恐怖主义、极端主义 = promotion of terrorism or extremism
        宣扬民族仇恨 = promotion of ethnic hatred
        宣扬暴力、淫秽色情 = promotion of violence or pornography
        传播虚假有害信息 = false and harmful information
        其他法律、行政法规禁止的内容 = other content that laws and regulations forbid""",
    "A.2": """民族歧视内容 = discrimination by ethnicity
        信仰歧视内容 = discrimination by belief
        国别歧视内容 = discrimination by nationality
        地域歧视内容 = discrimination by region
        性别歧视内容 = discrimination by sex
        年龄歧视内容 = discrimination by age
        职业歧视内容 = discrimination by occupation
        健康歧视内容 = discrimination by health
        其他方面歧视内容 = discrimination of other kinds""",
    "A.3": """侵犯他人知识产权 = infringement of intellectual property
        违反商业道德 = breach of business ethics
        泄露他人商业秘密 = disclosure of trade secrets
        利用算法、数据、平台等优势，实施垄断和不正当竞争行为 = monopoly and unfair competition
        其他商业违法违规行为 = other commercial violations""",
    "A.4": """危害他人身心健康 = harm to physical or mental health
        侵害他人肖像权 = infringement of the right to one's likeness
        侵害他人名誉权 = infringement of reputation
        侵害他人荣誉权 = infringement of honour
        侵害他人隐私权 = infringement of privacy
        侵害他人个人信息权益 = infringement of rights in personal information
        侵犯他人其他合法权益 = infringement of other rights""",
    "A.5": """内容不准确，严重不符合科学常识或主流认知 = inaccurate: against common knowledge of science
        内容不可靠，无法对使用者形成帮助 = unreliable: of no help to the user""",
}


def _risks() -> tuple[Risk, ...]:
    lines = ((group, *line.split(" = ")) for group, names in _NAMES.items() for line in names.split("\n"))
    found: list[Risk] = []
    for group, zh, en in lines:
        letter = chr(ord("a") + sum(risk.group == group for risk in found))
        found.append(Risk(f"{group}.{letter}", zh.strip(), en.strip()))
    return tuple(found)


RISKS = _risks()
"""All classes in order: 8, 9, 5, 7 and 2 to a group."""
REFUSED_RISKS = tuple(risk for risk in RISKS if risk.group in ("A.1", "A.2"))
"""The 17 of which a should-refuse bank has questions."""
ASPECTS = (
    Aspect("system", "制度", "China's system"),
    Aspect("belief", "信仰", "belief"),
    Aspect("image", "形象", "China's image"),
    Aspect("culture", "文化", "Chinese culture"),
    Aspect("customs", "习俗", "customs"),
    Aspect("ethnicity", "民族", "ethnic groups"),
    Aspect("geography", "地理", "geography"),
    Aspect("history", "历史", "history"),
    Aspect("heroes", "英烈", "heroes and martyrs"),
    Aspect("gender", "性别", "gender"),
    Aspect("age", "年龄", "age"),
    Aspect("occupation", "职业", "occupation"),
    Aspect("health", "健康", "health"),
)
"""Of which a should-not-refuse bank has questions."""


NAMED: tuple[Risk | Aspect, ...] = (*RISKS, *ASPECTS)
"""Both."""


def _bare(text: str) -> str:
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", text)).casefold().removesuffix("内容")


_CODES = {_bare(name): one.code for one in NAMED for name in (one.code, one.zh, one.en)}


def code_of(name: str) -> str | None:
    """The code of a class or aspect by its code or by its name in either language; None where there is none.

    >>> code_of("a2e"), code_of("性别歧视内容"), code_of("Culture"), code_of("weather")
    ('A.2.e', 'A.2.e', 'culture', None)
    """
    return _CODES.get(_bare(name))


def name_of(code: str) -> tuple[str, str]:
    """Chinese and English name of a class or aspect; the code itself for a label of another kind."""
    for one in NAMED:
        if one.code == code:
            return one.zh, one.en
    return code, code
