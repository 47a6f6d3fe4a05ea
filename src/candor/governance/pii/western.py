"""Identifiers of the United States, Europe and international bodies by shape and by cue word."""

import re
from collections.abc import Iterator
from functools import cache

from candor.governance.pii import checks, checks_western
from candor.governance.pii.plain import GAP
from candor.governance.pii.rules import AFTER, BEFORE, POINTED, Found, Rule, code, compact, cued, shape, spread

_DIGIT, _MIXED, _LETTER = "[0-9]", "[0-9A-Za-z]", "[A-Za-z]"
_SSN = "[0-9]{3}(?:-[0-9]{2}-| [0-9]{2} |[.][0-9]{2}[.])[0-9]{4}"
_ITEM = r"(?:[A-Z]{1,4}-?)?[0-9][0-9A-Z/\-.]{0,24}(?<![.\-/])"
_LIST = rf"{_ITEM}(?:(?:,| and|, and) {_ITEM}(?![0-9A-Za-z]|[.,][0-9])){{0,30}}"
_POSTCODE = (
    "[A-Za-z]{1,2}[0-9][0-9A-Za-z]?[ ]?[0-9][A-Za-z]{2}|[A-Za-z][0-9][A-Za-z][ \\-]?[0-9][A-Za-z][0-9]"
    "|[0-9]{4}[ ]?[A-Z]{2}|[0-9]{3}[ ][0-9]{2}|[0-9]{2}-[0-9]{3}|[A-Z]{1,2}-[0-9]{4,5}"
    "|[0-9]{4,5}(?:-[0-9]{3,4})?|[0-9]{3}"
)


def _is_vin(value: str) -> bool:
    return not value.isdigit() and checks.vin(value)


SHAPES: tuple[Rule, ...] = (
    shape(
        "social security number, SSA",
        "ssn",
        _SSN,
        lambda value: checks_western.ssn(value) or checks_western.itin(value),
    ),
    shape(
        "tax code, Italy",
        "national_id",
        f"{spread(_LETTER, 6)}{GAP}{spread(_MIXED, 10)}",
        checks_western.codice_fiscale,
    ),
    shape(
        "national insurance number",
        "national_id",
        f"{spread(_LETTER, 2)}{GAP}{spread(_DIGIT, 6)}{GAP}[A-Da-d]",
        checks_western.nino,
    ),
    shape("DNI and NIE, Spain", "national_id", f"[0-9XYZxyz]{GAP}{spread(_DIGIT, 7)}{GAP}[A-Za-z]", checks_western.dni),
    shape(
        "social security number, France",
        "national_id",
        f"[1-478]{GAP}{spread(_DIGIT, 4)}{GAP}[0-9]{GAP}[0-9ABab]{GAP}{spread(_DIGIT, 8)}",
        checks_western.nir,
    ),
    shape("vehicle number, ISO 3779", "vin", "[1-9A-HJ-NPR-Z][0-9A-HJ-NPR-Z]{11}[0-9]{5}", _is_vin),
    shape("parcel, UPS", "tracking_number", f"1{GAP}Z{GAP}{spread('[0-9A-Z]', 16)}"),
    shape(
        "parcel, UPU S10",
        "tracking_number",
        f"[A-Z]{{2}}{GAP}{spread(_DIGIT, 9)}{GAP}[A-Z]{{2}}",
        checks.parcel,
    ),
    shape("identity or licence number with its country", "national_id", "[A-Z]{2}-(?:ID|DL)-[0-9]{5,13}"),
    shape("postcode, United Kingdom", "zip_code", "[A-Z]{1,2}[0-9][0-9A-Z]? [0-9][ABD-HJLNP-UW-Z]{2}"),
    shape("postcode, Canada", "zip_code", "[ABCEGHJ-NPRSTVXY][0-9][ABCEGHJ-NPRSTV-Z] [0-9][ABCEGHJ-NPRSTV-Z][0-9]"),
    shape(
        "docket number",
        "case_number",
        r"(?:[0-9]:)?[0-9]{2,4}-(?i:cv|cr|md|mc|mj|civ|bk|ap)-[0-9]{3,6}(?:-[A-Z]{2,4}){0,3}",
    ),
    shape("case number, Court of Justice of the EU", "case_number", r"[CTFctf]-[0-9]{1,4}/[0-9]{2}(?:[ ]?P)?"),
)

CUED: tuple[Rule, ...] = (
    cued("social security number after a cue", "ssn", "ssn,social security,itin,taxpayer,tax id", spread(_DIGIT, 9)),
    cued("employer number after a cue", "tax_id", "ein,employer identification,federal tax", spread(_DIGIT, 9)),
    cued(
        "tax number, Germany",
        "tax_id",
        "steuer-id,steuer-identifikationsnummer,steueridentifikationsnummer,steuernummer,idnr,tin,tax number,"
        "tax id,steuer",
        spread(_DIGIT, 11),
        checks_western.de_tax_id,
    ),
    cued(
        "citizen's number, Netherlands",
        "national_id",
        "bsn,burgerservicenummer,sofinummer",
        spread(_DIGIT, 8, 9),
        checks_western.bsn,
    ),
    cued("tax code, Italy, after a cue", "national_id", "codice fiscale,fiscal code", spread(_MIXED, 16)),
    cued(
        "national number after a cue",
        "national_id",
        "national insurance,nino,national id,nir,insee,dni,nie,national identity,national identification,"
        "personal number,identity number",
        code(7, 18, 5),
    ),
    cued("routing number after a cue", "bank_routing", "aba,routing,transit", spread(_DIGIT, 9), checks_western.aba),
    cued("sort code after a cue", "bank_routing", "sort code", spread(_DIGIT, 6)),
    cued(
        "account after an English cue",
        "bank_account",
        "account,acct,bank account,card,iban,debit,credit card",
        spread(_DIGIT, 8, 19),
    ),
    cued("device number after a cue", "imei", "imei,meid,串号", f"{spread(_DIGIT, 15)}(?:{GAP}[0-9])?"),
    cued("device number that checks", "imei", "device,handset,设备号,序列号", spread(_DIGIT, 15), checks.imei),
    cued(
        "driving licence after an English cue",
        "driver_licence",
        "driver's license,drivers license,driver license,driver’s license,driving licence,driving license,"
        "driver's licence,driver licence,driver’s licence,licence number,license number,dl",
        rf"{code(5, 20, 4)}",
    ),
    cued("postal code after an English cue", "zip_code", "zip,postal,postcode,post code,plz", _POSTCODE, None, "quasi"),
    cued(
        "docket number after a cue",
        "case_number",
        "docket,case no,case number,case id,file no,file number,petition no,appeal no,index no,cause no,"
        "reference number,ref no,application no,application number",
        r"[0-9A-Za-z][0-9A-Za-z:/\-]{0,4}[0-9][0-9A-Za-z:/\-.]{1,20}(?<![.:/\-])",
    ),
    cued(
        "number plate after a cue",
        "plate",
        "license plate,licence plate,number plate,registration number,车牌,车牌号",
        r"[A-Za-z0-9]{1,4}[ \-·]?(?=[A-Za-z]{0,4}[0-9])[A-Za-z0-9]{2,5}(?:[ \-][0-9A-Za-z]{1,4})?",
    ),
    cued(
        "reference after a cue",
        "reference_number",
        "plot no,plots no,parcel no,registration no,policy no,contract no,licence no,license no,serial no,"
        "certificate no,permit no,decision no,plot number,policy number,contract number,serial number,"
        "registration number,certificate number,member number,membership number,user id,client id,"
        "customer id,customer number,member id,account id,profile id,identification number",
        _LIST,
        None,
        "quasi",
    ),
    cued("PIN after a cue", "secret", "pin", spread(_DIGIT, 4, 6), connect=POINTED),
)

_STATES = (
    "AL|AK|AZ|AR|CA|CO|CT|DC|DE|FL|GA|HI|ID|IL|IN|IA|KS|KY|LA|ME|MD|MA|MI|MN|MS|MO|MT|NE|NV|NH|NJ|NM|NY|NC|ND|OH|OK|OR"
    "|PA|RI|SC|SD|TN|TX|UT|VT|VA|WA|WV|WI|WY|PR|AE|AP|AA"
)
_STATE = re.compile(rf"(?<![0-9A-Za-z])(?:{_STATES})[,.]?[\s]{{1,3}}\Z")
_ZIP = Rule("ZIP behind a state", "zip_code", re.compile(rf"([0-9]{{5}}(?:-[0-9]{{4}})?){AFTER}"), None, (), "quasi")
_LAST = Rule(
    "postal code at the end of an address",
    "zip_code",
    re.compile(r"([0-9]{3,5}(?:[ -][0-9]{2,3})?)(?=[ ]*(?:\n|\Z))"),
    None,
    (),
    "quasi",
)
_ADDRESS = re.compile(
    r"(?:\bApt\b|\bSuite\b|\bStreet\b|\bAvenue\b|\bRoad\b|\bAddress:)[^\n]{0,60}(?:\n[^\n]{0,40}){0,3}"
    r"[A-Za-z](?<!Suite)(?<!Apt)(?<!Box)(?<!Unit)\s+\Z"
)
_NUMBER = re.compile(rf"[0-9]{{1,6}}/(?:[0-9]{{2}}|(?:19|20)[0-9]{{2}}){AFTER}(?![/.,][0-9]|\s{{0,2}}[=×÷*+])")
_TORN = re.compile(
    r"[0-9]{1,5}(?:[\r\n]{1,2}[0-9]{1,5})?[\r\n]{0,2}/[\r\n]{0,2}(?:[0-9][\r\n]{0,2}){1,3}[0-9](?![0-9A-Za-z]|[/.,][0-9])"
)
_CASE_CUE = re.compile(
    r"(?:\bnos?\.?|numbers?|applications?|cases?|petitions?|complaints?|№|(?:案号|申请号|文号)[是为:]?)\s{0,2}\Z", re.I
)
_CASE = Rule("case number with a year", "case_number")
_SLASH = re.compile(r"/[\r\n]{0,2}[0-9]")
_HEAD = re.compile(r"(?<![0-9A-Za-z/.$\-])([0-9]{1,6}(?:[\r\n]{1,2}[0-9]{1,5})?)[\r\n]{0,2}\Z")
_LISTED = re.compile(r"(?:,|;|,? and|,? to| -)\s{1,2}")
_SEASON = re.compile("(?:19|20)[0-9]{2}/[0-9]{2}")


def find_zip(text: str, at: int) -> Iterator[Found]:
    """A US ZIP code behind the letters of a state, or a postal code that ends an address."""
    rule = _ZIP if _STATE.search(text, max(0, at - 6), at) else _LAST
    if (found := rule.find(text, at)) and (rule is _ZIP or _ADDRESS.search(text, max(0, at - 90), at)):
        yield found


def find_cases(text: str) -> Iterator[Found]:
    """Numbers with a year (18403/91), as courts and offices give them; short ones by a cue or in such company."""
    end = -1
    for slash in _SLASH.finditer(text):
        head = _HEAD.search(text, max(0, slash.start() - 13), slash.start())
        found = head and (_NUMBER.match(text, head.start(1)) or _TORN.match(text, head.start(1)))
        if not found:
            continue
        start = found.start()
        listed = end >= 0 and _LISTED.fullmatch(text, end, start) is not None
        long = found.re is _NUMBER and len(found[0].partition("/")[0]) >= 5 and not _SEASON.fullmatch(found[0])
        if long or listed or _CASE_CUE.search(text, max(0, start - 24), start):
            end = found.end()
            yield start, end, _CASE


@cache
def _account(length: int) -> Rule:
    pattern = (
        f"{BEFORE}([A-Z]{GAP}[A-Z]{GAP}[0-9]{GAP}[0-9](?:{GAP}[0-9A-Z]){{{length - 4}}}"
        f"|{_LETTER}{{2}}[0-9]{{2}}{_MIXED}{{{length - 4}}}){AFTER}"
    )
    return Rule("IBAN, ISO 13616", "iban", re.compile(pattern), checks.iban)


_IBAN_START = re.compile(f"{BEFORE}{_LETTER}{GAP}{_LETTER}{GAP}[0-9]{GAP}[0-9]")


def find_iban(text: str, at: int) -> Iterator[Found]:
    """An international bank account number that begins at `at`."""
    start = _IBAN_START.match(text, at)
    length = start and checks.IBAN_LENGTHS.get(compact(start[0])[:2])
    if length and (found := _account(length).find(text, at)):
        yield found
