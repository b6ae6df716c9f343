"""Marketing: campaigns, the audience frozen into recipients, and what became of each."""

from marshmallow import ValidationError, fields, validate, validates_schema

from contracts.shapes import CHANNELS, LANGUAGES, Owned, Record, choice, country, moment, text
from crmkit.messages import Command, Event, Query, Reply, Versioned
from crmkit.pages import ListQuery, page_of

CAMPAIGN_STATUSES = (
    "draft",
    "snapshotting",
    "sending",
    "paused",
    "completing",
    "completed",
    "cancelled",
    "failed",
)
RECIPIENT_STATES = (
    "selected",
    "suppressed",
    "queued",
    "handed_off",
    "accepted",
    "delivered",
    "bounced",
    "failed",
    "expired",
    "unknown",
    "cancelled",
)


class AudienceFilter(Reply):
    """Who is meant; each given fact must hold, any of the values listed will do."""

    languages = fields.List(choice(LANGUAGES), validate=validate.Length(max=10))
    countries = fields.List(country(), validate=validate.Length(max=50))
    lifecycle_stages = fields.List(text(50), validate=validate.Length(max=20))
    tags = fields.List(text(50), validate=validate.Length(max=50))
    kinds = fields.List(choice(("person", "organisation")), validate=validate.Length(max=2))


class Content(Reply):
    """What is sent in one language. ``{{ name }}`` stands for the customer's name, nothing else."""

    language = choice(LANGUAGES, required=True)
    subject = text(200)
    email_body = text(50_000)
    sms_body = text(670)


class Counts(Reply):
    """Recipients by state; the numbers add up to ``audience``."""

    audience = fields.Integer(required=True)
    selected = fields.Integer(required=True)
    suppressed = fields.Integer(required=True)
    queued = fields.Integer(required=True)
    handed_off = fields.Integer(required=True)
    accepted = fields.Integer(required=True)
    delivered = fields.Integer(required=True)
    bounced = fields.Integer(required=True)
    failed = fields.Integer(required=True)
    expired = fields.Integer(required=True)
    unknown = fields.Integer(required=True)  # type: ignore[assignment]
    cancelled = fields.Integer(required=True)


class Campaign(Owned):
    """One piece of marketing to many."""

    name = fields.String(required=True)
    channels = fields.List(choice(CHANNELS), required=True)
    audience = fields.Nested(AudienceFilter, required=True)
    contents = fields.List(fields.Nested(Content), required=True)
    default_language = choice(LANGUAGES, required=True)
    status = choice(CAMPAIGN_STATUSES, required=True)
    counts = fields.Nested(Counts, required=True)
    progress = fields.Float(required=True)
    launched_at = moment(required=True, allow_none=True)
    completed_at = moment(required=True, allow_none=True)


class CampaignRow(Owned):
    """A campaign in a list."""

    name = fields.String(required=True)
    channels = fields.List(choice(CHANNELS), required=True)
    status = choice(CAMPAIGN_STATUSES, required=True)
    audience_size = fields.Integer(required=True)
    launched_at = moment(required=True, allow_none=True)
    completed_at = moment(required=True, allow_none=True)


class CreateCampaign(Command):
    """A draft of a campaign. Each channel needs its text in the default language."""

    reply = Campaign
    id = fields.UUID()
    name = text(200, required=True)
    channels = fields.List(choice(CHANNELS), required=True, validate=validate.Length(1, 2))
    audience = fields.Nested(AudienceFilter, required=True, unknown="raise")
    contents = fields.List(
        fields.Nested(Content, unknown="raise"), required=True, validate=validate.Length(1, 5)
    )
    default_language = choice(LANGUAGES, required=True)

    @validates_schema
    def _default_is_written(self, data: dict[str, object], **_: object) -> None:
        missing_in_default(data)


def missing_in_default(data: dict[str, object]) -> None:
    """ValidationError when a channel has no text in the default language."""
    contents = {c["language"]: c for c in data["contents"]}  # type: ignore[attr-defined]
    default = contents.get(data["default_language"], {})
    needed = {"email": ("subject", "email_body"), "sms": ("sms_body",)}
    for channel in data["channels"]:  # type: ignore[attr-defined]
        for name in needed[channel]:
            if not default.get(name):
                raise ValidationError(
                    f"The default language needs {name} for {channel}.", "contents"
                )


class GetCampaign(Query):
    """One campaign with its counts as of now."""

    reply = Campaign
    campaign_id = fields.UUID(required=True)


class ListCampaigns(ListQuery):
    """Campaigns."""

    reply = page_of(CampaignRow)
    filters = {"status": choice(CAMPAIGN_STATUSES), "created_at": fields.AwareDateTime()}


class UpdateCampaign(Versioned):
    """Change a draft: JSON Merge Patch, lists are replaced whole."""

    reply = Campaign
    campaign_id = fields.UUID(required=True)
    name = text(200)
    channels = fields.List(choice(CHANNELS), validate=validate.Length(1, 2))
    audience = fields.Nested(AudienceFilter, unknown="raise")
    contents = fields.List(
        fields.Nested(Content, unknown="raise"), validate=validate.Length(1, 5)
    )
    default_language = choice(LANGUAGES)


class _CampaignAction(Command):
    reply = Campaign
    campaign_id = fields.UUID(required=True)


class LaunchCampaign(_CampaignAction):
    """Freeze the audience and begin to send. Asking twice sends once."""


class PauseCampaign(_CampaignAction):
    """Hand over no further batch."""


class ResumeCampaign(_CampaignAction):
    """Go on where it was paused."""


class CancelCampaign(_CampaignAction):
    """Send nothing more; who was reached stays counted."""


class AudiencePreview(Reply):
    """How many would be reached, and why others would not."""

    matching = fields.Integer(required=True)
    reachable = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)
    excluded = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)


class PreviewAudience(Query):
    """Count the audience of a campaign without freezing it."""

    reply = AudiencePreview
    campaign_id = fields.UUID(required=True)


class Recipient(Record):
    """One customer on one channel of one campaign, in exactly one state."""

    campaign_id = fields.UUID(required=True)
    customer_id = fields.UUID(required=True)
    channel = choice(CHANNELS, required=True)
    language = fields.String(required=True)
    state = choice(RECIPIENT_STATES, required=True)
    reason = fields.String(required=True, allow_none=True)


class ListRecipients(ListQuery):
    """The recipients of campaigns."""

    reply = page_of(Recipient)
    filters = {
        "campaign_id": fields.UUID(),
        "customer_id": fields.UUID(),
        "state": choice(RECIPIENT_STATES),
        "channel": choice(CHANNELS),
    }


class CustomerCampaign(Reply):
    """A campaign a customer was part of."""

    id = fields.UUID(required=True)
    campaign_id = fields.UUID(required=True)
    name = fields.String(required=True)
    channel = choice(CHANNELS, required=True)
    state = choice(RECIPIENT_STATES, required=True)
    created_at = moment(required=True)


class ListCustomerCampaigns(ListQuery):
    """The campaigns one customer was part of."""

    reply = page_of(CustomerCampaign)
    filters = {"customer_id": fields.UUID()}


class _CampaignEvent(Event):
    aggregate = "campaign"
    happened = "changed"
    campaign_id = fields.UUID(required=True)
    name = fields.String(required=True)


class CampaignLaunched(_CampaignEvent):
    """A campaign began: its audience is being frozen."""

    happened = "launched"


class CampaignPaused(_CampaignEvent):
    """Somebody stopped it for now. The sender holds what it has not begun."""

    happened = "paused"


class CampaignResumed(_CampaignEvent):
    """It goes on."""

    happened = "resumed"


class CampaignCancelled(_CampaignEvent):
    """It will send nothing more."""

    happened = "cancelled"


class CampaignCompleted(_CampaignEvent):
    """Every recipient is in a final state."""

    happened = "completed"
    counts = fields.Nested(Counts, required=True)


class HandedOff(Reply):
    """One recipient as the sender needs it."""

    recipient_id = fields.UUID(required=True)
    customer_id = fields.UUID(required=True)
    address = fields.String(required=True)
    name = fields.String(required=True)
    language = fields.String(required=True)


class RecipientsHandedOff(Event):
    """A batch of at most 500 recipients of one channel goes to the sender, with the texts.

    It carries addresses, so it stays out of the feed.
    """

    aggregate = "batch"
    happened = "handed_off"
    personal = True
    feed = False
    batch_id = fields.UUID(required=True)
    campaign_id = fields.UUID(required=True)
    campaign_name = fields.String(required=True)
    channel = fields.String(required=True)
    default_language = fields.String(required=True)
    contents = fields.List(fields.Nested(Content), required=True)
    recipients = fields.List(fields.Nested(HandedOff), required=True)
