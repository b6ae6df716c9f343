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
from datetime import date, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from demo.chance import (
    AS_OF,
    arrival,
    below,
    between,
    draws_of,
    fixed_id,
    id_at,
    pick,
    squared_below,
)
from demo.markets import MARKETS, City, Market, Word

HQ_PATH = "/hq/"

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


def _shown(language: str, family: str, given: str) -> str:
    return f"{given} {family}" if language == "en" else family + given


TEAMS = tuple(
    Team(fixed_id("team", n), *row)
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
    Staff(fixed_id("staff", n), f"{row[0]}@rapport.example", *row[1:])
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

_PEOPLE_PER_100 = 66
_LANGUAGES = ("ko",) * 38 + ("ja",) * 30 + ("zh-Hans",) * 20 + ("en",) * 12
_MARKETS_IN_100 = tuple(MARKETS[language] for language in _LANGUAGES)
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
_PRIORITIES_IN_10 = ("low",) * 2 + ("normal",) * 5 + ("high",) * 2 + ("urgent",)

# Odd and no multiple of 3 or 5, so that its multiples visit every number of a block once.
_STRIDE = 7_654_321
_FIRST_NUMBER = 1_482_937
_OLDEST = date(1948, 1, 1).toordinal()
_BIRTHDAYS = date(2006, 12, 31).toordinal() - _OLDEST
# How long a deal or a ticket is open at most.
_OPEN_DEAL_DAYS = 120
_OPEN_TICKET_DAYS = 10


def customers(count: int, start: int = 0) -> Iterator[DemoCustomer]:
    """``count`` customers in the order of their ids, from the ``start``-th on."""
    return map(customer, range(start, start + count))


def customer(n: int) -> DemoCustomer:
    """The n-th customer, counted from 0.  Ids and ``created_at`` grow with n."""
    draws = draws_of("customer", n)
    market = pick(_MARKETS_IN_100, draws[0])
    city = pick(market.cities, draws[1])
    team = pick(market.teams, draws[2])
    trade = pick(market.trades, draws[3])
    if below(100, draws[4]) < _PEOPLE_PER_100:
        naming = _person(market, draws, n)
    else:
        naming = _company(market, draws, n, city.name, trade.word)
    created_at = arrival(n)
    return DemoCustomer(
        id_at(created_at, draws),
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
        pick(SOURCES, draws[10]),
        pick(LIST_KINDS, draws[11]),
        pick(_REPS[team], draws[12]),
        TEAMS[team].path,
        naming.birthday,
        pick(_LIFECYCLE_IN_100, draws[13]),
        pick(_CONSENTS, draws[14]),
        created_at,
    )


def deal(n: int, buyer: DemoCustomer | None = None) -> DemoDeal:
    """The deal of the n-th customer; one who bought has won it, one who is lost has lost it.

    Whoever has that customer at hand saves making it again.
    """
    buyer = buyer or customer(n)
    draws = draws_of("deal", n)
    market = MARKETS[buyer.language]
    stage = pick(_STAGES_BY_LIFECYCLE[buyer.lifecycle], draws[0])
    closed = stage in ("won", "lost")
    since = (
        buyer.created_at if closed else max(buyer.created_at, AS_OF - timedelta(_OPEN_DEAL_DAYS))
    )
    created_at = between(since, AS_OF, draws[1])
    latest = min(created_at + timedelta(_OPEN_DEAL_DAYS), AS_OF)
    closed_at = between(created_at, latest, draws[2]) if closed else None
    # The square makes small deals common and large ones rare.
    steps = 3 + (squared_below(900, draws[3]))
    return DemoDeal(
        id=id_at(created_at, draws),
        customer_id=buyer.id,
        title=pick(market.deal_titles, draws[4]).format(buyer.name),
        amount_minor=steps * market.amount_step_minor,
        currency=market.currency,
        stage=stage,
        owner_id=buyer.owner_id,
        team_path=buyer.team_path,
        created_at=created_at,
        expected_close_on=(closed_at or AS_OF + timedelta(7 + (below(90, draws[5])))).date(),
        closed_at=closed_at,
        lost_reason=pick(_LOST_REASONS, draws[6]) if stage == "lost" else "",
    )


def ticket(n: int, asker: DemoCustomer | None = None) -> DemoTicket:
    """The ticket of the n-th customer, in the customer's language, with an agent of its team.

    Whoever has that customer at hand saves making it again.
    """
    asker = asker or customer(n)
    draws = draws_of("ticket", n)
    status = pick(_STATUSES_IN_20, draws[0])
    resolved = status in ("resolved", "closed")
    since = (
        asker.created_at
        if resolved
        else max(asker.created_at, AS_OF - timedelta(_OPEN_TICKET_DAYS))
    )
    opened_at = between(since, AS_OF, draws[1])
    agents = _AGENTS[_TEAM_PLACES[asker.team_path]]
    # From a quarter of an hour to three days, but never after the demo's last moment.
    took = timedelta(minutes=15 + (below(4320, draws[2])))
    return DemoTicket(
        id=id_at(opened_at, draws),
        customer_id=asker.id,
        subject=pick(MARKETS[asker.language].ticket_subjects, draws[3]),
        language=asker.language,
        priority=pick(_PRIORITIES_IN_10, draws[4]),
        status=status,
        assignee_id=None if status == "new" else pick(agents, draws[5]),
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


def _person(market: Market, draws: tuple[int, ...], n: int) -> _Naming:
    family = pick(market.families, draws[5])
    given = pick(market.givens, draws[6])
    return _Naming(
        "person",
        family.native,
        given.native,
        "",
        f"{family.reading} {given.reading}" if family.reading else "",
        f"{given.ascii}.{family.ascii}{n}@{pick(_MAIL_HOSTS, draws[7])}",
        date.fromordinal(_OLDEST + (below(_BIRTHDAYS, draws[8]))),
    )


def _company(market: Market, draws: tuple[int, ...], n: int, city: str, trade: Word) -> _Naming:
    brand = pick(market.brands, draws[5])
    form = pick(market.forms, draws[6])
    return _Naming(
        "organisation",
        "",
        "",
        form.format(brand=brand.native, trade=trade.native, city=city.removesuffix("市")),
        f"{brand.reading} {trade.reading}" if brand.reading else "",
        f"contact@{brand.ascii}-{trade.ascii}{n}.example",
        None,
    )


def _phone(market: Market, city: City, n: int) -> str:
    number = (_FIRST_NUMBER + n * _STRIDE) % market.phone_count
    if city.area_code:
        return f"+1{city.area_code}55501{number:02d}"
    return f"{market.phone_prefix}{number:07d}"
