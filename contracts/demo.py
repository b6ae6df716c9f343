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

# --- Names -----------------------------------------------------------------------------------

# A number after the reading is how often the name is put into the hat.
_KO_FAMILIES = (
    "김:Kim:21 이:Lee:15 박:Park:8 최:Choi:5 정:Jung:5 강:Kang:2 조:Cho:2 윤:Yoon:2 "
    "장:Jang:2 임:Lim:2 한:Han:2 오:Oh:2 서:Seo:2 신:Shin:2 권:Kwon:2 황:Hwang:2 안:Ahn:2 "
    "송:Song:2 류:Ryu:2 전:Jeon:2 홍:Hong:2 고:Ko 문:Moon 양:Yang 손:Son 배:Bae 백:Baek "
    "허:Heo 유:Yoo 남:Nam 심:Shim 노:Noh 하:Ha 곽:Kwak 성:Sung 차:Cha 주:Joo 우:Woo 구:Koo "
    "민:Min 진:Jin 나:Na 지:Ji 엄:Um 원:Won 천:Chun 방:Bang 공:Kong 현:Hyun 함:Ham 변:Byun "
    "염:Yeom 여:Yeo 추:Chu 도:Do 소:So 석:Seok 선:Sun 설:Seol 마:Ma 길:Gil"
)
_KO_MEN = (
    "민:Min 지:Ji 준:Jun 서:Seo 도:Do 현:Hyun 우:Woo 시:Si 승:Seung 재:Jae 성:Sung 동:Dong "
    "태:Tae 정:Jung 영:Young 상:Sang 건:Gun 은:Eun 종:Jong 기:Ki",
    "준:jun 우:woo 호:ho 현:hyun 민:min 진:jin 훈:hoon 석:seok 환:hwan 혁:hyuk 수:soo "
    "욱:wook 철:chul 규:kyu 빈:bin 원:won 율:yul 찬:chan 식:sik 섭:seop",
)
_KO_WOMEN = (
    "서:Seo 지:Ji 민:Min 수:Su 하:Ha 은:Eun 예:Ye 유:Yu 다:Da 채:Chae 나:Na 소:So 혜:Hye "
    "미:Mi 가:Ga 보:Bo 윤:Yoon 정:Jung 영:Young 현:Hyun",
    "연:yeon 영:young 은:eun 아:ah 윤:yoon 린:rin 원:won 희:hee 진:jin 현:hyun 인:in 나:na "
    "경:kyung 빈:bin 주:ju 정:jung 숙:sook 미:mi 선:sun 솔:sol",
)
_JA_FAMILIES = (
    "佐藤:さとう:4 鈴木:すずき:4 高橋:たかはし:3 田中:たなか:3 伊藤:いとう:3 渡辺:わたなべ:3 "
    "山本:やまもと:3 中村:なかむら:3 小林:こばやし:3 加藤:かとう:3 吉田:よしだ:2 "
    "山田:やまだ:2 佐々木:ささき:2 山口:やまぐち:2 松本:まつもと:2 井上:いのうえ:2 "
    "木村:きむら:2 林:はやし:2 斎藤:さいとう:2 清水:しみず:2 山崎:やまざき 森:もり "
    "池田:いけだ 橋本:はしもと 阿部:あべ 石川:いしかわ 山下:やました 中島:なかじま "
    "石井:いしい 小川:おがわ 前田:まえだ 岡田:おかだ 長谷川:はせがわ 藤田:ふじた 後藤:ごとう "
    "近藤:こんどう 村上:むらかみ 遠藤:えんどう 青木:あおき 坂本:さかもと 福田:ふくだ "
    "太田:おおた 西村:にしむら 藤井:ふじい 金子:かねこ 岡本:おかもと 藤原:ふじわら "
    "中野:なかの 三浦:みうら 原田:はらだ 中川:なかがわ 松田:まつだ 竹内:たけうち 小野:おの "
    "田村:たむら 中山:なかやま 和田:わだ 石田:いしだ 森田:もりた 上田:うえだ 原:はら "
    "内田:うちだ 柴田:しばた 酒井:さかい 宮崎:みやざき 横山:よこやま 高木:たかぎ "
    "安藤:あんどう 宮本:みやもと 大野:おおの 小島:こじま 工藤:くどう 谷口:たにぐち "
    "今井:いまい 高田:たかだ 丸山:まるやま 増田:ますだ 杉山:すぎやま 村田:むらた "
    "大塚:おおつか 新井:あらい 小山:こやま 平野:ひらの 藤本:ふじもと 河野:こうの 上野:うえの "
    "野口:のぐち 武田:たけだ 松井:まつい 千葉:ちば 菅原:すがわら 岩崎:いわさき 久保:くぼ "
    "木下:きのした 佐野:さの 野村:のむら 松尾:まつお 菊地:きくち 市川:いちかわ 渡邉:わたなべ "
    "髙木:たかぎ"
)
_JA_GIVENS = (
    "太郎:たろう 健太:けんた 翔太:しょうた 大輔:だいすけ 拓也:たくや 健一:けんいち "
    "直樹:なおき 翼:つばさ 浩:ひろし 誠:まこと 隆:たかし 学:まなぶ 亮:りょう 蓮:れん "
    "悠斗:ゆうと 陽翔:はると 大翔:ひろと 湊:みなと 樹:いつき 蒼:あおい 颯太:そうた 陸:りく "
    "海斗:かいと 悠真:ゆうま 朝陽:あさひ 和也:かずや 達也:たつや 雄太:ゆうた 裕介:ゆうすけ "
    "慎一:しんいち 秀樹:ひでき 正樹:まさき 剛:つよし 哲也:てつや 修:おさむ 勇気:ゆうき "
    "光:ひかる 駿:しゅん 圭介:けいすけ 俊介:しゅんすけ 康平:こうへい 祐樹:ゆうき 智也:ともや "
    "涼介:りょうすけ 龍之介:りゅうのすけ 一郎:いちろう 次郎:じろう 清:きよし 実:みのる "
    "進:すすむ 花子:はなこ 美咲:みさき さくら:さくら 葵:あおい 陽菜:ひな 結衣:ゆい 凛:りん "
    "莉子:りこ 美優:みゆ 七海:ななみ 愛:あい 彩:あや 千尋:ちひろ 真由美:まゆみ 由美子:ゆみこ "
    "恵子:けいこ 久美子:くみこ 直美:なおみ 智子:ともこ 裕子:ゆうこ 香織:かおり 麻衣:まい "
    "舞:まい 瞳:ひとみ 優子:ゆうこ 恵美:えみ 奈々:なな 琴音:ことね 紬:つむぎ 芽依:めい "
    "咲良:さくら 桃花:ももか 心春:こはる 杏:あん 楓:かえで 明日香:あすか 沙織:さおり "
    "里奈:りな 真央:まお 遥:はるか 美穂:みほ 和子:かずこ 幸子:さちこ 洋子:ようこ "
    "京子:きょうこ 節子:せつこ 千代:ちよ アンナ:あんな エリカ:えりか まりな:まりな "
    "みどり:みどり ひかり:ひかり"
)
_ZH_FAMILIES = (
    "王:Wang:7 李:Li:7 张:Zhang:7 刘:Liu:5 陈:Chen:5 杨:Yang:4 赵:Zhao:3 黄:Huang:3 "
    "周:Zhou:3 吴:Wu:3 徐:Xu:2 孙:Sun:2 胡:Hu:2 朱:Zhu:2 高:Gao:2 林:Lin:2 何:He:2 郭:Guo:2 "
    "马:Ma:2 罗:Luo:2 梁:Liang 宋:Song 郑:Zheng 谢:Xie 韩:Han 唐:Tang 冯:Feng 于:Yu 董:Dong "
    "萧:Xiao 程:Cheng 曹:Cao 袁:Yuan 邓:Deng 许:Xu 傅:Fu 沈:Shen 曾:Zeng 彭:Peng 吕:Lyu "
    "苏:Su 卢:Lu 蒋:Jiang 蔡:Cai 贾:Jia 丁:Ding 魏:Wei 薛:Xue 叶:Ye 阎:Yan 余:Yu 潘:Pan "
    "杜:Du 戴:Dai 夏:Xia 钟:Zhong 汪:Wang 田:Tian 任:Ren 姜:Jiang 范:Fan 方:Fang 石:Shi "
    "姚:Yao 谭:Tan 廖:Liao 邹:Zou 熊:Xiong 金:Jin 陆:Lu 郝:Hao 孔:Kong 白:Bai 崔:Cui 康:Kang "
    "毛:Mao 邱:Qiu 秦:Qin 江:Jiang 史:Shi 顾:Gu 侯:Hou 邵:Shao 孟:Meng 龙:Long 万:Wan "
    "段:Duan 雷:Lei 钱:Qian 汤:Tang 尹:Yin 黎:Li 易:Yi 常:Chang 武:Wu 乔:Qiao 贺:He 赖:Lai "
    "龚:Gong 文:Wen 单:Shan 解:Xie 仇:Qiu 查:Zha 欧阳:Ouyang 上官:Shangguan 司马:Sima "
    "诸葛:Zhuge"
)
_ZH_GIVENS = (
    "伟:wei 强:qiang 磊:lei 军:jun 洋:yang 勇:yong 杰:jie 涛:tao 明:ming 超:chao 建:jian "
    "华:hua 文:wen 国:guo 平:ping 志:zhi 浩:hao 宇:yu 晨:chen 鹏:peng 飞:fei 博:bo 思:si "
    "子:zi 俊:jun 泽:ze 天:tian 嘉:jia 瑞:rui 宏:hong 晓:xiao 小:xiao 海:hai 春:chun 秋:qiu "
    "云:yun 雨:yu 雪:xue 丽:li 娜:na 静:jing 敏:min 秀:xiu 芳:fang 娟:juan 霞:xia 燕:yan "
    "婷:ting 玲:ling 慧:hui 颖:ying 琳:lin 欣:xin 怡:yi 佳:jia 梦:meng 诗:shi 涵:han 萱:xuan "
    "梓:zi 轩:xuan 睿:rui 航:hang 毅:yi 峰:feng 东:dong 林:lin 玉:yu 兰:lan"
)
_EN_FAMILIES = (
    "Smith:3 Johnson:3 Williams:2 Brown:2 Jones:2 Garcia:2 Miller:2 Davis:2 Rodriguez "
    "Martinez Hernandez Lopez Gonzalez Wilson Anderson Thomas Taylor Moore Jackson Martin "
    "Lee Perez Thompson White Harris Sanchez Clark Ramirez Lewis Robinson Walker Young Allen "
    "King Wright Scott Torres Nguyen Hill Flores Green Adams Nelson Baker Hall Rivera "
    "Campbell Mitchell Carter Roberts Gomez Phillips Evans Turner Diaz Parker Cruz Edwards "
    "Collins Reyes Stewart Morris Morales Murphy Cook Rogers Gutierrez Ortiz Morgan Cooper "
    "Peterson Bailey Reed Kelly Howard Ramos Kim Cox Ward Richardson Watson Brooks Chavez "
    "Wood Bennett Gray Mendoza Ruiz Hughes Price Alvarez Castillo Sanders Patel Myers Long "
    "Ross Foster Sullivan Fitzgerald Singh Khan O'Brien McDonald Schultz Weber Müller "
    "Sørensen Nowak Petrov Rossi Dubois Larsen Novak Silva Costa Andersson"
)
_EN_GIVENS = (
    "James Mary Robert Patricia John Jennifer Michael Linda David Elizabeth William Barbara "
    "Richard Susan Joseph Jessica Thomas Sarah Charles Karen Christopher Lisa Daniel Nancy "
    "Matthew Betty Anthony Margaret Mark Sandra Donald Ashley Steven Kimberly Paul Emily "
    "Andrew Donna Joshua Michelle Kenneth Carol Kevin Amanda Brian Dorothy George Melissa "
    "Timothy Deborah Ronald Stephanie Edward Rebecca Jason Sharon Jeffrey Laura Ryan Cynthia "
    "Jacob Kathleen Gary Amy Nicholas Angela Eric Shirley Jonathan Anna Stephen Brenda Larry "
    "Pamela Justin Emma Scott Nicole Brandon Helen Benjamin Samantha Samuel Katherine "
    "Gregory Christine Alexander Rachel Patrick Carolyn Frank Janet Raymond Maria Jack "
    "Olivia Dennis Heather Jerry Diane Tyler Julie Aaron Joyce Jose Victoria Adam Ruth "
    "Nathan Sophia Henry Grace Zachary Chloe Peter Zoe Kyle Hannah Noah Ava Ethan Mia Liam "
    "Nora Mason Iris Logan Ella Lucas Ruby Oscar Freya Hugo Ingrid Mateo Lucia Omar Layla "
    "Ravi Priya Arjun Meera Jean-Luc Mary-Anne"
)

# --- Companies -------------------------------------------------------------------------------

# Industry, then the word for it in Korean, Japanese, Chinese and English company names.
_TRADES = (
    "manufacturing 정밀:jeongmil 製作所:せいさくしょ 制造:zhizao Manufacturing",
    "electronics 전자:jeonja 電機:でんき 电子:dianzi Electronics",
    "retail 유통:yutong 商店:しょうてん 商贸:shangmao Stores",
    "logistics 물류:mullyu 物流:ぶつりゅう 物流:wuliu Logistics",
    "construction 건설:geonseol 建設:けんせつ 建筑:jianzhu Builders",
    "food 식품:sikpum 食品:しょくひん 食品:shipin Foods",
    "healthcare 메디칼:medical 医療器:いりょうき 医疗:yiliao Health",
    "education 교육:gyoyuk 教育:きょういく 教育:jiaoyu Learning",
    "finance 캐피탈:capital リース:りーす 金融:jinrong Capital",
    "software 소프트:soft システム:しすてむ 软件:ruanjian Software",
    "trade 상사:sangsa 商事:しょうじ 贸易:maoyi Trading",
    "hospitality 관광:gwangwang 観光:かんこう 酒店:jiudian Hotels",
    "energy 에너지:energy エネルギー:えねるぎー 能源:nengyuan Energy",
    "textiles 섬유:seomyu 繊維:せんい 纺织:fangzhi Textiles",
    "chemicals 화학:hwahak 化学:かがく 化工:huagong Chemicals",
    "printing 인쇄:inswae 印刷:いんさつ 印刷:yinshua Printing",
)
_KO_BRANDS = (
    "한:Han 대:Dae 동:Dong 세:Se 우:Woo 신:Shin 태:Tae 진:Jin 영:Young 광:Kwang 미:Mi "
    "서:Seo 남:Nam 금:Geum 청:Cheong 백:Baek 해:Hae 새:Sae 가:Ga 다:Da",
    "성:seong 진:jin 영:young 원:won 양:yang 일:il 광:kwang 신:shin 화:hwa 림:rim 솔:sol "
    "누리:nuri 산:san 보:bo 명:myeong 강:gang 도:do 호:ho 인:in 창:chang",
)
# Combinations that every Korean knows as a company.
_KO_FAMOUS = "한화 한진 한솔 동원 동양 대성 대림 태광 남양 동화 금호 금강 대신 대명 신도"
_JA_BRANDS = (
    "青葉:あおば 若葉:わかば 日の出:ひので 山手:やまて 北斗:ほくと 桜川:さくらがわ "
    "松風:まつかぜ 白鷺:しらさぎ 千鳥:ちどり 若松:わかまつ 東雲:しののめ 緑丘:みどりがおか "
    "三河:みかわ 海風:うみかぜ 月見:つきみ 花園:はなぞの 鶴見:つるみ 亀川:かめかわ "
    "星野:ほしの 竹林:たけばやし 梅田:うめだ みなと:みなと あすなろ:あすなろ ひばり:ひばり "
    "サンライズ:さんらいず ミライ:みらい アオゾラ:あおぞら"
)
_ZH_BRANDS = (
    "华:Hua 东:Dong 海:Hai 金:Jin 宏:Hong 瑞:Rui 盛:Sheng 天:Tian 恒:Heng 嘉:Jia 信:Xin "
    "星:Xing 博:Bo 远:Yuan 泰:Tai 和:He 润:Run 德:De 康:Kang 云:Yun",
    "信:xin 达:da 通:tong 源:yuan 丰:feng 泰:tai 盛:sheng 隆:long 辉:hui 创:chuang 联:lian "
    "诚:cheng 翔:xiang 腾:teng 邦:bang 利:li 安:an 科:ke 宇:yu 凯:kai",
)
_EN_BRANDS = (
    "Harbor Summit Cedar Granite Silver Maple North Blue Bright Stone River Lake Prairie "
    "Coast Pioneer Liberty Golden Copper Willow Falcon Beacon Canyon Orchard Meadow Anchor "
    "Compass Lantern Red Juniper Aspen",
    "bay ridge point field creek gate hill bridge valley crest grove peak haven path park",
)

_KO_CITIES = (
    "서울:6 부산:3 인천:2 대구:2 대전:2 광주:2 수원:2 성남:2 울산 세종 고양 용인 창원 청주 "
    "전주 천안 제주 포항 김해 평택 안산 안양 원주 춘천 여수 구미"
)
_JA_CITIES = (
    "東京都:6 大阪市:3 横浜市:3 名古屋市:2 福岡市:2 札幌市:2 神戸市:2 京都市:2 川崎市 "
    "さいたま市 広島市 仙台市 千葉市 北九州市 堺市 浜松市 新潟市 熊本市 岡山市 静岡市 "
    "鹿児島市 金沢市 長野市 松山市 那覇市"
)
_ZH_CITIES = (
    "上海:5 北京:4 深圳:3 广州:3 杭州:2 苏州:2 南京:2 成都:2 武汉:2 重庆:2 天津 西安 宁波 "
    "无锡 青岛 长沙 郑州 东莞 佛山 合肥 厦门 福州 济南 大连 沈阳 昆明"
)
_EN_CITIES = (
    "New_York:US:212 Los_Angeles:US:213 Chicago:US:312 Houston:US:713 Phoenix:US:602 "
    "Philadelphia:US:215 San_Antonio:US:210 San_Diego:US:619 Dallas:US:214 Austin:US:512 "
    "San_Jose:US:408 Columbus:US:614 Charlotte:US:704 Indianapolis:US:317 Seattle:US:206 "
    "Denver:US:303 Boston:US:617 Nashville:US:615 Portland:US:503 Las_Vegas:US:702 "
    "Detroit:US:313 Memphis:US:901 Baltimore:US:410 Milwaukee:US:414 Albuquerque:US:505 "
    "Tucson:US:520 Sacramento:US:916 Kansas_City:US:816 Atlanta:US:404 Miami:US:305 "
    "Oakland:US:510 Minneapolis:US:612 Tampa:US:813 Cleveland:US:216 Pittsburgh:US:412 "
    "Cincinnati:US:513 Orlando:US:407 Honolulu:US:808 San_Francisco:US:415 "
    "Salt_Lake_City:US:801 Toronto:CA:416 Vancouver:CA:604 Montreal:CA:514 Calgary:CA:403 "
    "Ottawa:CA:613"
)

_KO_DEALS = (
    "{} 클라우드 전환",
    "{} 연간 유지보수 계약",
    "{} 신규 설비 도입",
    "{} 라이선스 갱신",
    "{} 보안 점검 서비스",
    "{} 물류 시스템 구축",
    "{} 사무기기 교체",
    "{} 데이터 분석 컨설팅",
)
_JA_DEALS = (
    "{}様 クラウド移行",
    "{}様 年間保守契約",
    "{}様 新規設備導入",
    "{}様 ライセンス更新",
    "{}様 セキュリティ診断",
    "{}様 物流システム構築",
    "{}様 オフィス機器入替",
    "{}様 データ分析支援",
)
_ZH_DEALS = (
    "{} 云平台迁移",
    "{} 年度维保合同",
    "{} 新设备采购",
    "{} 软件许可续订",
    "{} 安全检测服务",
    "{} 物流系统建设",
    "{} 办公设备更换",
    "{} 数据分析咨询",
)
_EN_DEALS = (
    "Cloud migration for {}",
    "Annual maintenance for {}",
    "New equipment for {}",
    "License renewal for {}",
    "Security review for {}",
    "Logistics system for {}",
    "Office equipment for {}",
    "Data analysis for {}",
)
_KO_TICKETS = (
    "로그인이 되지 않습니다",
    "배송이 지연되고 있습니다",
    "세금계산서 재발행을 요청합니다",
    "제품이 파손되어 도착했습니다",
    "사용 방법을 문의드립니다",
    "환불을 요청합니다",
    "담당자 변경을 부탁드립니다",
    "계약 내용을 확인하고 싶습니다",
    "화면이 느리게 열립니다",
    "방문 점검 일정을 잡고 싶습니다",
)
_JA_TICKETS = (
    "ログインできません",
    "配送が遅れています",
    "請求書の再発行をお願いします",
    "商品が破損して届きました",
    "使い方について教えてください",
    "返金をお願いします",
    "担当者の変更をお願いします",
    "契約内容を確認したいです",
    "画面の表示が遅いです",
    "訪問点検の日程を相談したいです",
)
_ZH_TICKETS = (
    "无法登录系统",
    "订单配送延误",
    "申请重新开具发票",
    "收到的商品有破损",
    "咨询产品使用方法",
    "申请退款",
    "请求更换负责人",
    "需要确认合同内容",
    "页面打开速度很慢",
    "预约上门检修时间",
)
_EN_TICKETS = (
    "I cannot sign in",
    "My delivery is late",
    "Please send the invoice again",
    "The goods arrived damaged",
    "How do I use this feature?",
    "I would like a refund",
    "Please change our contact person",
    "A question about our contract",
    "Pages open slowly",
    "Please arrange a maintenance visit",
)

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
    famous = frozenset(_KO_FAMOUS.split())
    return tuple(word for word in _pairs(*_KO_BRANDS) if word.native not in famous)


def _trades(place: int) -> tuple[_Trade, ...]:
    rows = (row.split() for row in _TRADES)
    words = ((row[0], _words(row[place])[0]) for row in rows)
    return tuple(
        _Trade(industry, word._replace(reading=word.reading.capitalize()))
        for industry, word in words
    )


def _cities(table: str, country: str) -> tuple[_City, ...]:
    found: list[_City] = []
    for row in table.split():
        name, _, weight = row.partition(":")
        found += [_City(name, country, "")] * int(weight or 1)
    return tuple(found)


def _american_cities() -> tuple[_City, ...]:
    rows = (row.split(":") for row in _EN_CITIES.split())
    return tuple(_City(name.replace("_", " "), country, code) for name, country, code in rows)


def _zh_givens() -> tuple[_Word, ...]:
    """One character for about every fourth person, two for the others."""
    single = tuple(_Word(w.native, w.reading.capitalize(), w.ascii) for w in _words(_ZH_GIVENS))
    double = tuple(
        _Word(w.native, w.reading.capitalize(), w.ascii) for w in _pairs(_ZH_GIVENS, _ZH_GIVENS)
    )
    return double + single * (len(double) // (3 * len(single)))


_MARKETS = {
    "ko": _Market(
        language="ko",
        teams=(0,),
        families=_words(_KO_FAMILIES),
        givens=_pairs(*_KO_MEN) + _pairs(*_KO_WOMEN),
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
        cities=_cities(_KO_CITIES, "KR"),
        phone_prefix="+82100",
        phone_count=10_000_000,
        currency="KRW",
        amount_step_minor=100_000,
        deal_titles=_KO_DEALS,
        ticket_subjects=_KO_TICKETS,
    ),
    "ja": _Market(
        language="ja",
        teams=(1,),
        families=_words(_JA_FAMILIES),
        givens=_words(_JA_GIVENS),
        brands=_words(_JA_BRANDS) * 3 + _words(_JA_FAMILIES),
        trades=_trades(2),
        forms=(
            "株式会社{brand}{trade}",
            "{brand}{trade}株式会社",
            "㈱{brand}{trade}",
            "有限会社{brand}{trade}",
            "合同会社{brand}{trade}",
        ),
        cities=_cities(_JA_CITIES, "JP"),
        phone_prefix="+81701",
        phone_count=10_000_000,
        currency="JPY",
        amount_step_minor=10_000,
        deal_titles=_JA_DEALS,
        ticket_subjects=_JA_TICKETS,
    ),
    "zh-Hans": _Market(
        language="zh-Hans",
        teams=(2,),
        families=_words(_ZH_FAMILIES),
        givens=_zh_givens(),
        brands=_pairs(*_ZH_BRANDS),
        trades=_trades(3),
        forms=(
            "{city}{brand}{trade}有限公司",
            "{brand}{trade}有限公司",
            "{city}{brand}{trade}股份有限公司",
            "{brand}{trade}（{city}）有限公司",
            "{city}{brand}{trade}有限责任公司",
        ),
        cities=_cities(_ZH_CITIES, "CN"),
        phone_prefix="+861740",
        phone_count=6_000_000,
        currency="CNY",
        amount_step_minor=50_000,
        deal_titles=_ZH_DEALS,
        ticket_subjects=_ZH_TICKETS,
    ),
    "en": _Market(
        language="en",
        teams=(0, 1, 2),
        families=_words(_EN_FAMILIES),
        givens=_words(_EN_GIVENS),
        brands=_pairs(*_EN_BRANDS),
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
        deal_titles=_EN_DEALS,
        ticket_subjects=_EN_TICKETS,
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


def deal(n: int) -> DemoDeal:
    """The deal of the n-th customer; one who bought has won it, one who is lost has lost it."""
    buyer = customer(n)
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


def ticket(n: int) -> DemoTicket:
    """The ticket of the n-th customer, in the customer's language, with an agent of its team."""
    asker = customer(n)
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
