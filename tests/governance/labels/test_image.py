"""PNG and JPEG: one label in the XMP, the picture and all other metadata as they were."""

import io
import random
import re
import zlib
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from candor.governance.labels import exif, xmp
from candor.governance.labels.carrier import GENERATED, Carrier, SourceType, Unreadable
from candor.governance.labels.image import JPEG, PNG
from candor.governance.labels.record import Label
from candor.governance.labels.verdict import judge
from tests.governance.labels.cases import FIRST, broken, labels, many, only_label, saved, survives, xml_text

OTHER = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="uuid:7" {}'
    'xmlns:dc="http://purl.org/dc/elements/1.1/" dc:format="a &amp; b"><dc:title>{}</dc:title></rdf:Description>'
    '</rdf:RDF></x:xmpmeta>{}<?xpacket end="w"?>'
)
WRAPPED = '{"AIGC":' + FIRST.json() + "}"


def _picture(size: int = 8) -> Image.Image:
    rng = np.random.default_rng(size)
    return Image.fromarray(rng.integers(0, 255, (size, size, 3), dtype=np.uint8))


def png(packet: str = "", texts: dict[str, str] | None = None, size: int = 8) -> bytes:
    info = PngImagePlugin.PngInfo()
    if packet:
        info.add_itxt("XML:com.adobe.xmp", packet, zip=len(packet) % 2 == 0)
    for keyword, text in (texts or {}).items():
        info.add_text(keyword, text, zip=len(text) > 500)
    return saved(lambda out: _picture(size).save(out, "PNG", pnginfo=info))


def jpeg(packet: str = "", size: int = 8, **options: object) -> bytes:
    more = {"xmp": packet.encode()} if packet else {}
    return saved(lambda out: _picture(size).save(out, "JPEG", **more, **options))


KINDS = {"png": (PNG, png), "jpeg": (JPEG, jpeg)}
KIND = pytest.mark.parametrize("kind", KINDS)


def packet_of(data: bytes) -> str:
    with Image.open(io.BytesIO(data)) as picture:
        found = picture.info.get("XML:com.adobe.xmp") or picture.info["xmp"].decode()
    return found


def pixels(data: bytes) -> bytes:
    with Image.open(io.BytesIO(data)) as picture:
        return picture.tobytes()


@KIND
@given(title=xml_text, label=labels, second=labels, bare=st.booleans(), size=st.integers(1, 40))
@many
def test_a_label_reads_back_and_a_second_one_takes_its_place(
    kind: str, title: str, label: Label, second: Label, bare: bool, size: int
) -> None:
    carrier, make = KINDS[kind]
    title = title.replace("&", "").replace("<", "").replace("]", "")
    data = make("" if bare else OTHER.format("", title, " " * 100), size=size)
    once = carrier.write(data, label, None)
    assert only_label(carrier, once) == label
    source = (SourceType("XMP digitalSourceType", GENERATED),) if label.says_generated else ()
    assert carrier.read(once).marks == source
    assert carrier.write(data, label, None) == once
    twice = carrier.write(once, second, None)
    assert judge("x", carrier, carrier.read(twice), standard="both").status == "compliant"
    assert only_label(carrier, twice) == second
    assert carrier.write(twice, second, None) == twice
    assert pixels(twice) == pixels(data)
    if label.says_generated or not second.says_generated:  # else the source type stays: no mark of AI is taken away
        assert carrier.write(twice, label, None) == once
    if not bare:
        assert f"<dc:title>{title}</dc:title>" in packet_of(twice)
        assert 'dc:format="a &amp; b"' in packet_of(twice)


@KIND
def test_only_the_packet_changes(kind: str) -> None:
    carrier, make = KINDS[kind]
    plain = make()
    labelled = carrier.write(plain + b"behind the end", FIRST, None)
    start = next(n for n, (a, b) in enumerate(zip(plain, labelled, strict=False)) if a != b)
    assert labelled.endswith(plain[start + 4 :] + b"behind the end")
    assert pixels(labelled) == pixels(plain)


@KIND
@pytest.mark.parametrize("form", ["element", "attribute", "both", "other name"])
def test_labels_of_others_are_read_and_replaced(kind: str, form: str) -> None:
    carrier, make = KINDS[kind]
    json = FIRST.json().replace('"', "&quot;")
    space = f'xmlns:T="{xmp.AIGC}"'
    there = {
        "element": f"</dc:title><T:AIGC {space}>{json}</T:AIGC><dc:title>",
        "attribute": "",
        "both": f"</dc:title><T:AIGC {space}>{json}</T:AIGC><dc:title>",
        "other name": f"</dc:title><T:aigc_mark {space}>{json}</T:aigc_mark><dc:title>",
    }[form]
    head = f"{space} T:AIGC='{json}' " if form in ("attribute", "both") else ""
    data = make(OTHER.format(head, there, ""))
    found = carrier.read(data).labels
    assert [one.value for one in found] == [FIRST.json()] * (2 if form == "both" else 1)
    assert found[0].name == ("T:aigc_mark" if form == "other name" else "TC260:AIGC")
    labelled = carrier.write(data, FIRST, None)
    assert only_label(carrier, labelled) == FIRST
    assert "dc:format" in packet_of(labelled)


@pytest.mark.parametrize("long", [False, True])
def test_the_text_chunk_of_annex_b_is_read_and_gives_way(long: bool) -> None:
    data = png(texts={"AIGC": WRAPPED + " " * 600 * long, "Author": "stays"})
    (found,) = PNG.read(data).labels
    assert (found.wrapped, found.place) == (True, "zTXt chunk" if long else "tEXt chunk")
    labelled = PNG.write(data, FIRST, None)
    assert only_label(PNG, labelled) == FIRST
    with Image.open(io.BytesIO(labelled)) as picture:
        assert picture.text["Author"] == "stays"
        assert "AIGC" not in picture.text


@KIND
@pytest.mark.parametrize("charset", [b"ASCII\0\0\0", b"UNICODE\0", b""])
def test_the_user_comment_of_annex_b_is_read_and_blanked(kind: str, charset: bytes) -> None:
    carrier, _ = KINDS[kind]
    tags = Image.Exif()
    tags[0x010E] = "a picture"
    tags.get_ifd(0x8769)[0x9286] = charset + WRAPPED.encode("utf-16-le" if b"UNI" in charset else "utf-8")
    data = saved(lambda out: _picture().save(out, kind.upper(), exif=tags))
    (found,) = carrier.read(data).labels
    assert (found.value, found.wrapped) == (WRAPPED, True)
    labelled = carrier.write(data, FIRST, None)
    assert only_label(carrier, labelled) == FIRST
    with Image.open(io.BytesIO(labelled)) as picture:
        assert picture.getexif()[0x010E] == "a picture"
        assert not picture.getexif().get_ifd(0x8769)[0x9286].strip(b"\0 ")


def test_progressive_and_profiled_pictures_keep_their_parts() -> None:
    data = jpeg(size=64, progressive=True, icc_profile=b"p" * 70_000, comment=b"AI?", dpi=(7, 7))
    labelled = JPEG.write(data, FIRST, None)
    with Image.open(io.BytesIO(labelled)) as picture:
        assert (picture.info["icc_profile"], picture.info["comment"]) == (b"p" * 70_000, b"AI?")
    assert pixels(labelled) == pixels(data)


def test_padding_gives_way_and_a_full_packet_is_refused() -> None:
    room = OTHER.format("", "t", " " * 64_900)
    assert only_label(JPEG, JPEG.write(jpeg(room), FIRST, None)) == FIRST
    with pytest.raises(Unreadable, match="no label fits"):
        JPEG.write(jpeg(OTHER.format("", "t" * 64_900, "")), FIRST, None)
    assert only_label(PNG, PNG.write(png(OTHER.format("", "t" * 10**6, "")), FIRST, None)) == FIRST


def _with_segment(data: bytes, marker: int, content: bytes) -> bytes:
    return data[:2] + bytes((0xFF, marker)) + (len(content) + 2).to_bytes(2, "big") + content + data[2:]


def test_extended_xmp_is_kept_or_refused() -> None:
    head = b"http://ns.adobe.com/xmp/extension/\0" + b"0" * 32 + bytes(8)
    data = _with_segment(jpeg(), 0xE1, head + OTHER.format("", "long", "").encode())
    assert OTHER.format("", "long", "").encode() in JPEG.write(data, FIRST, None)
    inside = OTHER.format("", f'</dc:title><AIGC xmlns="{xmp.AIGC}">{FIRST.json()}</AIGC><dc:title>', "")
    data = _with_segment(jpeg(), 0xE1, head + inside.encode())
    assert [one.place for one in JPEG.read(data).labels] == ["extended XMP"]
    with pytest.raises(Unreadable, match="extended XMP"):
        JPEG.write(data, FIRST, None)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return len(content).to_bytes(4, "big") + kind + content + zlib.crc32(kind + content).to_bytes(4, "big")


DTD = '<!DOCTYPE x [<!ENTITY a "aaaa">]><x:xmpmeta xmlns:x="adobe:ns:meta/">&a;</x:xmpmeta>'
BOMB = png().replace(_chunk(b"IEND", b""), _chunk(b"zTXt", b"AIGC\0\0" + zlib.compress(bytes(2**25))))
BAD = {
    "nothing": (PNG, b"", "no PNG"),
    "jpeg as png": (PNG, jpeg(), "no PNG"),
    "torn png": (PNG, png()[:-3], "torn"),
    "wrong checksum": (PNG, png()[:-1] + b"x", "torn"),
    "no picture": (PNG, png()[:33] + _chunk(b"IEND", b""), "no picture"),
    "text bomb": (PNG, BOMB + _chunk(b"IEND", b""), "unpacks to more"),
    "entities in png": (PNG, png(DTD), "document type"),
    "no xml": (PNG, png("<x:xmpmeta"), "not well-formed"),
    "png as jpeg": (JPEG, png(), "no JPEG"),
    "torn jpeg": (JPEG, jpeg()[:-3], "torn"),
    "torn head": (JPEG, jpeg()[:100], "torn"),
    "entities in jpeg": (JPEG, jpeg(DTD), "document type"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files_are_refused_with_the_reason(name: str) -> None:
    carrier, data, why = BAD[name]
    for act in (carrier.read, lambda data: carrier.write(data, FIRST, None)):
        with pytest.raises(Unreadable, match=why):
            act(data)


def test_signed_pictures_and_packets_that_are_none_are_left_alone() -> None:
    signed = png().replace(_chunk(b"IEND", b""), _chunk(b"caBX", b"jumb") + _chunk(b"IEND", b""))
    with pytest.raises(Unreadable, match="C2PA"):
        PNG.write(signed, FIRST, None)
    with pytest.raises(Unreadable, match="C2PA"):
        JPEG.write(_with_segment(jpeg(), 0xEB, b"JP..jumb..c2pa"), FIRST, None)
    with pytest.raises(Unreadable, match="no rdf:RDF"):
        PNG.write(png("<a/>"), FIRST, None)
    two = OTHER.format("", "t", "").encode()
    with pytest.raises(Unreadable, match="two XMP packets"):
        JPEG.write(_with_segment(jpeg(two.decode()), 0xE1, b"http://ns.adobe.com/xap/1.0/\0" + two), FIRST, None)


def test_a_user_comment_of_another_kind_is_left_alone() -> None:
    tags = Image.Exif()
    tags.get_ifd(0x8769)[0x9286] = b"ASCII\0\0\0my holiday"
    structure = tags.tobytes()[6:]
    assert exif.comment(structure) is None
    assert exif.blanked(structure) == structure
    for cut in range(len(structure)):
        exif.comment(structure[:cut])


@cache
def _labelled(kind: str) -> bytes:
    carrier, make = KINDS[kind]
    return carrier.write(make(OTHER.format("", "t", "")), FIRST, None)


@KIND
@given(seed=st.integers(0, 2**32), noise=st.binary(max_size=200))
@many
def test_broken_files_never_crash(kind: str, seed: int, noise: bytes) -> None:
    carrier: Carrier = KINDS[kind][0]
    rng = random.Random(seed)
    data = _labelled(kind)
    survives(carrier, noise)
    survives(carrier, broken(data, rng))
    packet = re.search(rb"<\?xpacket begin.*end=\"w\"\?>", data, re.DOTALL)
    assert packet
    torn = broken(packet[0], rng)
    if kind == "jpeg":
        survives(carrier, _with_segment(jpeg(), 0xE1, b"http://ns.adobe.com/xap/1.0/\0" + torn))
    else:
        chunk = _chunk(b"iTXt", b"XML:com.adobe.xmp" + bytes(5) + torn)
        survives(carrier, png()[:33] + chunk + png()[33:])


@KIND
def test_the_verdict_says_that_the_picture_was_not_looked_at(kind: str) -> None:
    carrier, make = KINDS[kind]
    reading = carrier.read(carrier.write(make(), FIRST, None))
    verdict = judge("x", carrier, reading)
    assert verdict.status == "compliant" and "5.2" in verdict.notes[-1] and "not looked at" in verdict.notes[-1]
    assert not any("5.2" in note for note in judge("x", carrier, reading, standard="eu").notes)
