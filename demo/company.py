"""The demo company: its teams and staff, and as many customers, deals and tickets as are wanted.

Every seed asks here, so that services which never talk while seeding agree on ids, owners and
facts.  The n-th customer is the same for ever, on every machine, however many are asked for;
``deal(n)`` and ``ticket(n)`` belong to ``customer(n)``.

All of it is made up, and any likeness accidental.  Mail addresses end in ``.example``, which no
mail reaches.  Phone numbers are valid, as the system refuses others, and taken from blocks without
ordinary subscribers where a country has one (Korea 010-0, China 1740, North America 555-01);
Japan has none, so demo data must never meet a real text message provider.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from hashlib import blake2b
from struct import Struct
from typing import NamedTuple, TypeVar
from uuid import UUID

from demo import words

_T = TypeVar("_T")

HQ_PATH = "/hq/"
FIRST_DAY = datetime(2023, 11, 1, tzinfo=UTC)
# Nothing in the demo happened later; open deals are expected to close after it.
AS_OF = datetime(2026, 11, 1, tzinfo=UTC)

LIFECYCLE = (
    "suspect",
    "prospect",
    "qualified",
    "first_buyer",
    "repeat",
    "loyal",
    "dormant",
    "lost",
)
DEAL_STAGES = ("qualification", "proposal", "negotiation", "won", "lost")
TICKET_STATUSES = ("new", "assigned", "in_progress", "waiting_customer", "resolved", "closed")
PRIORITIES = ("low", "normal", "high", "urgent")
SOURCES = (
    "website",
    "referral",
    "exhibition",
    "phone",
    "partner",
    "advertisement",
    "store",
    "import",
)
LIST_KINDS = ("network", "group", "influencer", "periodical", "competitor", "partner", "lost")


class Team(NamedTuple):
    """``currency`` and ``time_zone`` are what the team works in."""

    id: UUID
    path: str
    name: str
    language: str
    country: str
    time_zone: str
    currency: str


class Staff(NamedTuple):
    """``reading`` is the name in Latin letters, empty if it is written so already."""

    id: UUID
    email: str
    family: str
    given: str
    reading: str
    language: str
    roles: tuple[str, ...]
    team_path: str

    @property
    def name(self) -> str:
        """The name in the order of its script."""
        return _shown(self.language, self.family, self.given)


class DemoCustomer(NamedTuple):
    """``organisation`` is empty of a person; ``family``, ``given`` and ``birthday`` of the others.

    ``reading`` is kana in Japan, Latin letters in Korea and China.  ``consents`` holds a channel
    and ``granted`` or ``withdrawn`` each; a channel not named was never asked for.
    """

    id: UUID
    number: int
    kind: str
    language: str
    family: str
    given: str
    organisation: str
    reading: str
    email: str
    phone: str
    country: str
    city: str
    industry: str
    source: str
    list_kind: str
    owner_id: UUID
    team_path: str
    birthday: date | None
    lifecycle: str
    consents: tuple[tuple[str, str], ...]
    created_at: datetime

    @property
    def name(self) -> str:
        """The name as one line."""
        return self.organisation or _shown(self.language, self.family, self.given)


class DemoDeal(NamedTuple):
    """``closed_at`` is None while the deal is open; ``lost_reason`` is empty unless it was lost."""

    id: UUID
    customer_id: UUID
    title: str
    amount_minor: int
    currency: str
    stage: str
    owner_id: UUID
    team_path: str
    created_at: datetime
    expected_close_on: date
    closed_at: datetime | None
    lost_reason: str


class DemoTicket(NamedTuple):
    """``assignee_id`` is None of a new ticket; ``resolved_at`` is None until it is resolved."""

    id: UUID
    customer_id: UUID
    subject: str
    language: str
    priority: str
    status: str
    assignee_id: UUID | None
    team_path: str
    opened_at: datetime
    resolved_at: datetime | None


class _Word(NamedTuple):
    """A part of a name as written, as read, and in ASCII for a mail address."""

    native: str
    reading: str
    ascii: str


class _City(NamedTuple):
    name: str
    country: str
    area_code: str


class _Trade(NamedTuple):
    industry: str
    word: _Word


@dataclass(frozen=True, slots=True)
class _Market:
    """What is particular to customers of one language.

    ``forms`` are templates of company names with ``city``, ``brand`` and ``trade``.
    """

    language: str
    teams: tuple[int, ...]
    families: tuple[_Word, ...]
    givens: tuple[_Word, ...]
    brands: tuple[_Word, ...]
    trades: tuple[_Trade, ...]
    forms: tuple[str, ...]
    cities: tuple[_City, ...]
    phone_prefix: str
    phone_count: int
    currency: str
    amount_step_minor: int
    deal_titles: tuple[str, ...]
    ticket_subjects: tuple[str, ...]


# --- Ids, times and chance -------------------------------------------------------------------

_KINDS_OF_ID = {"team": 1, "staff": 2, "customer": 3, "deal": 4, "ticket": 5}
_FIRST_MS = int(FIRST_DAY.timestamp() * 1000)
_SPAN_MS = int(AS_OF.timestamp() * 1000) - _FIRST_MS
# After this many customers half of the time has passed: small and large seeds both look alive.
_HALFWAY = 2_000
_DRAWS = Struct("<32H")
_BITS = 16


def _draws(kind: int, n: int) -> tuple[int, ...]:
    """32 numbers of 16 bits that depend on kind and n only."""
    key = (kind << 64 | n).to_bytes(9, "big")
    return _DRAWS.unpack(blake2b(key, digest_size=64, person=b"rapport").digest())


def _uuid7(milliseconds: int, draws: tuple[int, ...]) -> UUID:
    """A UUIDv7 of that Unix time whose 74 free bits are the last five draws."""
    high = draws[-5] & 0xFFF
    low = (draws[-4] << 48 | draws[-3] << 32 | draws[-2] << 16 | draws[-1]) & (1 << 62) - 1
    return UUID(int=milliseconds << 80 | 7 << 76 | high << 64 | 2 << 62 | low)


def _at(milliseconds: int) -> datetime:
    return FIRST_DAY + timedelta(milliseconds=milliseconds - _FIRST_MS)


def _fixed_id(kind: str, n: int) -> UUID:
    return _uuid7(_FIRST_MS - 86_400_000 + n, _draws(_KINDS_OF_ID[kind], n))


def _shown(language: str, family: str, given: str) -> str:
    return f"{given} {family}" if language == "en" else family + given


# --- Teams and staff -------------------------------------------------------------------------

TEAMS = tuple(
    Team(_fixed_id("team", n), *row)
    for n, row in enumerate(
        (
            ("/hq/seoul/", "서울 영업팀", "ko", "KR", "Asia/Seoul", "KRW"),
            ("/hq/tokyo/", "東京営業部", "ja", "JP", "Asia/Tokyo", "JPY"),
            ("/hq/shanghai/", "上海销售部", "zh-Hans", "CN", "Asia/Shanghai", "CNY"),
        )
    )
)

_SEOUL, _TOKYO, _SHANGHAI = (team.path for team in TEAMS)
_REP, _AGENT, _LEAD = ("sales",), ("service",), ("manager", "sales")

# Mail name, family, given, reading, language, roles, team.
_STAFF_ROWS: tuple[tuple[str, str, str, str, str, tuple[str, ...], str], ...] = (
    ("admin", "Carter", "Robin", "", "en", ("admin",), HQ_PATH),
    ("helen.ward", "Ward", "Helen", "", "en", ("manager", "sales"), HQ_PATH),
    ("daniel.reed", "Reed", "Daniel", "", "en", ("marketing",), HQ_PATH),
    ("jiyoung.park", "박", "지영", "Park Jiyoung", "ko", _LEAD, _SEOUL),
    ("junho.lee", "이", "준호", "Lee Junho", "ko", _REP, _SEOUL),
    ("sujin.choi", "최", "수진", "Choi Sujin", "ko", _REP, _SEOUL),
    ("haneul.jung", "정", "하늘", "Jung Haneul", "ko", _REP, _SEOUL),
    ("seoyeon.han", "한", "서연", "Han Seoyeon", "ko", _AGENT, _SEOUL),
    ("jihoon.oh", "오", "지훈", "Oh Jihoon", "ko", _AGENT, _SEOUL),
    ("kenichi.sato", "佐藤", "健一", "Sato Kenichi", "ja", _LEAD, _TOKYO),
    ("misaki.suzuki", "鈴木", "美咲", "Suzuki Misaki", "ja", _REP, _TOKYO),
    ("daisuke.takahashi", "高橋", "大輔", "Takahashi Daisuke", "ja", _REP, _TOKYO),
    ("aoi.tanaka", "田中", "葵", "Tanaka Aoi", "ja", _REP, _TOKYO),
    ("shota.ito", "伊藤", "翔太", "Ito Shota", "ja", _AGENT, _TOKYO),
    ("yui.watanabe", "渡辺", "結衣", "Watanabe Yui", "ja", _AGENT, _TOKYO),
    ("lihua.wang", "王", "丽华", "Wang Lihua", "zh-Hans", _LEAD, _SHANGHAI),
    ("wenbo.li", "李", "文博", "Li Wenbo", "zh-Hans", _REP, _SHANGHAI),
    ("min.zhang", "张", "敏", "Zhang Min", "zh-Hans", _REP, _SHANGHAI),
    ("haoran.chen", "陈", "浩然", "Chen Haoran", "zh-Hans", _REP, _SHANGHAI),
    ("yang.liu", "刘", "洋", "Liu Yang", "zh-Hans", _AGENT, _SHANGHAI),
    ("xue.zhao", "赵", "雪", "Zhao Xue", "zh-Hans", _AGENT, _SHANGHAI),
)

STAFF = tuple(
    Staff(_fixed_id("staff", n), f"{row[0]}@rapport.example", *row[1:])
    for n, row in enumerate(_STAFF_ROWS)
)
ADMIN = STAFF[0]


def _ids_by_team(roles: tuple[str, ...]) -> tuple[tuple[UUID, ...], ...]:
    return tuple(
        tuple(one.id for one in STAFF if one.team_path == team.path and one.roles == roles)
        for team in TEAMS
    )


_REPS = _ids_by_team(_REP)
_AGENTS = _ids_by_team(_AGENT)
_TEAM_PLACES = {team.path: place for place, team in enumerate(TEAMS)}

# --- From tables to markets ------------------------------------------------------------------

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


def _words(table: str) -> tuple[_Word, ...]:
    """A word of ``native:reading:weight`` or, of Latin names, ``native:weight``."""
    found: list[_Word] = []
    for row in table.split():
        *parts, last = row.split(":")
        weight, names = (int(last), parts) if last.isdigit() else (1, [*parts, last])
        native, reading = names if len(names) > 1 else (names[0], "")
        kana = reading and reading[0] in _LATIN_OF_KANA
        word = _Word(native, reading, _romaji(reading) if kana else _plain(reading or native))
        found += [word] * weight
    return tuple(found)


def _pairs(firsts: str, seconds: str) -> tuple[_Word, ...]:
    """Every first part with every second one, but none with itself."""
    ends = _words(seconds)
    return tuple(
        _Word(one.native + two.native, one.reading + two.reading, one.ascii + two.ascii)
        for one in _words(firsts)
        for two in ends
        if one.native != two.native
    )


def _ko_brands() -> tuple[_Word, ...]:
    famous = frozenset(words.KO_FAMOUS.split())
    return tuple(word for word in _pairs(*words.KO_BRANDS) if word.native not in famous)


def _trades(place: int) -> tuple[_Trade, ...]:
    rows = (row.split() for row in words.TRADES)
    named = ((row[0], _words(row[place])[0]) for row in rows)
    return tuple(
        _Trade(industry, word._replace(reading=word.reading.capitalize()))
        for industry, word in named
    )


def _cities(table: str, country: str) -> tuple[_City, ...]:
    found: list[_City] = []
    for row in table.split():
        name, _, weight = row.partition(":")
        found += [_City(name, country, "")] * int(weight or 1)
    return tuple(found)


def _american_cities() -> tuple[_City, ...]:
    rows = (row.split(":") for row in words.EN_CITIES.split())
    return tuple(_City(name.replace("_", " "), country, code) for name, country, code in rows)


def _zh_givens() -> tuple[_Word, ...]:
    """One character for about every fourth person, two for the others."""
    single = tuple(
        _Word(w.native, w.reading.capitalize(), w.ascii) for w in _words(words.ZH_GIVENS)
    )
    double = tuple(
        _Word(w.native, w.reading.capitalize(), w.ascii)
        for w in _pairs(words.ZH_GIVENS, words.ZH_GIVENS)
    )
    return double + single * (len(double) // (3 * len(single)))


_MARKETS = {
    "ko": _Market(
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
    "ja": _Market(
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
    "zh-Hans": _Market(
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
    "en": _Market(
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

_PEOPLE_PER_100 = 66
_LANGUAGES = ("ko",) * 38 + ("ja",) * 30 + ("zh-Hans",) * 20 + ("en",) * 12
_MARKETS_IN_100 = tuple(_MARKETS[language] for language in _LANGUAGES)
_LIFECYCLE_IN_100 = tuple(
    stage
    for stage, share in zip(LIFECYCLE, (14, 26, 16, 14, 14, 8, 5, 3), strict=True)
    for _ in range(share)
)
_MAIL_HOSTS = ("mail.example", "post.example", "inbox.example", "web.example")
_CONSENTS: tuple[tuple[tuple[str, str], ...], ...] = (
    (("email", "granted"), ("sms", "granted")),
    (("email", "granted"), ("sms", "granted"), ("phone", "granted")),
    (("email", "granted"),),
    (("email", "granted"), ("sms", "withdrawn")),
    (("sms", "granted"),),
    (("email", "withdrawn"), ("sms", "withdrawn")),
    (),
    (),
)
_LOST_REASONS = ("price", "competitor", "no_budget", "no_decision", "timing", "missing_feature")
_STAGES_BY_LIFECYCLE = {
    "suspect": ("qualification",),
    "prospect": ("qualification", "qualification", "proposal", "lost"),
    "qualified": ("proposal", "proposal", "negotiation", "negotiation", "lost"),
    "first_buyer": ("won",),
    "repeat": ("won",),
    "loyal": ("won",),
    "dormant": ("won",),
    "lost": ("lost",),
}
_STATUSES_IN_20 = tuple(
    status
    for status, share in zip(TICKET_STATUSES, (2, 2, 3, 2, 3, 8), strict=True)
    for _ in range(share)
)
_PRIORITIES_IN_10 = (
    "low",
    "low",
    "normal",
    "normal",
    "normal",
    "normal",
    "normal",
    "high",
    "high",
    "urgent",
)

# Odd and no multiple of 3 or 5, so that its multiples visit every number of a block once.
_STRIDE = 7_654_321
_FIRST_NUMBER = 1_482_937
_OLDEST = date(1948, 1, 1).toordinal()
_BIRTHDAYS = date(2006, 12, 31).toordinal() - _OLDEST
# How long a deal or a ticket is open at most.
_OPEN_DEAL_DAYS = 120
_OPEN_TICKET_DAYS = 10

# --- The n-th of everything ------------------------------------------------------------------


def customers(count: int, start: int = 0) -> Iterator[DemoCustomer]:
    """``count`` customers in the order of their ids, from the ``start``-th on."""
    return map(customer, range(start, start + count))


def customer(n: int) -> DemoCustomer:
    """The n-th customer, counted from 0.  Ids and ``created_at`` grow with n."""
    draws = _draws(_KINDS_OF_ID["customer"], n)
    market = _MARKETS_IN_100[draws[0] * 100 >> _BITS]
    city = _pick(market.cities, draws[1])
    team = _pick(market.teams, draws[2])
    trade = _pick(market.trades, draws[3])
    if draws[4] * 100 >> _BITS < _PEOPLE_PER_100:
        naming = _person(market, draws, n)
    else:
        naming = _company(market, draws, n, city.name, trade.word)
    created_ms = _FIRST_MS + _SPAN_MS * n // (n + _HALFWAY)
    return DemoCustomer(
        _uuid7(created_ms, draws),
        n,
        naming.kind,
        market.language,
        naming.family,
        naming.given,
        naming.organisation,
        naming.reading,
        naming.email,
        _phone(market, city, n),
        city.country,
        city.name,
        trade.industry,
        _pick(SOURCES, draws[10]),
        _pick(LIST_KINDS, draws[11]),
        _pick(_REPS[team], draws[12]),
        TEAMS[team].path,
        naming.birthday,
        _LIFECYCLE_IN_100[draws[13] * 100 >> _BITS],
        _pick(_CONSENTS, draws[14]),
        _at(created_ms),
    )


def deal(n: int, buyer: DemoCustomer | None = None) -> DemoDeal:
    """The deal of the n-th customer; one who bought has won it, one who is lost has lost it.

    Whoever has that customer at hand saves making it again.
    """
    buyer = buyer or customer(n)
    draws = _draws(_KINDS_OF_ID["deal"], n)
    market = _MARKETS[buyer.language]
    stage = _pick(_STAGES_BY_LIFECYCLE[buyer.lifecycle], draws[0])
    closed = stage in ("won", "lost")
    since = (
        buyer.created_at if closed else max(buyer.created_at, AS_OF - timedelta(_OPEN_DEAL_DAYS))
    )
    created_at = _between(since, AS_OF, draws[1])
    latest = min(created_at + timedelta(_OPEN_DEAL_DAYS), AS_OF)
    closed_at = _between(created_at, latest, draws[2]) if closed else None
    # The square makes small deals common and large ones rare.
    steps = 3 + (draws[3] * draws[3] * 900 >> 2 * _BITS)
    return DemoDeal(
        id=_uuid7(_milliseconds(created_at), draws),
        customer_id=buyer.id,
        title=_pick(market.deal_titles, draws[4]).format(buyer.name),
        amount_minor=steps * market.amount_step_minor,
        currency=market.currency,
        stage=stage,
        owner_id=buyer.owner_id,
        team_path=buyer.team_path,
        created_at=created_at,
        expected_close_on=(closed_at or AS_OF + timedelta(7 + (draws[5] * 90 >> _BITS))).date(),
        closed_at=closed_at,
        lost_reason=_pick(_LOST_REASONS, draws[6]) if stage == "lost" else "",
    )


def ticket(n: int, asker: DemoCustomer | None = None) -> DemoTicket:
    """The ticket of the n-th customer, in the customer's language, with an agent of its team.

    Whoever has that customer at hand saves making it again.
    """
    asker = asker or customer(n)
    draws = _draws(_KINDS_OF_ID["ticket"], n)
    status = _pick(_STATUSES_IN_20, draws[0])
    resolved = status in ("resolved", "closed")
    since = (
        asker.created_at
        if resolved
        else max(asker.created_at, AS_OF - timedelta(_OPEN_TICKET_DAYS))
    )
    opened_at = _between(since, AS_OF, draws[1])
    agents = _AGENTS[_TEAM_PLACES[asker.team_path]]
    # From a quarter of an hour to three days, but never after the demo's last moment.
    took = timedelta(minutes=15 + (draws[2] * 4320 >> _BITS))
    return DemoTicket(
        id=_uuid7(_milliseconds(opened_at), draws),
        customer_id=asker.id,
        subject=_pick(_MARKETS[asker.language].ticket_subjects, draws[3]),
        language=asker.language,
        priority=_pick(_PRIORITIES_IN_10, draws[4]),
        status=status,
        assignee_id=None if status == "new" else _pick(agents, draws[5]),
        team_path=asker.team_path,
        opened_at=opened_at,
        resolved_at=min(opened_at + took, AS_OF) if resolved else None,
    )


class _Naming(NamedTuple):
    kind: str
    family: str
    given: str
    organisation: str
    reading: str
    email: str
    birthday: date | None


def _pick(options: tuple[_T, ...], draw: int) -> _T:
    return options[draw * len(options) >> _BITS]


def _person(market: _Market, draws: tuple[int, ...], n: int) -> _Naming:
    family = _pick(market.families, draws[5])
    given = _pick(market.givens, draws[6])
    return _Naming(
        "person",
        family.native,
        given.native,
        "",
        f"{family.reading} {given.reading}" if family.reading else "",
        f"{given.ascii}.{family.ascii}{n}@{_pick(_MAIL_HOSTS, draws[7])}",
        date.fromordinal(_OLDEST + (draws[8] * _BIRTHDAYS >> _BITS)),
    )


def _company(market: _Market, draws: tuple[int, ...], n: int, city: str, trade: _Word) -> _Naming:
    brand = _pick(market.brands, draws[5])
    form = _pick(market.forms, draws[6])
    return _Naming(
        "organisation",
        "",
        "",
        form.format(brand=brand.native, trade=trade.native, city=city.removesuffix("市")),
        f"{brand.reading} {trade.reading}" if brand.reading else "",
        f"contact@{brand.ascii}-{trade.ascii}{n}.example",
        None,
    )


def _phone(market: _Market, city: _City, n: int) -> str:
    number = (_FIRST_NUMBER + n * _STRIDE) % market.phone_count
    if city.area_code:
        return f"+1{city.area_code}55501{number:02d}"
    return f"{market.phone_prefix}{number:07d}"


def _between(start: datetime, end: datetime, draw: int) -> datetime:
    seconds = int((end - start).total_seconds())
    return start + timedelta(seconds=seconds * draw >> _BITS)


def _milliseconds(moment: datetime) -> int:
    return int((moment - FIRST_DAY) / timedelta(milliseconds=1)) + _FIRST_MS
