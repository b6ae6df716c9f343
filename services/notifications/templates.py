"""The texts of single messages, as data: per kind and language a subject and a body.

``{{ company }}`` and ``{{ public_url }}`` are left for the sender, which knows where it runs. A
line all of whose placeholders are empty is left out.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

from services.notifications.wording import fill, one_line


class Text(NamedTuple):
    """A subject and a body."""

    subject: str
    body: str


FALLBACK_LANGUAGE = "en"
_PLACEHOLDERS = re.compile(r"\{\{ *([a-z_]+) *\}\}")


def render(kind: str, language: str, values: Mapping[str, str]) -> Text:
    """The text of that kind with the values in it; in English if the language is unknown to us."""
    texts = TEMPLATES[kind]
    text = texts.get(language) or texts[FALLBACK_LANGUAGE]
    lines = [fill(line, values) for line in text.body.splitlines() if _says_something(line, values)]
    return Text(one_line(fill(text.subject, values)), "\n".join(lines).strip() + "\n")


def _says_something(line: str, values: Mapping[str, str]) -> bool:
    names = _PLACEHOLDERS.findall(line)
    return not names or any(values.get(name, "?") for name in names)


TEMPLATES: dict[str, dict[str, Text]] = {
    "order_confirmation": {
        "ko": Text(
            "[{{ company }}] 주문이 접수되었습니다 ({{ number }})",
            """{{ addressed }}, 안녕하세요.

주문해 주셔서 감사합니다. 아래 내용으로 주문이 접수되었습니다.

주문번호: {{ number }}
주문일: {{ ordered_on }}
{{ lines }}
합계: {{ total }}
결제 기한: {{ payment_due_on }}

궁금하신 점은 이 메일에 회신해 주시기 바랍니다.

{{ company }} 드림
""",
        ),
        "ja": Text(
            "【{{ company }}】ご注文を承りました（{{ number }}）",
            """{{ addressed }}

いつもお世話になっております。{{ company }}でございます。
このたびはご注文いただき、誠にありがとうございます。下記のとおり承りました。

ご注文番号：{{ number }}
ご注文日：{{ ordered_on }}
{{ lines }}
合計金額：{{ total }}
お支払期限：{{ payment_due_on }}

ご不明な点がございましたら、本メールにご返信ください。
今後ともよろしくお願いいたします。

{{ company }}
""",
        ),
        "zh-Hans": Text(
            "【{{ company }}】您的订单已提交（{{ number }}）",
            """{{ addressed }}，您好：

感谢您的订购。您的订单已提交，详情如下：

订单编号：{{ number }}
下单日期：{{ ordered_on }}
{{ lines }}
合计：{{ total }}
付款期限：{{ payment_due_on }}

如有疑问，请直接回复此邮件。

{{ company }}
""",
        ),
        "zh-Hant": Text(
            "【{{ company }}】您的訂單已成立（{{ number }}）",
            """{{ addressed }}，您好：

感謝您的訂購。您的訂單已成立，明細如下：

訂單編號：{{ number }}
訂購日期：{{ ordered_on }}
{{ lines }}
合計：{{ total }}
付款期限：{{ payment_due_on }}

如有任何疑問，請直接回覆此郵件。

{{ company }}
""",
        ),
        "en": Text(
            "Your order {{ number }} has been placed",
            """Dear {{ addressed }},

Thank you for your order. We have received it as follows.

Order number: {{ number }}
Order date: {{ ordered_on }}
{{ lines }}
Total: {{ total }}
Payment due: {{ payment_due_on }}

If you have any questions, simply reply to this e-mail.

Kind regards
{{ company }}
""",
        ),
    },
    "ticket_opened": {
        "ko": Text(
            "[{{ company }}] 문의가 접수되었습니다 ({{ number }})",
            """{{ addressed }}, 안녕하세요.

보내 주신 내용이 접수되었습니다. 담당자가 확인한 후 연락드리겠습니다.

접수번호: {{ number }}
제목: {{ subject }}

추가로 알려 주실 내용이 있으면 이 메일에 회신해 주시기 바랍니다.

{{ company }} 드림
""",
        ),
        "ja": Text(
            "【{{ company }}】お問い合わせを受け付けました（{{ number }}）",
            """{{ addressed }}

お問い合わせいただき、ありがとうございます。{{ company }}でございます。
下記の内容で受け付けました。担当者が確認のうえ、ご連絡いたします。

受付番号：{{ number }}
件名：{{ subject }}

補足がございましたら、本メールにご返信ください。

{{ company }}
""",
        ),
        "zh-Hans": Text(
            "【{{ company }}】我们已收到您的反馈（{{ number }}）",
            """{{ addressed }}，您好：

我们已收到您的反馈，将由专人核实处理并与您联系。

受理编号：{{ number }}
主题：{{ subject }}

如需补充信息，请直接回复此邮件。

{{ company }}
""",
        ),
        "zh-Hant": Text(
            "【{{ company }}】我們已收到您的意見（{{ number }}）",
            """{{ addressed }}，您好：

我們已收到您的意見，將由專人確認處理並與您聯絡。

受理編號：{{ number }}
主旨：{{ subject }}

如需補充資訊，請直接回覆此郵件。

{{ company }}
""",
        ),
        "en": Text(
            "We have received your message ({{ number }})",
            """Dear {{ addressed }},

Thank you for getting in touch. We have received your message and will get back to you.

Reference: {{ number }}
Subject: {{ subject }}

To add anything, simply reply to this e-mail.

Kind regards
{{ company }}
""",
        ),
    },
    "survey": {
        "ko": Text(
            "[{{ company }}] 처리 결과 안내 및 만족도 조사 ({{ number }})",
            """{{ addressed }}, 안녕하세요.

문의하신 "{{ subject }}" 건의 처리 결과를 알려 드립니다.

{{ outcome }}

처리 결과에 얼마나 만족하시는지 아래 링크에서 알려 주시면 큰 도움이 됩니다. 1분이면 충분합니다.
{{ public_url }}/s/{{ token }}
응답 기한: {{ expires_on }}

{{ company }} 드림
""",
        ),
        "ja": Text(
            "【{{ company }}】対応結果のご報告とアンケートのお願い（{{ number }}）",
            """{{ addressed }}

いつもお世話になっております。{{ company }}でございます。
「{{ subject }}」の件につきまして、対応結果をご報告いたします。

{{ outcome }}

対応にご満足いただけましたでしょうか。下記のページよりお聞かせいただければ幸いです（所要時間は1分ほどです）。
{{ public_url }}/s/{{ token }}
ご回答期限：{{ expires_on }}

{{ company }}
""",
        ),
        "zh-Hans": Text(
            "【{{ company }}】处理结果及满意度调查（{{ number }}）",
            """{{ addressed }}，您好：

您反馈的“{{ subject }}”已处理完毕，结果如下：

{{ outcome }}

您对处理结果是否满意？请点击以下链接告诉我们，只需一分钟：
{{ public_url }}/s/{{ token }}
截止日期：{{ expires_on }}

{{ company }}
""",
        ),
        "zh-Hant": Text(
            "【{{ company }}】處理結果與滿意度調查（{{ number }}）",
            """{{ addressed }}，您好：

您反映的「{{ subject }}」已處理完畢，結果如下：

{{ outcome }}

您對處理結果滿意嗎？請點選以下連結告訴我們，只需一分鐘：
{{ public_url }}/s/{{ token }}
截止日期：{{ expires_on }}

{{ company }}
""",
        ),
        "en": Text(
            "How did we do? ({{ number }})",
            """Dear {{ addressed }},

We have dealt with "{{ subject }}". This is the outcome:

{{ outcome }}

How content are you with it? It takes one minute to tell us:
{{ public_url }}/s/{{ token }}
The link works until {{ expires_on }}.

Kind regards
{{ company }}
""",
        ),
    },
    "reminder": {
        "ko": Text(
            "알림: {{ title }}",
            """{{ addressed }},

{{ title }}
시간: {{ due_at }}
{{ note }}
""",
        ),
        "ja": Text(
            "リマインダー：{{ title }}",
            """{{ addressed }}

{{ title }}
日時：{{ due_at }}
{{ note }}
""",
        ),
        "zh-Hans": Text(
            "提醒：{{ title }}",
            """{{ addressed }}，您好：

{{ title }}
时间：{{ due_at }}
{{ note }}
""",
        ),
        "zh-Hant": Text(
            "提醒：{{ title }}",
            """{{ addressed }}，您好：

{{ title }}
時間：{{ due_at }}
{{ note }}
""",
        ),
        "en": Text(
            "Reminder: {{ title }}",
            """Hello {{ addressed }},

{{ title }}
When: {{ due_at }}
{{ note }}
""",
        ),
    },
    "task_assigned": {
        "ko": Text(
            "새 할 일: {{ title }}",
            """{{ addressed }},

새로운 할 일이 배정되었습니다.

{{ title }}
고객: {{ customer }}
기한: {{ due_on }}
사유: {{ reason }}
""",
        ),
        "ja": Text(
            "新しいタスク：{{ title }}",
            """{{ addressed }}

新しいタスクが割り当てられました。

{{ title }}
お客様：{{ customer }}
期限：{{ due_on }}
理由：{{ reason }}
""",
        ),
        "zh-Hans": Text(
            "新任务：{{ title }}",
            """{{ addressed }}，您好：

您有一项新任务。

{{ title }}
客户：{{ customer }}
截止日期：{{ due_on }}
原因：{{ reason }}
""",
        ),
        "zh-Hant": Text(
            "新任務：{{ title }}",
            """{{ addressed }}，您好：

您有一項新任務。

{{ title }}
客戶：{{ customer }}
截止日期：{{ due_on }}
原因：{{ reason }}
""",
        ),
        "en": Text(
            "New task: {{ title }}",
            """Hello {{ addressed }},

You have a new task.

{{ title }}
Customer: {{ customer }}
Due: {{ due_on }}
Why: {{ reason }}
""",
        ),
    },
}
