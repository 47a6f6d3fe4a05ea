"""Dates, ages and quantities by their form: what is found whole, and what is left alone."""

import pytest

from candor.governance.pii.dates import find_dates


def found(text: str) -> list[tuple[str, str]]:
    return [(span.type, text[span.start : span.end]) for span in sorted(find_dates(text), key=lambda one: one.start)]


@pytest.mark.parametrize(
    "text",
    [
        "31 May 1991", "1st of March 2020", "May 2005", "March 3, 2014", "2019-03-05", "05/06/2019", "5.6.2019",
        "1998", "1996-98", "1990s", "3 and 4 June 2001", "1990年3月5日", "3月5日", "１９９０年３月",
        "二〇一九年三月五日", "五月十二日",
        "90年代", "2019年春",
    ],
)  # fmt: skip
def test_dates_are_found_whole(text: str) -> None:
    for around in ("{}", "on {}, he", "他于{}出生", "（{}）"):
        shown = around.format(text)
        spans = find_dates(shown)
        start = shown.index(text)
        covered = {place for span in spans for place in range(span.start, span.end)}
        assert set(range(start, start + len(text))) <= covered, (shown, spans)
        assert {span.type for span in spans} == {"date"}


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("age", "aged 35"), ("age", "35 years old"), ("age", "35-year-old"), ("age", "35岁"), ("age", "三十五周岁"),
        ("quantity", "EUR 4,684.40"), ("quantity", "$5 million"), ("quantity", "200,000 Turkish liras (TRY)"),
        ("quantity", "12,000元"), ("quantity", "二十万元"), ("quantity", "40%"), ("quantity", "50 metres"),
        ("quantity", "3.5万元"), ("quantity", "120平方米"), ("quantity", "￥88"),
    ],
)  # fmt: skip
def test_ages_and_quantities_are_found_whole(kind: str, text: str) -> None:
    assert (kind, text) in found(f"It was {text}, they said."), found(f"It was {text}, they said.")


@pytest.mark.parametrize(
    "text",
    [
        "version 3.14.1990", "18403/91", "page 12", "room 1204b", "see section 4.2", "model X2019", "id_1990", "第三章",
        "一二三四五", "1602号决议", "May I ask", "march on", "12,1998,334", "port 8080", "三月里的小雨", "a may fly",
    ],
)  # fmt: skip
def test_what_is_no_date_is_left_alone(text: str) -> None:
    assert found(text) == []
