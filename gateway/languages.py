"""The sentences the gateway says itself, in every language Rapport speaks."""

from functools import lru_cache

from contracts.shapes import LANGUAGES

DEFAULT = "en"

# Chinese without a script: the region says which one is read there (CLDR likely subtags).
_ALIASES = {
    "zh": "zh-Hans",
    "zh-cn": "zh-Hans",
    "zh-sg": "zh-Hans",
    "zh-hans": "zh-Hans",
    "zh-tw": "zh-Hant",
    "zh-hk": "zh-Hant",
    "zh-mo": "zh-Hant",
    "zh-hant": "zh-Hant",
}

Sentences = dict[str, tuple[str, str]]
"""code or status → title, detail. An empty detail keeps the one that was given in English."""

EN: Sentences = {
    "400": ("The request cannot be understood", ""),
    "401": ("Not logged in", "Send a valid access token or API key as a bearer token."),
    "403": ("Not allowed", ""),
    "404": ("Not found", ""),
    "405": (
        "Method not allowed",
        "This address does not know that method; Allow lists those it does.",
    ),
    "408": ("The request took too long", "The body of the request did not arrive in time."),
    "409": ("The state of the record forbids it", ""),
    "410": ("Gone", ""),
    "412": ("The record changed meanwhile", ""),
    "413": ("The request is too large", ""),
    "414": ("The address is too long", ""),
    "415": ("Unsupported content type", "Send JSON as application/json."),
    "422": ("Some fields need attention", ""),
    "428": ("If-Match is missing", 'Send the ETag you last saw, such as If-Match: "v3".'),
    "429": ("Too many requests", "Wait as long as Retry-After says."),
    "431": ("The headers are too large", ""),
    "500": ("Something went wrong", "It is our fault. The request id helps us to find it."),
    "501": ("Not supported", ""),
    "503": ("Unavailable for the moment", ""),
    "malformed_request": ("The request cannot be understood", "It is no HTTP/1.1 that we know."),
    "path_not_found": ("Not found", "There is nothing at this address."),
    "wrong_credentials": ("Not logged in", "The e-mail address or the password is wrong."),
    "too_many_attempts": ("Too many attempts", "Wait as long as Retry-After says, then try again."),
    "mfa_required": (
        "The second factor is missing",
        "Finish the login with the challenge and a code of your authenticator app.",
    ),
    "mfa_setup_required": (
        "A second factor is needed",
        "Your role asks for a second factor. Set one up first.",
    ),
    "challenge_invalid": ("This login is over", "Log in again with your password."),
    "wrong_code": ("Not accepted", "The code is wrong or was used before."),
    "wrong_password": ("Not allowed", "The current password is not that."),
    "address_not_allowed": ("Not allowed", "This API key may not be used from this address."),
    "identity_unknown": (
        "Not allowed",
        "Nobody here is linked to that identity. Ask your administrator.",
    ),
    "permission_missing": ("Not allowed", ""),
    "idempotency_key_missing": (
        "Idempotency-Key is missing",
        "Send a value of your own of 1 to 255 printable ASCII characters, such as a UUID.",
    ),
    "idempotency_key_in_use": (
        "The same request is still running",
        "The first request with this Idempotency-Key is still running. Ask again.",
    ),
    "idempotency_key_reused": (
        "Idempotency-Key was used before",
        "This Idempotency-Key came before with another request. Use a new one.",
    ),
    "cursor_expired": (
        "The cursor is too old",
        "The events after it are no longer kept. Read the records anew, then start without it.",
    ),
}

KO: Sentences = {
    "400": ("요청을 이해할 수 없습니다", ""),
    "401": ("로그인이 필요합니다", "유효한 액세스 토큰이나 API 키를 Bearer 토큰으로 보내 주세요."),
    "403": ("권한이 없습니다", ""),
    "404": ("찾을 수 없습니다", ""),
    "405": ("허용되지 않는 메서드입니다", "사용할 수 있는 메서드는 Allow 헤더에 있습니다."),
    "408": ("요청 시간이 초과되었습니다", "요청 본문이 제시간에 도착하지 않았습니다."),
    "409": ("현재 상태에서는 할 수 없습니다", ""),
    "410": ("더 이상 제공되지 않습니다", ""),
    "412": ("그 사이에 레코드가 변경되었습니다", ""),
    "413": ("요청이 너무 큽니다", ""),
    "414": ("주소가 너무 깁니다", ""),
    "415": ("지원하지 않는 콘텐츠 형식입니다", "application/json 형식의 JSON을 보내 주세요."),
    "422": ("확인이 필요한 항목이 있습니다", ""),
    "428": ("If-Match가 없습니다", '마지막으로 받은 ETag를 If-Match: "v3"처럼 보내 주세요.'),
    "429": ("요청이 너무 많습니다", "Retry-After에 표시된 시간만큼 기다려 주세요."),
    "431": ("헤더가 너무 큽니다", ""),
    "500": (
        "문제가 발생했습니다",
        "저희 쪽 오류입니다. 요청 ID를 알려 주시면 원인을 찾을 수 있습니다.",
    ),
    "501": ("지원하지 않는 요청입니다", ""),
    "503": ("일시적으로 이용할 수 없습니다", ""),
    "malformed_request": ("요청을 이해할 수 없습니다", "올바른 HTTP/1.1 요청이 아닙니다."),
    "path_not_found": ("찾을 수 없습니다", "이 주소에는 아무것도 없습니다."),
    "wrong_credentials": ("로그인할 수 없습니다", "이메일 주소 또는 비밀번호가 올바르지 않습니다."),
    "too_many_attempts": ("시도가 너무 많습니다", "Retry-After만큼 기다린 뒤 다시 시도해 주세요."),
    "mfa_required": (
        "2단계 인증이 필요합니다",
        "인증 앱의 코드와 challenge를 보내 로그인을 완료해 주세요.",
    ),
    "mfa_setup_required": (
        "2단계 인증 설정이 필요합니다",
        "담당하신 역할에는 2단계 인증이 필요합니다. 먼저 설정해 주세요.",
    ),
    "challenge_invalid": ("로그인 시간이 만료되었습니다", "비밀번호로 다시 로그인해 주세요."),
    "wrong_code": ("인증할 수 없습니다", "코드가 올바르지 않거나 이미 사용되었습니다."),
    "wrong_password": ("권한이 없습니다", "현재 비밀번호가 올바르지 않습니다."),
    "address_not_allowed": ("권한이 없습니다", "이 API 키는 이 주소에서 사용할 수 없습니다."),
    "identity_unknown": ("권한이 없습니다", "연결된 계정이 없습니다. 관리자에게 문의해 주세요."),
    "permission_missing": ("권한이 없습니다", ""),
    "idempotency_key_missing": (
        "Idempotency-Key가 없습니다",
        "UUID처럼 출력 가능한 ASCII 문자 1~255자로 된 고유한 값을 보내 주세요.",
    ),
    "idempotency_key_in_use": (
        "같은 요청이 아직 처리 중입니다",
        "이 Idempotency-Key의 첫 요청이 아직 처리 중입니다. 다시 요청해 주세요.",
    ),
    "idempotency_key_reused": (
        "이미 사용된 Idempotency-Key입니다",
        "이 Idempotency-Key는 다른 요청에 사용되었습니다. 새 값을 사용해 주세요.",
    ),
    "cursor_expired": (
        "커서가 만료되었습니다",
        "이후 이벤트는 더 이상 보관되지 않습니다. 데이터를 다시 읽고 커서 없이 시작해 주세요.",
    ),
}

JA: Sentences = {
    "400": ("リクエストを解釈できません", ""),
    "401": (
        "ログインが必要です",
        "有効なアクセストークンまたは API キーを Bearer トークンとして送ってください。",
    ),
    "403": ("権限がありません", ""),
    "404": ("見つかりません", ""),
    "405": ("許可されていないメソッドです", "使えるメソッドは Allow ヘッダーにあります。"),
    "408": ("リクエストがタイムアウトしました", "リクエストの本文が時間内に届きませんでした。"),
    "409": ("現在の状態では実行できません", ""),
    "410": ("提供を終了しました", ""),
    "412": ("その間にレコードが変更されました", ""),
    "413": ("リクエストが大きすぎます", ""),
    "414": ("アドレスが長すぎます", ""),
    "415": ("対応していないコンテンツ形式です", "JSON を application/json として送ってください。"),
    "422": ("確認が必要な項目があります", ""),
    "428": (
        "If-Match がありません",
        '最後に受け取った ETag を If-Match: "v3" のように送ってください。',
    ),
    "429": ("リクエストが多すぎます", "Retry-After の時間だけお待ちください。"),
    "431": ("ヘッダーが大きすぎます", ""),
    "500": (
        "問題が発生しました",
        "当方の不具合です。リクエスト ID をお知らせいただければ調査できます。",
    ),
    "501": ("対応していないリクエストです", ""),
    "503": ("一時的に利用できません", ""),
    "malformed_request": (
        "リクエストを解釈できません",
        "正しい HTTP/1.1 リクエストではありません。",
    ),
    "path_not_found": ("見つかりません", "このアドレスには何もありません。"),
    "wrong_credentials": (
        "ログインできません",
        "メールアドレスまたはパスワードが正しくありません。",
    ),
    "too_many_attempts": (
        "試行回数が多すぎます",
        "Retry-After の時間だけ待ってからやり直してください。",
    ),
    "mfa_required": (
        "2 段階認証が必要です",
        "認証アプリのコードと challenge を送ってログインを完了してください。",
    ),
    "mfa_setup_required": (
        "2 段階認証の設定が必要です",
        "この役割には 2 段階認証が必要です。先に設定してください。",
    ),
    "challenge_invalid": ("このログインは無効です", "パスワードでもう一度ログインしてください。"),
    "wrong_code": ("認証できません", "コードが正しくないか、すでに使われています。"),
    "wrong_password": ("権限がありません", "現在のパスワードが正しくありません。"),
    "address_not_allowed": ("権限がありません", "この API キーはこのアドレスからは使えません。"),
    "identity_unknown": (
        "権限がありません",
        "この ID に結び付いた人がいません。管理者にお問い合わせください。",
    ),
    "permission_missing": ("権限がありません", ""),
    "idempotency_key_missing": (
        "Idempotency-Key がありません",
        "UUID など、印字可能な ASCII 1~255 文字の一意な値を送ってください。",
    ),
    "idempotency_key_in_use": (
        "同じリクエストを処理中です",
        "この Idempotency-Key の最初のリクエストがまだ処理中です。もう一度お試しください。",
    ),
    "idempotency_key_reused": (
        "使用済みの Idempotency-Key です",
        "この Idempotency-Key は別のリクエストで使われました。新しい値を使ってください。",
    ),
    "cursor_expired": (
        "カーソルの有効期限が切れました",
        "それ以降のイベントはもう保管されていません。データを読み直し、カーソルなしで始めてください。",
    ),
}

ZH_HANS: Sentences = {
    "400": ("无法理解该请求", ""),
    "401": ("尚未登录", "请将有效的访问令牌或 API 密钥作为 Bearer 令牌发送。"),
    "403": ("没有权限", ""),
    "404": ("未找到", ""),
    "405": ("不允许使用该方法", "可用的方法见 Allow 标头。"),
    "408": ("请求超时", "请求正文未能及时送达。"),
    "409": ("当前状态不允许此操作", ""),
    "410": ("已不再提供", ""),
    "412": ("记录在此期间已被更改", ""),
    "413": ("请求过大", ""),
    "414": ("地址过长", ""),
    "415": ("不支持的内容类型", "请以 application/json 发送 JSON。"),
    "422": ("部分字段需要检查", ""),
    "428": ("缺少 If-Match", '请发送您最后收到的 ETag,例如 If-Match: "v3"。'),
    "429": ("请求过多", "请等待 Retry-After 所示的时间。"),
    "431": ("请求标头过大", ""),
    "500": ("出现问题", "这是我们的错误。请提供请求 ID,以便我们查找原因。"),
    "501": ("不支持该请求", ""),
    "503": ("暂时不可用", ""),
    "malformed_request": ("无法理解该请求", "不是正确的 HTTP/1.1 请求。"),
    "path_not_found": ("未找到", "此地址没有任何内容。"),
    "wrong_credentials": ("无法登录", "电子邮件地址或密码不正确。"),
    "too_many_attempts": ("尝试次数过多", "请等待 Retry-After 所示的时间后重试。"),
    "mfa_required": ("需要两步验证", "请使用 challenge 和验证器应用中的代码完成登录。"),
    "mfa_setup_required": ("需要设置两步验证", "您的角色要求两步验证,请先进行设置。"),
    "challenge_invalid": ("此次登录已失效", "请使用密码重新登录。"),
    "wrong_code": ("验证失败", "代码不正确或已被使用。"),
    "wrong_password": ("没有权限", "当前密码不正确。"),
    "address_not_allowed": ("没有权限", "此 API 密钥不能从该地址使用。"),
    "identity_unknown": ("没有权限", "没有与该身份关联的人员,请联系管理员。"),
    "permission_missing": ("没有权限", ""),
    "idempotency_key_missing": (
        "缺少 Idempotency-Key",
        "请发送由 1 至 255 个可打印 ASCII 字符组成的唯一值,例如 UUID。",
    ),
    "idempotency_key_in_use": (
        "相同的请求仍在处理",
        "使用此 Idempotency-Key 的首个请求仍在处理,请稍后重试。",
    ),
    "idempotency_key_reused": (
        "Idempotency-Key 已被使用",
        "此 Idempotency-Key 已用于另一个请求,请使用新的值。",
    ),
    "cursor_expired": (
        "游标已过期",
        "其后的事件已不再保留。请重新读取数据,然后不带游标重新开始。",
    ),
}

ZH_HANT: Sentences = {
    "400": ("無法理解此請求", ""),
    "401": ("尚未登入", "請將有效的存取權杖或 API 金鑰作為 Bearer 權杖傳送。"),
    "403": ("沒有權限", ""),
    "404": ("找不到", ""),
    "405": ("不允許使用此方法", "可用的方法請見 Allow 標頭。"),
    "408": ("請求逾時", "請求內容未能及時送達。"),
    "409": ("目前狀態不允許此操作", ""),
    "410": ("已不再提供", ""),
    "412": ("記錄在此期間已被變更", ""),
    "413": ("請求過大", ""),
    "414": ("位址過長", ""),
    "415": ("不支援的內容類型", "請以 application/json 傳送 JSON。"),
    "422": ("部分欄位需要檢查", ""),
    "428": ("缺少 If-Match", '請傳送您最後收到的 ETag,例如 If-Match: "v3"。'),
    "429": ("請求過多", "請等待 Retry-After 所示的時間。"),
    "431": ("請求標頭過大", ""),
    "500": ("發生問題", "這是我們的錯誤。請提供請求 ID,以便我們查明原因。"),
    "501": ("不支援此請求", ""),
    "503": ("暫時無法使用", ""),
    "malformed_request": ("無法理解此請求", "不是正確的 HTTP/1.1 請求。"),
    "path_not_found": ("找不到", "此位址沒有任何內容。"),
    "wrong_credentials": ("無法登入", "電子郵件地址或密碼不正確。"),
    "too_many_attempts": ("嘗試次數過多", "請等待 Retry-After 所示的時間後再試。"),
    "mfa_required": ("需要兩步驟驗證", "請使用 challenge 與驗證器應用程式的代碼完成登入。"),
    "mfa_setup_required": ("需要設定兩步驟驗證", "您的角色需要兩步驟驗證,請先進行設定。"),
    "challenge_invalid": ("此次登入已失效", "請使用密碼重新登入。"),
    "wrong_code": ("驗證失敗", "代碼不正確或已使用過。"),
    "wrong_password": ("沒有權限", "目前的密碼不正確。"),
    "address_not_allowed": ("沒有權限", "此 API 金鑰不能從該位址使用。"),
    "identity_unknown": ("沒有權限", "沒有與該身分連結的人員,請聯絡管理員。"),
    "permission_missing": ("沒有權限", ""),
    "idempotency_key_missing": (
        "缺少 Idempotency-Key",
        "請傳送由 1 至 255 個可列印 ASCII 字元組成的唯一值,例如 UUID。",
    ),
    "idempotency_key_in_use": (
        "相同的請求仍在處理",
        "使用此 Idempotency-Key 的第一個請求仍在處理,請稍後再試。",
    ),
    "idempotency_key_reused": (
        "Idempotency-Key 已被使用",
        "此 Idempotency-Key 已用於另一個請求,請使用新的值。",
    ),
    "cursor_expired": (
        "游標已過期",
        "其後的事件已不再保留。請重新讀取資料,然後不帶游標重新開始。",
    ),
}

SENTENCES: dict[str, Sentences] = {
    "en": EN,
    "ko": KO,
    "ja": JA,
    "zh-Hans": ZH_HANS,
    "zh-Hant": ZH_HANT,
}


@lru_cache(maxsize=1000)
def negotiate(accept_language: str) -> str | None:
    """The language of ours that an Accept-Language header prefers; None when it names none.

    RFC 9110 section 12.5.4 by lookup: ``zh-Hant-HK`` falls back to ``zh-Hant``.
    """
    asked: list[tuple[float, str]] = []
    for part in accept_language.split(",")[:20]:
        tag, _, parameters = part.strip().partition(";")
        quality = _quality(parameters)
        if quality > 0:
            asked.append((quality, tag.strip().lower()))
    for _, tag in sorted(asked, key=lambda one: -one[0]):
        found = _lookup(tag)
        if found:
            return found
    return None


def _quality(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    if name.strip().lower() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0


def _lookup(tag: str) -> str | None:
    while tag:
        if tag in _ALIASES:
            return _ALIASES[tag]
        if tag in LANGUAGES:
            return tag
        tag = tag.rpartition("-")[0]
    return None


def sentences(code: str, status: int, language: str) -> tuple[str, str]:
    """Title and detail of a refusal; an empty detail where there is none that fits."""
    spoken = SENTENCES.get(language, EN)
    return spoken.get(code) or spoken.get(str(status)) or (code.replace("_", " "), "")
