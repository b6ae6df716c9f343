"""What follows from what about customers: values in, values out."""

REPEAT_AT_ORDERS, LOYAL_AT_ORDERS = 2, 5

AFTER_OPPORTUNITY = {"suspect": "prospect", "lost": "win_back", "dormant": "win_back"}
"""A chance to sell makes a suspect a prospect, and takes up who was lost or silent again."""

_COMING_BACK = frozenset({"dormant", "lost", "win_back", "abandoned"})


def stage_after_opportunity(stage: str) -> str:
    """The life-cycle stage once there is a chance to sell to the customer."""
    return AFTER_OPPORTUNITY.get(stage, stage)


def stage_after_order(stage: str, orders: int) -> str:
    """The life-cycle stage once the customer has placed ``orders`` orders, the newest included.

    Who comes back after having been lost is ``recovered`` with that order, then ``repeat`` again.
    """
    if orders >= LOYAL_AT_ORDERS:
        return "loyal"
    if stage in _COMING_BACK and orders > 1:
        return "recovered"
    return "repeat" if orders >= REPEAT_AT_ORDERS else "first_buyer"


def open_channels(consents: list[dict[str, object]]) -> list[str]:
    """Channels on which the customer agreed to marketing, sorted."""
    return sorted(
        str(consent["channel"])
        for consent in consents
        if consent["granted"] and consent["purpose"] == "marketing"
    )


def mobile(points: list[dict[str, object]]) -> str | None:
    """The first phone that a text message reaches, the primary one if it does; None if none."""
    textable = [point for point in points if point["kind"] == "phone" and point.get("textable")]
    first = sorted(textable, key=lambda point: not point["primary"])[:1]
    return str(first[0]["value"]) if first else None


def unsubscribe_proof(message_id: object, campaign_id: object | None) -> str:
    """By which message a customer withdrew."""
    proof = f"Link in message {message_id}"
    return f"{proof} of campaign {campaign_id}." if campaign_id else f"{proof}."


def with_consent(
    consents: list[dict[str, object]], entry: dict[str, object]
) -> list[dict[str, object]]:
    """The consents in force after one more entry: the newest per channel and purpose counts."""
    same = {"channel", "purpose"}
    others = [c for c in consents if any(c[name] != entry[name] for name in same)]
    return [*others, entry]
