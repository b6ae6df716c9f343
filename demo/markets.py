"""What is particular to the demo's customers of each language: names, trades, cities, currency."""

from dataclasses import dataclass
from typing import NamedTuple

from demo import words


class Word(NamedTuple):
    """A part of a name as written, as read, and in ASCII for a mail address."""

    native: str
    reading: str
    ascii: str


class City(NamedTuple):
    name: str
    country: str
    area_code: str


class Trade(NamedTuple):
    industry: str
    word: Word


@dataclass(frozen=True, slots=True)
class Market:
    """What is particular to customers of one language.

    ``forms`` are templates of company names with ``city``, ``brand`` and ``trade``.
    """

    language: str
    teams: tuple[int, ...]
    families: tuple[Word, ...]
    givens: tuple[Word, ...]
    brands: tuple[Word, ...]
    trades: tuple[Trade, ...]
    forms: tuple[str, ...]
    cities: tuple[City, ...]
    phone_prefix: str
    phone_count: int
    currency: str
    amount_step_minor: int
    deal_titles: tuple[str, ...]
    ticket_subjects: tuple[str, ...]


_KANA = (
    "あいうえおかきくけこさしすせそたちつてとなにぬねのはひふへほまみむめもやゆよらりるれろわをん"
    "がぎぐげござじずぜぞだぢづでどばびぶべぼぱぴぷぺぽ"
)
_ROMAJI = (
    "a i u e o ka ki ku ke ko sa shi su se so ta chi tsu te to na ni nu ne no ha hi fu he ho "
    "ma mi mu me mo ya yu yo ra ri ru re ro wa o n ga gi gu ge go za ji zu ze zo da ji zu de "
    "do ba bi bu be bo pa pi pu pe po"
)
_LATIN_OF_KANA = dict(zip(_KANA, _ROMAJI.split(), strict=True))
_SMALL_Y = {"ゃ": "a", "ゅ": "u", "ょ": "o"}


def _romaji(kana: str) -> str:
    """The kana in Latin letters as they are typed: さとう is satou."""
    latin = ""
    doubled = False
    for char in kana:
        if char in _SMALL_Y:
            latin = (
                latin[:-1] + ("" if latin.endswith(("shi", "chi", "ji")) else "y") + _SMALL_Y[char]
            )
        elif char == "っ":
            doubled = True
        elif char != "ー":
            sound = _LATIN_OF_KANA[char]
            latin += (sound[0] if doubled else "") + sound
            doubled = False
    return latin


def _plain(text: str) -> str:
    """The letters of a Latin name that may stand in a mail address."""
    letters = text.lower().replace("ü", "ue").replace("ø", "o")
    return "".join(char for char in letters if "a" <= char <= "z")


def _words(table: str) -> tuple[Word, ...]:
    """A word of ``native:reading:weight`` or, of Latin names, ``native:weight``."""
    found: list[Word] = []
    for row in table.split():
        *parts, last = row.split(":")
        weight, names = (int(last), parts) if last.isdigit() else (1, [*parts, last])
        native, reading = names if len(names) > 1 else (names[0], "")
        kana = reading and reading[0] in _LATIN_OF_KANA
        word = Word(native, reading, _romaji(reading) if kana else _plain(reading or native))
        found += [word] * weight
    return tuple(found)


def _pairs(firsts: str, seconds: str) -> tuple[Word, ...]:
    """Every first part with every second one, but none with itself."""
    ends = _words(seconds)
    return tuple(
        Word(one.native + two.native, one.reading + two.reading, one.ascii + two.ascii)
        for one in _words(firsts)
        for two in ends
        if one.native != two.native
    )


def _ko_brands() -> tuple[Word, ...]:
    famous = frozenset(words.KO_FAMOUS.split())
    return tuple(word for word in _pairs(*words.KO_BRANDS) if word.native not in famous)


def _capitalised(word: Word) -> Word:
    return word._replace(reading=word.reading.capitalize())


def _trades(place: int) -> tuple[Trade, ...]:
    rows = (row.split() for row in words.TRADES)
    named = ((row[0], _words(row[place])[0]) for row in rows)
    return tuple(Trade(industry, _capitalised(word)) for industry, word in named)


def _cities(table: str, country: str) -> tuple[City, ...]:
    found: list[City] = []
    for row in table.split():
        name, _, weight = row.partition(":")
        found += [City(name, country, "")] * int(weight or 1)
    return tuple(found)


def _american_cities() -> tuple[City, ...]:
    rows = (row.split(":") for row in words.EN_CITIES.split())
    return tuple(City(name.replace("_", " "), country, code) for name, country, code in rows)


def _zh_givens() -> tuple[Word, ...]:
    """One character for about every fourth person, two for the others."""
    single = tuple(map(_capitalised, _words(words.ZH_GIVENS)))
    double = tuple(map(_capitalised, _pairs(words.ZH_GIVENS, words.ZH_GIVENS)))
    return double + single * (len(double) // (3 * len(single)))


MARKETS = {
    "ko": Market(
        language="ko",
        teams=(0,),
        families=_words(words.KO_FAMILIES),
        givens=_pairs(*words.KO_MEN) + _pairs(*words.KO_WOMEN),
        brands=_ko_brands(),
        trades=_trades(1),
        forms=(
            "(주){brand}{trade}",
            "㈜{brand}{trade}",
            "주식회사 {brand}{trade}",
            "{brand}{trade}(주)",
            "{brand}{trade}",
            "유한회사 {brand}{trade}",
        ),
        cities=_cities(words.KO_CITIES, "KR"),
        phone_prefix="+82100",
        phone_count=10_000_000,
        currency="KRW",
        amount_step_minor=100_000,
        deal_titles=words.KO_DEALS,
        ticket_subjects=words.KO_TICKETS,
    ),
    "ja": Market(
        language="ja",
        teams=(1,),
        families=_words(words.JA_FAMILIES),
        givens=_words(words.JA_GIVENS),
        brands=_words(words.JA_BRANDS) * 3 + _words(words.JA_FAMILIES),
        trades=_trades(2),
        forms=(
            "株式会社{brand}{trade}",
            "{brand}{trade}株式会社",
            "㈱{brand}{trade}",
            "有限会社{brand}{trade}",
            "合同会社{brand}{trade}",
        ),
        cities=_cities(words.JA_CITIES, "JP"),
        phone_prefix="+81701",
        phone_count=10_000_000,
        currency="JPY",
        amount_step_minor=10_000,
        deal_titles=words.JA_DEALS,
        ticket_subjects=words.JA_TICKETS,
    ),
    "zh-Hans": Market(
        language="zh-Hans",
        teams=(2,),
        families=_words(words.ZH_FAMILIES),
        givens=_zh_givens(),
        brands=_pairs(*words.ZH_BRANDS),
        trades=_trades(3),
        forms=(
            "{city}{brand}{trade}有限公司",
            "{brand}{trade}有限公司",
            "{city}{brand}{trade}股份有限公司",
            "{brand}{trade}（{city}）有限公司",
            "{city}{brand}{trade}有限责任公司",
        ),
        cities=_cities(words.ZH_CITIES, "CN"),
        phone_prefix="+861740",
        phone_count=6_000_000,
        currency="CNY",
        amount_step_minor=50_000,
        deal_titles=words.ZH_DEALS,
        ticket_subjects=words.ZH_TICKETS,
    ),
    "en": Market(
        language="en",
        teams=(0, 1, 2),
        families=_words(words.EN_FAMILIES),
        givens=_words(words.EN_GIVENS),
        brands=_pairs(*words.EN_BRANDS),
        trades=_trades(4),
        forms=(
            "{brand} {trade} LLC",
            "{brand} {trade}, Inc.",
            "{brand} {trade} Ltd.",
            "{brand} {trade}",
            "{brand} {trade} Co., Ltd.",
        ),
        cities=_american_cities(),
        phone_prefix="+1",
        phone_count=100,
        currency="USD",
        amount_step_minor=10_000,
        deal_titles=words.EN_DEALS,
        ticket_subjects=words.EN_TICKETS,
    ),
}
