"""Chinese identifiers by shape and by cue word."""

import re

from candor.governance.pii import checks
from candor.governance.pii.plain import AS_DIGITS, GAP, NUMERALS
from candor.governance.pii.rules import AFTER, NUMBERED, POINTED, Rule, code, cued, open_digits, shape, spread

_FIGURE = f"[0-9{NUMERALS}]"
_PLATE_PART = f"[0-9A-HJ-NP-Za-hj-np-z{NUMERALS}]"
_PROVINCES = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"
_CODE = "[0-9A-HJ-NPQRTUWXY]"
_DIGIT = "[0-9]"
_CARRIER = "|".join(GAP.join(name) for name in "SF YT ZTO STO JDVA JDVB JDV JD JT DPK YD HT EMS".split())


def _plate(value: str) -> bool:
    return checks.plate(value.translate(AS_DIGITS))


PLATE = Rule(
    "number plate, GA 36",
    "plate",
    re.compile(
        f"([{_PROVINCES}]{GAP}[A-Za-z]{GAP}{spread(_PLATE_PART, 4, 5)}{GAP}(?:{_PLATE_PART}|[挂学警港澳使领])){AFTER}"
    ),
    _plate,
)
"""Tried at each province's sign that a letter follows."""
PLATE_START = re.compile(f"[{_PROVINCES}](?={GAP}[A-Za-z]{GAP}{_PLATE_PART})")
CASE = Rule(
    "case number, courts of China",
    "case_number",
    re.compile(
        rf"([(\[〔]{GAP}{spread(_FIGURE, 4)}{GAP}[)\]〕]{GAP}(?:[一-鿿]{GAP}){{1,8}}?(?:{_FIGURE}{GAP}){{0,4}}"
        rf"(?:[一-鿿]{GAP}){{1,10}}?{spread(_FIGURE, 1, 8)}{GAP}号(?:之[一二三四五六七八九十0-9]{{1,2}})?)"
    ),
)
"""Tried at each opening bracket that a year follows (Supreme People's Court, Fa (2015) No. 137)."""
CASE_START = re.compile(rf"[(\[〔](?={GAP}[12一二]{GAP}[90九〇零]{GAP}{_FIGURE}{GAP}{_FIGURE}{GAP}[)\]〕])")

SHAPES: tuple[Rule, ...] = (
    shape(
        "credit code, GB 32100",
        "credit_code",
        f"{spread(_CODE, 18)}|[0-9a-hj-npqrtuwxy]{{18}}",
        lambda value: not value.isdigit() and checks.credit_code(value),
    ),
    shape(
        "passport, China",
        "passport",
        f"[EGDSP]{GAP}{spread(_DIGIT, 8)}|(?:E{GAP}[A-HJ-NP-Z]|[DSP]{GAP}E){GAP}{spread(_DIGIT, 7)}"
        "|[egdsp][0-9]{8}|e[a-hj-np-z][0-9]{7}",
    ),
    shape(
        "permit of Hong Kong and Macau",
        "travel_permit",
        f"[CWHM]{GAP}{spread(_DIGIT, 8)}(?:{GAP}[0-9]{GAP}[0-9])?|[cwhm][0-9]{{8}}|C[A-Z]{GAP}{spread(_DIGIT, 7)}",
    ),
    shape(
        "residence permit of foreigners",
        "residence_permit",
        f"[A-Z]{GAP}[A-Z]{GAP}[A-Z]{GAP}{spread(_DIGIT, 12)}",
        lambda value: checks.is_date("19" + value[7:13]) or checks.is_date("20" + value[7:13]),
    ),
    shape(
        "parcel of a Chinese carrier",
        "tracking_number",
        f"(?:{_CARRIER}){GAP}{spread(_DIGIT, 10, 15)}",
    ),
)

_WECHAT = "微信,微 信,薇信,威信,维信,v信,加v,weixin,wechat,wx,vx,加我"
_FREE = (
    r"(?:(?=[A-Za-z0-9_\-\r\n]{7})[A-Za-z][A-Za-z0-9_\-]{0,18}[\r\n]{1,2}(?=[A-Za-z_\-]{0,14}[0-9_\-]|[A-Za-z]+[^\x00-\x7f])[A-Za-z0-9_\-]{1,19}"
    r"|[A-Za-z][A-Za-z0-9_\-]{5,19})"
)
"""Six to twenty characters; a second line goes on with it if it has what a word has not, or Chinese goes on behind."""
_OWNED = "(?:(?<=[我你他她的加家人是]微信)|(?<=[我你他她的加]微信号)|(?<=加我))"

CUED: tuple[Rule, ...] = (
    cued("WeChat id after a cue", "wechat", _WECHAT, _FREE, connect=POINTED),
    cued("WeChat id with a digit after a cue", "wechat", _WECHAT, rf"(?=[A-Za-z_\-\r\n]{{0,20}}[0-9_\-]){_FREE}"),
    Rule(
        "WeChat id of somebody",
        "wechat",
        re.compile(rf"{_OWNED}[ :]?([A-Za-z][A-Za-z0-9_\-]{{5,19}}){AFTER}"),
        None,
        ("微信", "微信号", "加我"),
    ),
    cued("WeChat number after a cue", "wechat", _WECHAT, open_digits(6, 11), connect=POINTED),
    cued("QQ after a cue", "qq", "qq,q q,扣扣,企鹅号,q号,秋秋", f"[1-9](?:{GAP}[0-9]){{4,10}}"),
    cued(
        "Alipay after a cue",
        "alipay",
        "支付宝,alipay",
        rf"[A-Za-z][A-Za-z0-9_\-]{{5,19}}|{open_digits(6, 16)}",
        connect=POINTED,
    ),
    cued(
        "Alipay account with a digit after a cue",
        "alipay",
        "支付宝,alipay",
        rf"(?=[A-Za-z_\-]{{1,20}}[0-9])[A-Za-z][A-Za-z0-9_\-]{{5,19}}|{open_digits(6, 16)}",
    ),
    cued(
        "resident id after a cue",
        "resident_id",
        "身份证,身份证号,身份证号码,证件号,证件号码,公民身份号码,identity card,id card,sfz",
        f"{spread(_DIGIT, 17)}{GAP}[0-9Xx]|{spread(_DIGIT, 15)}",
    ),
    cued(
        "travel permit after a cue",
        "travel_permit",
        "通行证,台胞证,回乡证,港澳证",
        f"(?:[A-Za-z]{{1,2}}{GAP})?{spread(_DIGIT, 7, 11)}",
    ),
    cued("residence permit after a cue", "residence_permit", "居留证,居留许可,居住证,永居证", code(8, 18)),
    cued("passport after a cue", "passport", "护照,passport", f"(?:[A-Za-z]{{1,2}}{GAP})?{open_digits(6, 9)}"),
    cued(
        "parcel after a cue",
        "tracking_number",
        "快递,快递单号,运单,物流,包裹,单号,顺丰,圆通,中通,申通,韵达,邮政,tracking,parcel,waybill,shipment",
        code(8, 22, 6),
    ),
    cued(
        "order after a cue",
        "order_number",
        "订单,流水号,交易号,order,transaction,invoice,booking,confirmation,reservation",
        code(8, 28, 6),
    ),
    cued(
        "order number after a cue",
        "order_number",
        "order,transaction,invoice,booking",
        code(5, 28, 4),
        connect=NUMBERED,
    ),
    cued(
        "medical number after a cue",
        "medical_record",
        "就诊卡,诊疗卡,病历,病历号,病案,病案号,住院号,门诊号,医保卡,医保,社保卡,社保,健康卡,挂号,mrn,"
        "medical record,medical card,patient,health card,health insurance,medicare,nhs",
        code(5, 20, 4),
    ),
    cued(
        "student number after a cue",
        "student_number",
        "学号,学籍号,学生证,准考证,考号,考生号,matriculation",
        code(5, 20, 4),
    ),
    cued(
        "student number after an English cue",
        "student_number",
        "student,enrollment,enrolment",
        code(5, 20, 4),
        connect=NUMBERED,
    ),
    cued(
        "employee number after a cue",
        "employee_number",
        "工号,员工号,员工编号,职工号,工作证,警号",
        code(3, 14, 3),
    ),
    cued(
        "employee number after an English cue",
        "employee_number",
        "employee,staff,badge,personnel,payroll",
        code(3, 14, 3),
        connect=NUMBERED,
    ),
    cued(
        "vehicle number after a cue",
        "vin",
        "车架号,车架,车辆识别代号,车辆识别码,识别代号,大架号,vin,chassis",
        spread("[0-9A-HJ-NPR-Za-hj-npr-z]", 17),
        lambda value: sum(one.isdigit() for one in value) >= 3,
    ),
    cued("engine number after a cue", "vin", "发动机号", code(6, 14, 3)),
    cued("driving licence after a cue", "driver_licence", "驾驶证,驾照,档案编号,驾驶证号", code(8, 20, 6)),
    cued(
        "account after a cue",
        "bank_account",
        "卡号,银行卡,银行卡号,储蓄卡,信用卡,账号,帐号,账户,开户",
        open_digits(8, 23),
    ),
    cued("postal code after a cue", "zip_code", "邮编,邮政编码", spread(_DIGIT, 5, 6), None, "quasi"),
    cued(
        "phone after a Chinese cue",
        "phone",
        "电话,手机,手机号,座机,传真,热线",
        f"(?:0{spread(_DIGIT, 2, 3)}[ \\-]?)?{spread(_DIGIT, 7, 12)}(?!{GAP}[0-9])",
    ),
    cued(
        "case number after a cue",
        "case_number",
        "案号,文号,受理号,申请号",
        rf"(?:ZL|CN)?{spread(_DIGIT, 5, 14)}(?:\.[0-9X])?",
    ),
)
