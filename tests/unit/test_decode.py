"""Bytes of pages in the web's encodings: declared rightly, wrongly, or not at all."""
# ruff: noqa: RUF001 - the texts are of many scripts

import codecs
import os

import pytest

from flowchat.ingest.charsets import codec_for, decode_as
from flowchat.ingest.decode import decode

GERMAN = "Größe, Maß und „Anführung“ – für 5 €"
RUSSIAN = "Этот сайт рассказывает о том, как установить и настроить программу на вашем компьютере."
JAPANESE = "このページでは、プログラムのインストール方法と設定方法について説明します。"


@pytest.mark.parametrize(
    ("label", "codec"),
    [
        ("UTF-8", "utf-8"),
        (" utf8 ", "utf-8"),
        ("ISO-8859-1", "cp1252"),
        ("iso_8859-1:1987", "cp1252"),
        ("latin1", "cp1252"),
        ("us-ascii", "cp1252"),
        ("iso-8859-9", "cp1254"),
        ("iso-8859-11", "cp874"),
        ("ISO-8859-8-I", "iso8859_8"),
        ("iso-8859-15", "iso8859_15"),
        ("x-cp1251", "cp1251"),
        ("gb2312", "gb18030"),
        ("x-gbk", "gb18030"),
        ("Shift_JIS", "cp932"),
        ("windows-31j", "cp932"),
        ("x-sjis", "cp932"),
        ("ks_c_5601-1987", "cp949"),
        ("euc-jp", "euc_jis_2004"),
        ("Big5", "big5hkscs"),
        ("macintosh", "mac_roman"),
        ("utf-16", "utf-16-le"),
        ("utf-7", None),
        ("hz-gb-2312", None),
        ("unicode_escape", None),
        ("no\0such", None),
        ("", None),
    ],
)
def test_labels(label: str, codec: str | None) -> None:
    assert codec_for(label) == codec
    if codec:
        assert codecs.lookup(codec)


@pytest.mark.parametrize(
    "page",
    [
        "<meta charset=koi8-r>",
        "<META CharSet = ' KOI8-R '>",
        '<meta http-equiv="Content-Type" content="text/html; charset=koi8-r">',
        "<meta content='text/html;charset=\"koi8-r\"' http-equiv=content-type />",
        "<meta charset=nonsense><meta charset=koi8-r>",
        "<!-- <meta charset=utf-8> --><title>x</title><meta/charset=koi8-r>",
        "<a title='<meta charset=utf-8>'><meta charset=koi8-r>",
        "<?xml version='1.0' encoding='koi8-r'?><html>",
        "<!DOCTYPE html>" + " " * 900 + "<meta charset=koi8-r>",
        "<!DOCTYPE html>" + " " * 20_000 + "<meta charset=koi8-r>",  # late, but browsers find it
    ],
)
def test_declarations_in_the_page(page: str) -> None:
    assert decode((page + RUSSIAN).encode("koi8-r"), None) == page + RUSSIAN
    assert decode((page + RUSSIAN).encode("cp1251"), "windows-1251") == page + RUSSIAN


@pytest.mark.parametrize("page", ["<meta charset=koi8-r", "<!-- <meta charset=koi8-r>", "<meta name=x content=koi8-r>"])
def test_what_is_no_declaration(page: str) -> None:
    assert decode((page + RUSSIAN).encode(), None) == page + RUSSIAN


@pytest.mark.parametrize(
    ("mark", "codec"),
    [(codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")],
)
def test_a_byte_order_mark_beats_every_declaration(mark: bytes, codec: str) -> None:
    text = "<meta charset=koi8-r>" + JAPANESE
    assert decode(mark + text.encode(codec), "shift_jis") == text


def test_utf_16() -> None:
    assert decode(JAPANESE.encode("utf-16-le"), "utf-16") == JAPANESE
    assert decode(("<meta charset=utf-16>" + JAPANESE).encode(), None).endswith(JAPANESE)
    xml = "<?xml version='1.0' encoding='utf-16'?>" + JAPANESE
    assert decode(xml.encode("utf-16-be"), None) == xml


@pytest.mark.parametrize(
    ("text", "codec", "charset"),
    [
        (GERMAN, "cp1252", "iso-8859-1"),
        (GERMAN, "utf-8", "iso-8859-1"),  # what a server declares for all its files
        (GERMAN, "cp1252", "utf-8"),
        (RUSSIAN, "cp1251", "utf-8"),
        (RUSSIAN, "utf-8", "euc-kr"),
        (JAPANESE, "cp932", "euc-jp"),
        (JAPANESE + "①㈱", "cp932", "shift_jis"),
        (JAPANESE + "①㈱", "euc_jis_2004", "euc-jp"),
        (JAPANESE + "ｱ", "iso2022_jp_ext", "iso-2022-jp"),
    ],
)
def test_declared_rightly_and_wrongly(text: str, codec: str, charset: str) -> None:
    assert decode(text.encode(codec), charset) == text


@pytest.mark.parametrize("charset", [None, "utf-8", "nonsense"])
def test_a_stray_byte_does_not_change_the_encoding(charset: str | None) -> None:
    assert decode(JAPANESE.encode() + b"\xe6", charset) == JAPANESE + "\ufffd"
    assert decode(b"plain \xff text", charset) == "plain \u00ff text"


@pytest.mark.parametrize(
    ("text", "codec"),
    [
        (RUSSIAN, "cp1251"),
        (RUSSIAN, "koi8-r"),
        (RUSSIAN, "cp866"),
        (JAPANESE, "cp932"),
        (JAPANESE, "euc_jp"),
        ("本页介绍如何在您的计算机上安装和配置该程序，以及常见问题的解决方法。", "gb18030"),
        ("本頁介紹如何在您的電腦上安裝和設定該程式，以及常見問題的解決方法。", "big5"),
        ("이 페이지에서는 프로그램을 설치하고 설정하는 방법을 설명합니다.", "cp949"),
        ("Αυτή η σελίδα εξηγεί πώς να εγκαταστήσετε και να ρυθμίσετε το πρόγραμμα.", "cp1253"),
        ("หน้านี้อธิบายวิธีการติดตั้งและตั้งค่าโปรแกรมบนคอมพิวเตอร์ของคุณ", "cp874"),
        (GERMAN, "cp1252"),
        ("Cette page décrit l’installation du logiciel, où il est rangé, et ça marche même là-bas.", "cp1252"),
        ("Esta página explica cómo instalar el programa en español: ¿qué más? ¡Nada!", "cp1252"),
        ("Siden viser hvordan du lærer å bruke programmet på norsk, også når det går galt.", "cp1252"),
        ("Zażółć gęślą jaźń, czyli jak zainstalować program i używać go codziennie.", "cp1250"),
        ("Zażółć gęślą jaźń, czyli jak zainstalować program i używać go codziennie.", "iso8859_2"),
        ("Příliš žluťoučký kůň úpěl ďábelské ódy a přečetl si návod k použití.", "cp1250"),
        ("Bu sayfa programın nasıl kurulacağını ve ayarlanacağını açıklıyor; işte böyle.", "cp1254"),
    ],
)
def test_undeclared(text: str, codec: str) -> None:
    page = f"<html><title>Setup</title><p>{text}</p><p>{text}</p>"
    assert decode(page.encode(codec), None) == page


@pytest.mark.parametrize("codec", ["cp1252", "cp1253", "iso8859_3"])
def test_single_bytes_decode_as_in_browsers(codec: str) -> None:
    everything = bytes(range(256))
    ours, python = decode_as(codec, everything), everything.decode(codec, "replace")
    missing = [byte for byte in range(256) if python[byte] == "\ufffd"]
    assert [char for byte, char in enumerate(ours) if byte not in missing] == [
        char for byte, char in enumerate(python) if byte not in missing
    ]
    assert all(ours[byte] == (chr(byte) if byte < 0xA0 else "\ufffd") for byte in missing)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        bytes(range(256)) * 100,
        os.urandom(100_000),
        b"\xff" * 1_000_000,
        b"<!--" * 250_000 + b"\xff",
        b"<" * 1_000_000 + b"\xff",
        b"<meta " + b"a='" * 300_000 + b"\xff",
        b"<meta " + b" /" * 500_000 + b"\xff",
        b"<?xml " + b" encoding" * 100_000 + b"\xff",
    ],
)
@pytest.mark.parametrize("charset", [None, "utf-8", "gbk", "iso-2022-jp", "utf-16", "windows-1255"])
def test_no_page_fails(body: bytes, charset: str | None) -> None:
    assert bool(decode(body, charset)) is bool(body)
