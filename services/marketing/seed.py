"""Marketing's share of the demo company: its copy of the customers and a campaign to launch."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

_COPY = (
    "copy customer (id, display_name, kind, language, country, lifecycle_stage, tags, email,"
    " mobile, consents, detractor, owner_id, team_path, as_of_version) from stdin"
)
_CAMPAIGN = (
    "insert into campaign (id, version, event_number, created_at, updated_at, owner_id, team_path,"
    " name, channels, audience, contents, default_language, status, audience_size)"
    " values (%s, 1, 0, %s, %s, %s, %s, %s, %s, %s, %s, %s, 'draft', 0)"
)
_STAGES = ["prospect", "qualified", "first_buyer", "repeat", "loyal"]
_CONTENTS = [
    {
        "language": "ko",
        "subject": "(광고) {{ name }}님, 연말 감사 혜택을 안내드립니다",
        "email_body": (
            "{{ name }}님, 안녕하세요.\n\n한 해 동안 함께해 주셔서 감사합니다."
            " 12월 20일까지 주문하시는 모든 품목에 연말 감사 할인 10%를 적용해 드립니다."
            "\n\n문의는 담당 영업사원에게 편하게 연락해 주세요.\n\n래포트 드림"
        ),
        "sms_body": "(광고) {{ name }}님, 12월 20일까지 전 품목 10% 연말 감사 할인. 래포트 드림",
    },
    {
        "language": "ja",
        "subject": "{{ name }}様 年末感謝キャンペーンのご案内",
        "email_body": (
            "{{ name }}様\n\n平素より格別のご高配を賜り、厚く御礼申し上げます。"
            "12月20日までのご注文につきまして、全品10%の年末感謝割引を適用いたします。\n\nご不明な点は担当営業まで"
            "お気軽にお問い合わせください。\n\nラポール"
        ),
        "sms_body": "{{ name }}様、12月20日まで全品10%の年末感謝割引を実施中です。ラポール",
    },
    {
        "language": "zh-Hans",
        "subject": "{{ name }}，年终答谢优惠邀您共享",
        "email_body": (
            "{{ name }}，您好！\n\n感谢您一年来的支持。12月20日前下单，全部商品均可享受九折年终"
            "答谢优惠。\n\n如有任何问题，欢迎随时联系您的专属销售顾问。\n\n睿博"
        ),
        "sms_body": "【睿博】{{ name }}，12月20日前下单，全部商品享九折年终答谢优惠。",
    },
    {
        "language": "en",
        "subject": "A year-end thank-you for {{ name }}",
        "email_body": (
            "Hello {{ name }},\n\nThank you for this year. Every order placed by 20 December gets"
            " 10% off.\n\nYour sales contact is glad to help with any question.\n\nRapport"
        ),
        "sms_body": "{{ name }}, every order by 20 December gets 10% off. Thank you! Rapport",
    },
]


def seed(
    connection: psycopg.Connection[Any],
    demo: ModuleType,
    count: int,
    report: Callable[[int], None],
) -> None:
    """Write the copy of the first ``count`` customers and a draft for all prospects and buyers."""
    cursor = connection.cursor()
    with cursor.copy(_COPY) as copy:
        for number, customer in enumerate(demo.customers(count), 1):
            copy.write_row(_row(customer))
            if number % 1000 == 0:
                report(1000)
    report(count % 1000)
    marketer = next(one for one in demo.STAFF if "marketing" in one.roles)
    cursor.execute(
        _CAMPAIGN,
        (
            # One after the marketer's own id, so that every seed writes the same.
            type(marketer.id)(int=marketer.id.int + 1),
            demo.AS_OF,
            demo.AS_OF,
            marketer.id,
            marketer.team_path,
            "Year-end thank-you 2026",
            ["email", "sms"],
            Jsonb({"lifecycle_stages": _STAGES}),
            Jsonb(_CONTENTS),
            "en",
        ),
    )


def _row(customer: Any) -> tuple[Any, ...]:
    return (
        customer.id,
        customer.name,
        customer.kind,
        customer.language,
        customer.country,
        customer.lifecycle,
        [customer.list_kind],
        customer.email,
        customer.phone,
        sorted(channel for channel, answer in customer.consents if answer == "granted"),
        False,
        customer.owner_id,
        customer.team_path,
        1,
    )
