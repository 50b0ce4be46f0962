"""Encodings of the web: their labels, what decodes them, and which one undeclared text is probably in.

Labels and their meaning as in the WHATWG's Encoding Standard (https://encoding.spec.whatwg.org/#names-and-labels):
what calls itself ISO-8859-1 is windows-1252, for example, and gb2312 is gb18030.
"""

import codecs
import re
from collections.abc import Iterator
from functools import lru_cache

from charset_normalizer import from_bytes

UTF_8 = "utf-8"
UTF_16 = ("utf-16-le", "utf-16-be")
WINDOWS_1252 = "cp1252"
SAMPLE_BYTES = 4096  # what a guess is made from; it takes some 2 ms

# Under Python's names. Python's euc_jp and iso2022_jp lack characters that browsers know: NEC's, half-width kana.
_MULTIBYTE = {
    UTF_8: "utf8 unicode11utf8 unicode20utf8 xunicode20utf8",
    "utf-16-le": "utf16 utf16le ucs2 unicode csunicode iso10646ucs2 unicodefeff",
    "utf-16-be": "utf16be unicodefffe",
    "gb18030": "gb18030 gbk gb2312 xgbk gb231280 chinese csgb2312 csiso58gb231280 isoir58",
    "big5hkscs": "big5 big5hkscs cnbig5 csbig5 xxbig5",
    "cp932": "shiftjis sjis xsjis mskanji ms932 windows31j csshiftjis",
    "euc_jis_2004": "eucjp xeucjp cseucpkdfmtjapanese",
    "iso2022_jp_ext": "iso2022jp csiso2022jp",
    "cp949": "euckr cseuckr korean windows949 ksc5601 ksc56011987 ksc56011989 csksc56011987 isoir149",
}
_SINGLE_BYTE = {
    WINDOWS_1252: "ascii usascii ansix3.41968 iso88591 isoir100 latin1 l1 csisolatin1 cp819 ibm819 xuserdefined",
    "cp1254": "iso88599 isoir148 latin5 l5 csisolatin5",
    "cp874": "windows874 dos874 tis620 iso885911",
    "cp866": "cp866 ibm866 csibm866 866",
    "iso8859_2": "latin2 l2 csisolatin2 isoir101",
    "iso8859_3": "latin3 l3 csisolatin3 isoir109",
    "iso8859_4": "latin4 l4 csisolatin4 isoir110",
    "iso8859_5": "cyrillic csisolatincyrillic isoir144",
    "iso8859_6": "arabic csisolatinarabic csiso88596e csiso88596i iso88596e iso88596i asmo708 ecma114 isoir127",
    "iso8859_7": "greek greek8 csisolatingreek suneugreek elot928 ecma118 isoir126",
    "iso8859_8": "hebrew csisolatinhebrew csiso88598e csiso88598i iso88598e iso88598i logical visual isoir138",
    "iso8859_10": "latin6 l6 csisolatin6 isoir157",
    "iso8859_15": "l9 csisolatin9",
    "koi8_r": "koi8r koi koi8 cskoi8r",
    "koi8_u": "koi8u koi8ru",
    "mac_roman": "macintosh mac xmacroman csmacintosh",
    "mac_cyrillic": "xmaccyrillic xmacukrainian",
    **{f"iso8859_{number}": "" for number in (13, 14, 16)},
    **{f"cp{number}": "" for number in (1250, 1251, 1253, 1255, 1256, 1257, 1258)},
}


def _labels() -> Iterator[tuple[str, str]]:
    for codec, labels in (*_MULTIBYTE.items(), *_SINGLE_BYTE.items()):
        yield from ((label, codec) for label in labels.split())
    for codec in _SINGLE_BYTE:
        if codec.startswith("iso"):
            yield codec.replace("_", ""), codec
    for number in range(1250, 1259):
        yield from ((f"{prefix}{number}", f"cp{number}") for prefix in ("windows", "cp", "xcp"))


_CODECS = dict(_labels())
_PUNCTUATION = re.compile("[-_ ]")

# Letters beyond ASCII of languages in Latin script, most spoken first: charset-normalizer takes much of western Europe
# for central Europe.
_ALPHABETS = [
    (WINDOWS_1252, "áéíóúüñ¿¡ª"),  # Spanish
    (WINDOWS_1252, "àâæçéèêëîïôœùûüÿ"),  # French
    (WINDOWS_1252, "àáâãçéêíóôõúüªº"),  # Portuguese
    (WINDOWS_1252, "äöüß"),  # German
    (WINDOWS_1252, "àèéìîòùº"),  # Italian
    (WINDOWS_1252, "áàäëéèïíöóüú"),  # Dutch
    (WINDOWS_1252, "åäöé"),  # Swedish, Finnish
    (WINDOWS_1252, "æøåéòó"),  # Danish, Norwegian
    (WINDOWS_1252, "àçéèíïóòúü·"),  # Catalan
    (WINDOWS_1252, "áéíóúýðþæö"),  # Icelandic
    ("cp1254", "çğıöşüâîûİ"),  # Turkish
    ("cp1258", "àáâãèéêìíòóôõùúýăđĩũơư\u0300\u0301\u0303\u0309\u0323₫"),  # Vietnamese
    ("cp1250", "ąćęłńóśźż"),  # Polish
    ("cp1250", "ăâîşţ"),  # Romanian
    ("cp1250", "áčďéěíňóřšťúůýž"),  # Czech
    ("cp1250", "áéíóöőúüű"),  # Hungarian
    ("cp1250", "áäčďéíĺľňóôŕšťúýž"),  # Slovak
    ("cp1250", "čćđšž"),  # Croatian, Slovenian
    ("iso8859_2", "ąćęłńóśźż"),
    ("iso8859_2", "áčďéěíňóřšťúůýž"),
    ("iso8859_2", "áéíóöőúüű"),
    ("cp1257", "ąčęėįšųūž"),  # Lithuanian
    ("cp1257", "āčēģīķļņšūž"),  # Latvian
    ("cp1257", "äöõüšž"),  # Estonian
]
_SIGNS = "\u00a0§°´¨«»‹›’‘“”„‚–—…·©®™€£•"  # noqa: RUF001
_LATIN_LETTERS = [(codec, frozenset(letters + letters.upper() + _SIGNS)) for codec, letters in _ALPHABETS]
_LATIN = {codec for codec, _ in _ALPHABETS}
_CANDIDATES = (
    "cp1252 cp1251 koi8_r koi8_u cp866 iso8859_5 cp1250 gb18030 big5 cp932 euc_jp cp949 cp1253 cp1254 cp1255 cp1256 "
    "cp1257 cp874"
).split()
_BROWSERS = {"euc_jp": "euc_jis_2004", "big5": "big5hkscs"}  # what browsers mean by them
_TAG = re.compile(rb"<[^<>]*>")


def codec_for(label: str) -> str | None:
    """Python's name for the encoding that a web page calls `label`; None for what browsers don't know."""
    return _CODECS.get(_PUNCTUATION.sub("", label.strip().lower().partition(":")[0]))


def decode_as(codec: str, body: bytes) -> str:
    """Decode with U+FFFD for what is no character. Never fails, and takes 20 ms/MB at most."""
    if codec in _MULTIBYTE:
        return body.decode(codec, "replace")
    return codecs.charmap_decode(body, "strict", _table(codec))[0]


@lru_cache
def _table(codec: str) -> str:
    """The 256 characters of an encoding. Python's own decoding is 100 times slower where some are missing."""
    known = (bytes([byte]).decode(codec, "replace") for byte in range(256))
    return "".join(chr(byte) if char == "\ufffd" and byte < 0xA0 else char for byte, char in enumerate(known))


def guess_codec(body: bytes) -> str:
    """What text that is neither declared nor UTF-8 is probably encoded in; windows-1252 where nothing speaks for more.

    By charset-normalizer, and among the encodings of Latin script by the letters that their languages use.
    """
    sample = _sample(body)
    found = from_bytes(sample, cp_isolation=_CANDIDATES, preemptive_behaviour=False, enable_fallback=False).best()
    codec = found.encoding if found else WINDOWS_1252
    return _guess_latin(sample) if codec in _LATIN else _BROWSERS.get(codec, codec)


def _sample(body: bytes) -> bytes:
    """Lines with bytes beyond ASCII, from the first megabyte, without tags; the first may be cut."""
    lines: list[bytes] = []
    size = 0
    for line in _TAG.sub(b"\n", body[:1_000_000]).splitlines():
        if not line.isascii():
            if lines and size + len(line) > SAMPLE_BYTES:
                break
            lines.append(line[:SAMPLE_BYTES])
            size += len(line)
    return b"\n".join(lines)


def _guess_latin(sample: bytes) -> str:
    foreign = {codec: [char for char in decode_as(codec, sample) if char > "\x7f"] for codec in _LATIN}
    known = [(sum(char in letters for char in foreign[codec]), codec) for codec, letters in _LATIN_LETTERS]
    return max(known, key=lambda score: score[0])[1]
