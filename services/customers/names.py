"""How a name is shown, normalised, found and compared, in Hangul, kana, Han and Latin script.

A row keeps two shadow columns: ``search_keys`` in a ``text[]`` with a GIN index and ``search_text``
beside it.  A search asks for rows whose keys hold all tokens and whose text holds the needle that
``query_keys`` answers; the first part is quick, the second exact.  Nothing computed here is ever
shown to people.

Tokens, told apart by their shape::

    김, 김민   one character of a wide script, two characters of any
    ㄱ, ㄱㅁ   Hangul initials; a normalised name never holds these code points, NFKC replaces them
    ^k         the first letter of a word: what a search for a single Latin letter looks for
    e: l: d:   an e-mail address, its local part, its domain
    p: t:      a phone number as E.164, its last four digits
"""

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from importlib.util import find_spec
from operator import add
from pathlib import Path
from string import punctuation
from typing import Any

# Everything from Hangul jamo on is written without spaces or with few letters a word, so that one
# character already says something; below are Latin, Greek, Cyrillic, Hebrew, Arabic, Thai.
_WIDE = "\u1100"
_LONGEST_NEEDLE = 32
_LONGEST_PERSON = 4
_MOST_READINGS = 4

_HAN = re.compile("[\u3400-\u9fff\uf900-\ufaff\U00020000-\U000323af]")
_KANA_OR_HANGUL = re.compile("[\u3041-\u309f\u30a1-\u30ff\uac00-\ud7a3]")
_KANA = re.compile("[\u3041-\u309f\u30a1-\u30fa]")
_JOINED = re.compile(
    "[\u1100-\u11ff\u3005\u3007\u3041-\u30ff\u3400-\u9fff\uac00-\ud7a3\uf900-\ufaff\uff66-\uff9f"
    "\U00020000-\U000323af\\s]*"
)
_PHONE = re.compile(r"[0-9+\-(). ]+")
_DIGITS = re.compile(r"[0-9]{4,}")
# A trunk zero typed after the country code, as in +82 010-…; not for Italy, where it is dialled.
_STRAY_ZERO = re.compile(r"\+(81|82|86|886)[ (]*0")
_INITIAL = re.compile("[\u1100-\u1112]")
_INITIALS_AND_SYLLABLES = re.compile("[\u1100-\u1112\uac00-\ud7a3]+")

_INITIALS = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"
_SYLLABLES_EACH = 588

_SEPARATORS = str.maketrans(
    dict.fromkeys(punctuation + "·・•‧、。「」『』【】〈〉《》〜‐‑–—―‘’“”", " ")
)

# Characters of Japanese names and companies in their Japanese form, and the simplified Chinese one
# to which the old form (渡邊, 髙橋, 澤田) is folded anyway; so 渡辺 and 渡邊 are one.
_JAPANESE = (
    "沢泽 辺边 邉边 斎斋 斉齐 広广 浜滨 桜樱 髙高 﨑崎 栄荣 黒黑 渋涩 竜龙 滝泷 関关 児儿 恵惠 "
    "徳德 実实 塩盐 図图 売卖 転转 伝传 経经 済济 県县 気气 楽乐 鉄铁 焼烧 駅驿 発发 総总 電电 "
    "車车 庁厅 検检 険险 薬药 豊丰 価价 仏佛 払拂 様样 戸户 両两 帯带 変变 労劳 営营 単单 巣巢 "
    "厳严 壱壹 弐贰 歩步 毎每 渓溪 湾湾 澁涩 瀬濑 猟猎 穂穗 粋粹 縄绳 芸艺 蔵藏 覚觉 観观 読读 "
    "譲让 郷乡 醸酿 釈释 銭钱 鋳铸 錬炼 隠隐 頼赖 顕显 験验 齢龄 歯齿 聡聪 荘庄 彌弥 渇渴 闘斗 "
    "亀龟 圏圈 団团 国国 対对 専专 將将 従从 択择 拡扩 撃击 効效 勧劝 𠮷吉"
)
_PLAIN_LATIN = {"ø": "o", "ł": "l", "đ": "d", "ħ": "h", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th"}

# Characters with two readings that both occur in names, places and companies of today (重庆, 厦门,
# 东莞, 招商银行).  Second readings of other characters are found in dictionaries, not in names.
_TWO_READINGS = frozenset(
    "行长重乐朝传藏调都会弹率厦蔚六参宿降车乘盛省校角数奇差柏薄泊番阿秘莞蚌埔堡勒娜茜晟露落模"
    "合和系叶艾屏便伯仔拓提解扎区单曾查朴仇盖缪翟隗种尉覃繁地圩浒铅"
)

# Surnames whose reading is not the first one that the dictionary lists for the character, with the
# readings that people of the name use.  A list of our own: add to it what users miss.
_SURNAMES = (
    "单:shan 曾:zeng 解:xie 仇:qiu 朴:piao 盖:ge 区:ou 查:zha 员:yun 乐:yue 重:chong "
    "翟:zhai/di 缪:miao 繁:po 覃:qin/tan 折:she 洗:xian 黑:hei/he 句:gou 佴:nai 种:chong 秘:bi "
    "乜:nie 宓:mi/fu 召:shao 谌:chen/shen 隗:wei/kui 会:hui/gui 能:neng/nai 祭:zhai 牟:mu/mou "
    "阚:kan 都:du 郗:xi/chi 郇:xun/huan 笮:ze/zuo 便:pian 角:jue 适:kuo 藏:zang 莘:shen/xin "
    "库:she/ku 郄:qie/xi 参:can/shen 蕃:pi 番:pan 费:fei/bi 不:bu/fou 卜:bu 吕:lv/lu/lyu 薄:bo "
    "炅:gui 尉迟:yu-chi 万俟:mo-qi 单于:chan-yu 澹台:tan-tai 长孙:zhang-sun 令狐:ling-hu "
    "皇甫:huang-fu 宗政:zong-zheng 濮阳:pu-yang 鲜于:xian-yu 亓官:qi-guan 欧阳:ou-yang "
    "上官:shang-guan 诸葛:zhu-ge 司马:si-ma 夏侯:xia-hou 慕容:mu-rong 拓跋:tuo-ba 独孤:du-gu "
    "呼延:hu-yan 赫连:he-lian 乐正:yue-zheng 宰父:zai-fu 谷梁:gu-liang 子车:zi-ju "
    "颛孙:zhuan-sun 仲长:zhong-zhang"
)

# Written as they stand in a normalised name: simplified, hiragana, half-width brackets.
_LEGAL_FORMS = (
    "주식회사 유한책임회사 유한회사 합자회사 합명회사 사단법인 재단법인 (주) (유) (합) (사) "
    "(재) 株式会社 有限会社 合同会社 合资会社 合名会社 一般社团法人 一般财团法人 (株) (有) "
    "(同) (资) (名) かぶしきがいしゃ 股份有限公司 有限责任公司 股份公司 有限公司 有限合伙 "
    "普通合伙"
)
_LEGAL_FORM = re.compile("|".join(map(re.escape, sorted(_LEGAL_FORMS.split(), key=len)[::-1])))
_LEGAL_WORDS = (
    "inc incorporated ltd limited co coltd company corp corporation llc llp plc gmbh kk pte pty"
)
_LEGAL_WORD = frozenset(_LEGAL_WORDS.split())


def display_name(kind: str, name: Mapping[str, Any]) -> str:
    """The name as one line: of a person family and given name in the order of their script.

    Hangul, kana and Han are joined family first; anything else is given, middle, family with
    spaces.  ``display_order`` is stronger than the script: ``family_first`` or ``given_first``.
    ``full`` (or ``name``, of an organisation) is taken as it is.  ValueError if nothing is there to
    show.
    """
    whole = _part(name, "full") or (_part(name, "name") if kind == "organisation" else "")
    shown = whole or _in_order(name)
    if not shown:
        raise ValueError("A name needs a family name, a given name or a full name.")
    return shown


def _part(name: Mapping[str, Any], key: str) -> str:
    return " ".join(unicodedata.normalize("NFC", name.get(key) or "").split())


def _in_order(name: Mapping[str, Any]) -> str:
    family, given, middle = (_part(name, key) for key in ("family", "given", "middle"))
    order = name.get("display_order")
    if order != "given_first" and _JOINED.fullmatch(family + given + middle):
        return family + middle + given
    parts = (family, middle, given) if order == "family_first" else (given, middle, family)
    return " ".join(filter(None, parts))


def normalise(text: str) -> str:
    """The text as it is compared: width, case, accents, kana and Han variants folded away.

    NFKC, case folded, katakana as hiragana, traditional and Japanese characters as simplified ones,
    invisible characters dropped, each run of white space one space.  Doing it twice changes
    nothing, and every part of a normalised text is itself normalised.
    """
    if text.isascii() and text.isprintable():
        folded = text.lower()
    else:
        table = _fold_table()
        folded = _fold_once(text, table)
        # A fold may open the way for another composition, so it is repeated until it rests.
        while (again := _fold_once(folded, table)) != folded:
            folded = again
    return " ".join(folded.split())


def _fold_once(text: str, table: dict[int, str]) -> str:
    return unicodedata.normalize("NFKC", text).casefold().translate(table)


def search_keys(
    display: str,
    readings: Iterable[str] = (),
    emails: Iterable[str] = (),
    phones: Iterable[str] = (),
) -> list[str]:
    """The tokens of a row, each once, in an order that depends on the arguments only.

    ``display`` and ``readings`` as people wrote them, ``phones`` as E.164.
    """
    lines, heads = _lines(display, tuple(readings))
    keys = list(heads)
    for line in lines:
        keys.extend(map(add, line, line[1:]))
        if not line.isascii():
            keys.extend([char for char in line if char >= _WIDE])
        if not line.isalpha():
            keys.extend(_endings(line))
    for email in map(_address, emails):
        local, _, domain = email.rpartition("@")
        keys += ("e:" + email, "l:" + local, "d:" + domain)
    for phone in phones:
        keys += ("p:" + phone, "t:" + phone[-4:])
    return list(dict.fromkeys(keys))


def search_text(
    display: str,
    readings: Iterable[str] = (),
    emails: Iterable[str] = (),
    phones: Iterable[str] = (),
) -> str:
    """Every form under which the row may be found, one a line: what the needle must be part of.

    Names stand without spaces and punctuation, and a Latin name of several words twice in a row,
    so that any order of its words is found.
    """
    lines, _ = _lines(display, tuple(readings))
    return "\n".join((*lines, *map(_address, emails), *phones))


def query_keys(q: str) -> tuple[list[str], str]:
    """The tokens that must all be in a row, and the needle that its search text must contain.

    What is typed may be any part of a name, a reading, the pinyin, the Hangul initials or a mix
    of syllables and initials (김ㅁㅅ).  A single Latin letter is the start of a word.  With an
    ``@`` it is an e-mail address from its start, or from the ``@`` on with its whole domain.
    Four digits or more are the end of a phone number, in national or international form.

    ``([], "")`` when there is nothing to look for.  Escape ``%``, ``_`` and ``\\`` for LIKE.
    """
    text = normalise(q)
    if "@" in text:
        return _mail_query(text.replace(" ", ""))
    if _PHONE.fullmatch(text) and (found := _phone_query(text)):
        return found
    needle = _letters(text)
    if _INITIAL.search(needle) and _INITIALS_AND_SYLLABLES.fullmatch(needle):
        return _initials_query(needle)
    if len(needle) == 1:
        return [needle if needle >= _WIDE else "^" + needle], needle
    head = needle[:_LONGEST_NEEDLE]
    return list(dict.fromkeys(map(add, head, head[1:]))), needle


def match_key(display: str) -> str:
    """What two spellings of one name have in common; equal keys make a suspected duplicate.

    Without the legal form of a company, Latin words in alphabetical order, Chinese characters as
    toneless pinyin: 王小明 and 王晓明 are one.  Names with kana or Hangul keep their characters.
    """
    text = normalise(display)
    if text.isascii():
        return "".join(sorted(_without_legal_words(text)))
    bare = _without_legal_forms(text)
    if _HAN.search(bare) and not _KANA_OR_HANGUL.search(bare):
        return "".join(options[0] for options in _pinyin(bare))
    return bare


def _without_legal_words(text: str) -> list[str]:
    words = text.replace(".", "").translate(_SEPARATORS).split()
    while len(words) > 1 and words[-1] in _LEGAL_WORD:
        words.pop()
    return words


def _without_legal_forms(text: str) -> str:
    """The letters of a normalised name but its legal forms, unless there are no others."""
    return _letters(_LEGAL_FORM.sub("", text)) or _letters(text)


def _letters(text: str) -> str:
    return "".join(text.translate(_SEPARATORS).split())


def _address(email: str) -> str:
    return unicodedata.normalize("NFKC", email).strip().lower()


def _endings(line: str) -> list[str]:
    """Tokens for four digits in a name, since a search for digits looks for the end of a phone."""
    return [
        "t:" + run[start : start + 4]
        for run in _DIGITS.findall(line)
        for start in range(len(run) - 3)
    ]


def _mail_query(text: str) -> tuple[list[str], str]:
    local, _, domain = text.rpartition("@")
    if local:
        return ["l:" + local], text
    return (["d:" + domain] if domain else []), text


def _phone_query(text: str) -> tuple[list[str], str] | None:
    digits = re.sub("[^0-9]", "", _STRAY_ZERO.sub(r"+\1", text))
    if len(digits) < len("5678"):
        return None
    # Stored numbers are international: the trunk zero, or 00 before a country, is not in them.
    return ["t:" + digits[-4:]], re.sub("^00?", "", digits)


def _initials_query(needle: str) -> tuple[list[str], str]:
    initials = _initials(needle)
    keys = list(map(add, initials, initials[1:])) or [initials]
    syllables = [char for char in needle if char >= "가"]
    return list(dict.fromkeys(keys + syllables)), initials


@lru_cache(maxsize=64)
def _lines(display: str, readings: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The lines of a row's names, and its tokens for single letters.

    Remembered for a moment, as keys and text are asked for one after the other.
    """
    lines: list[str] = []
    heads: list[str] = []
    for name in (display, *readings):
        text = normalise(name)
        words = text.translate(_SEPARATORS).split()
        line = "".join(words)
        heads += ["^" + word[0] for word in words if word[0] < _WIDE]
        lines.append(line + line if _any_order(text) else line)
        if not line.isascii():
            lines += _initials(line).split()
    if not lines[0].isascii() and not any(map(_KANA.search, lines)):
        _add_pinyin(normalise(display), lines, heads)
    return tuple(dict.fromkeys(lines)), tuple(heads)


def _any_order(text: str) -> bool:
    return 0 < text.count(" ") < _LONGEST_PERSON and max(text) < _WIDE


def _add_pinyin(text: str, lines: list[str], heads: list[str]) -> None:
    """Add the readings of a Chinese name; a name with kana in it is not one."""
    if not _HAN.search(text):
        return
    bare = _without_legal_forms(text)
    syllables = _pinyin(bare)
    for reading in _each_reading(syllables):
        whole = "".join(reading)
        lines.append(whole + whole if len(bare) <= _LONGEST_PERSON else whole)
        lines.append("".join([syllable[0] for syllable in reading]))
    if _HAN.match(bare):
        heads.append("^" + syllables[0][0][0])


def _each_reading(syllables: list[tuple[str, ...]]) -> list[list[str]]:
    """The first reading of all, then one other reading at a time, the first characters first."""
    usual = [options[0] for options in syllables]
    readings = [usual]
    for place, options in enumerate(syllables):
        for other in options[1:]:
            readings.append([*usual[:place], other, *usual[place + 1 :]])
            if len(readings) == _MOST_READINGS:
                return readings
    return readings


def _pinyin(text: str) -> list[tuple[str, ...]]:
    """The toneless readings of each character, likeliest first; other scripts stay as they are."""
    syllables = [_readings(char) for char in text]
    surnames = _surnames()
    for length in (2, 1):
        known = surnames.get(text[:length])
        if known is not None:
            for place, options in enumerate(known):
                usual = syllables[place][0]
                syllables[place] = options if usual in options else (*options, usual)
            break
    return syllables


def _initials(text: str) -> str:
    """The initial consonant of each syllable, a space for every other character."""
    return "".join(
        [
            _INITIALS[(ord(char) - 0xAC00) // _SYLLABLES_EACH]
            if "가" <= char <= "힣"
            else _INITIALS[ord(char) - 0x1100]
            if "\u1100" <= char <= "\u1112"
            else " "
            for char in text
        ]
    )


@cache
def _readings(char: str) -> tuple[str, ...]:
    """The toneless readings of a character worth looking for, or the character itself."""
    listed = _pinyin_table().get(str(ord(char))) if char >= _WIDE else None
    if listed is None:
        return (char,)
    bare = dict.fromkeys(filter(None, map(_toneless, listed.split(","))))
    found = list(bare)[: 2 if char in _TWO_READINGS else 1]
    # ü is typed as v, but also as u, and looks like u once its accent is folded away.
    return (*found, *(reading.replace("v", "u") for reading in found if "v" in reading)) or (char,)


def _toneless(reading: str) -> str:
    """Letters only: lǚ is lv, xíng is xing."""
    umlaut = unicodedata.normalize("NFD", reading).replace("u\u0308", "v")
    return "".join([letter for letter in umlaut if letter.isascii()])


@cache
def _surnames() -> dict[str, tuple[tuple[str, ...], ...]]:
    rows = (row.split(":") for row in _SURNAMES.split())
    return {name: tuple(tuple(s.split("/")) for s in read.split("-")) for name, read in rows}


@cache
def _pinyin_table() -> dict[str, str]:
    """Code point to readings with tone marks.

    Read from the data file of pypinyin without importing the package, which would also load its
    phrases: 0.3 s and 50 MB that a table of single characters does not need.
    """
    table: dict[str, str] = _data("pypinyin", "pinyin_dict.json")
    return table


@cache
def _fold_table() -> dict[int, str]:
    """For ``str.translate``: what each character is compared as."""
    # zhconv itself asks for pkg_resources when imported; its table is all that is needed.
    han: dict[str, str] = _data("zhconv", "zhcdict.json")["zh2Hans"]
    table = {ord(old): new for old, new in han.items() if len(old) == 1}
    table |= {ord(pair[0]): pair[1] for pair in _JAPANESE.split()}
    table |= {code: chr(code - 0x60) for code in (*range(0x30A1, 0x30F7), 0x30FD, 0x30FE)}
    for code in (*range(0xC0, 0x250), *range(0x1E00, 0x1F00)):
        base = unicodedata.normalize("NFD", chr(code))[0]
        if base.isascii():
            table[code] = base.lower()
    table |= {ord(letter): plain for letter, plain in _PLAIN_LATIN.items()}
    invisible = (*range(0x09), *range(0x0E, 0x1C), 0x7F, 0xAD, *range(0x300, 0x370))
    invisible += (0x115F, 0x1160, *range(0x200B, 0x2010), *range(0x2060, 0x2065), 0xFEFF)
    # Variation selectors choose a glyph of the same character, as in Japanese family registers.
    invisible += (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))
    return table | dict.fromkeys(invisible, "")


def _data(package: str, file: str) -> Any:
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"The package {package} is needed for its {file}.", name=package)
    return json.loads((Path(spec.origin).parent / file).read_text(encoding="utf-8"))
