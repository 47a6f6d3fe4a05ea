"""Keys, tokens and passwords, by the prefixes their issuers document and by cue words."""

import re

from candor.governance.pii.rules import AFTER, BEFORE, Rule, broken

_WORD = "[0-9A-Za-z]"
_SAFE = "[0-9A-Za-z_\\-]"
_TORN = f"[\\r\\n]{{1,2}}(?=[A-Za-z_\\-]{{0,24}}[0-9]|[A-Za-z]{{0,24}}[a-z][A-Z]){_SAFE}{{4,256}}"
_LONG = f"(?=(?:[\\r\\n]{{0,2}}{_SAFE}){{16}}){_SAFE}{{2,256}}(?:{_TORN})?"
"""A token of no fixed length; a second line goes on with it if it has a digit or a capital inside."""
_PART = f"{broken(_SAFE, 8)}{_SAFE}{{0,4096}}(?:[\\r\\n]{{1,2}}{_SAFE}{{0,4096}})?"
_DOT = r"[\r\n]{0,2}\.[\r\n]{0,2}"


def _secret(name: str, prefixes: str, pattern: str) -> Rule:
    return Rule(
        name, "secret", re.compile(f"(?<![0-9A-Za-z_\\-])({pattern})(?![0-9A-Za-z])"), None, tuple(prefixes.split(","))
    )


PREFIXED: tuple[Rule, ...] = (
    _secret("AWS access key", "AKIA,ASIA,ABIA,ACCA", f"(?:AKIA|ASIA|ABIA|ACCA)[\\r\\n]{{0,2}}{broken('[0-9A-Z]', 16)}"),
    _secret(
        "GitHub token",
        "ghp_,gho_,ghu_,ghs_,ghr_,github_pat_",
        f"(?:gh[pousr]_{broken(_WORD, 36, 255)}|github_pat_[0-9A-Za-z_]{{22,255}})",
    ),
    _secret("GitLab token", "glpat-", "glpat-[0-9A-Za-z_\\-]{20,64}"),
    _secret(
        "model provider key",
        "sk-,pk-,rk_live,sk_live,pk_live,sk_test",
        f"[spr]k[-_](?:ant-|proj-|live_|test_|or-|svcacct-|api[0-9]{{2}}-)*{_LONG}",
    ),
    _secret(
        "Slack token",
        "xoxb-,xoxp-,xoxa-,xoxr-,xoxs-,xapp-",
        f"(?:xox[abprs]|xapp)-{broken(_SAFE, 10)}[0-9A-Za-z\\-]{{0,256}}",
    ),
    _secret("Google API key", "AIza", f"AIza{broken(_SAFE, 35)}"),
    _secret("Google OAuth token", "ya29.", "ya29\\.[0-9A-Za-z_\\-]{20,512}"),
    _secret("Hugging Face token", "hf_", f"hf_{broken(_WORD, 30, 40)}"),
    _secret("npm or PyPI token", "npm_,pypi-", "(?:npm_[0-9A-Za-z]{36}|pypi-[0-9A-Za-z_\\-]{50,512})"),
    _secret(
        "SendGrid or Stripe key",
        "SG.,whsec_",
        "(?:SG\\.[0-9A-Za-z_\\-]{16,256}\\.[0-9A-Za-z_\\-]{16,256}|whsec_[0-9A-Za-z]{24,256})",
    ),
    _secret("Alibaba Cloud key", "LTAI", "LTAI[0-9A-Za-z]{12,24}"),
    _secret("Tencent Cloud key", "AKID", "AKID[0-9A-Za-z]{32}"),
    _secret(
        "JSON web token, RFC 7519",
        "eyJ",
        f"eyJ{_PART}{_DOT}{_PART}(?:{_DOT}{_SAFE}{{2,4096}}(?:{_TORN})?)?",
    ),
    Rule(
        "WeChat id",
        "wechat",
        re.compile(f"{BEFORE}(wxid[_ ](?:{broken('[0-9a-z]', 12, 14)}|[0-9a-z]{{3,24}})){AFTER}"),
        None,
        ("wxid_", "wxid "),
    ),
    Rule(
        "private key, RFC 7468",
        "secret",
        re.compile(
            r"(-----BEGIN [A-Z ]{0,24}PRIVATE KEY(?: BLOCK)?-----"
            r"(?:[^-]{0,10000}(?:-----END [A-Z ]{0,24}PRIVATE KEY(?: BLOCK)?-----)?))"
        ),
        None,
        ("-----BEGIN ",),
    ),
)
"""Their prefixes are exact; each pattern is matched where the prefix begins."""

_TELLING = r"[\"'`]?[ \t]{0,3}(?:(?:[是为]|(?i:is) )?[:=]>?|[是为]|(?i:is)(?![a-z]))[ \t]{0,3}(?:\r?\n)?[\"'`]?"
_VALUE = r"(?=[!-~]{0,40}[0-9])(?![({$<\[]|%[sd]|[a-z_]{1,40}[(.\[])[!#-&(-+\--:=?-_a-z{|}~]{4,128}"

_WORDS = (
    *(
        "password",
        "passwd",
        "pwd",
        "passcode",
        "passphrase",
        "api_key",
        "api-key",
        "apikey",
        "api key",
        "secret",
        "secret_key",
    ),
    *("access_key", "access_token", "auth_token", "token", "client_secret", "private_key", "bearer", "credential"),
    *("authorization", "密码", "口令", "密钥", "令牌", "验证码"),
)

CUED: tuple[Rule, ...] = (
    Rule(
        "password or key after a cue",
        "secret",
        re.compile(f"{_TELLING}({_VALUE}(?<![.:?!)\\]}}]))"),
        None,
        _WORDS,
    ),
    Rule(
        "password right after a cue",
        "secret",
        re.compile(r"[ :]?(?:号|码)?((?=[!-~]{0,40}[0-9])[!#-&(-+\--:=?-_a-z{|}~]{6,64}(?<![.:?!)\]}]))"),
        None,
        ("密码", "口令"),
    ),
    Rule(
        "bearer token, RFC 6750",
        "secret",
        re.compile(r"[ ]((?=[!-~]{0,40}[0-9])[A-Za-z0-9._~+/\-]{16,256}=*)"),
        None,
        ("bearer", "authorization: basic"),
    ),
)
