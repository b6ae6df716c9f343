"""Marketing: campaigns, the audience frozen into recipients, and what became of each."""

from marshmallow import fields, validate

from contracts.shapes import CHANNELS, LANGUAGES, Owned, choice, country, moment, text
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
    """Who is meant; each given fact must hold, any of the values listed will do.

    A fact that is left out does not matter. An empty list is refused: it could be read as nobody
    and as everybody.
    """

    languages = fields.List(choice(LANGUAGES), validate=validate.Length(1, 10))
    countries = fields.List(country(), validate=validate.Length(1, 50))
    lifecycle_stages = fields.List(text(50), validate=validate.Length(1, 20))
    tags = fields.List(text(50), validate=validate.Length(1, 50))
    kinds = fields.List(choice(("person", "organisation")), validate=validate.Length(1, 2))


class Content(Reply):
    """What is sent in one language. ``{{ name }}`` stands for the customer's name, nothing else.

    An e-mail needs subject and body. A language without the text of a channel falls back to the
    campaign's default language there.
    """

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


class GetCampaign(Query):
    """One campaign with its counts as of now."""

    reply = Campaign
    campaign_id = fields.UUID(required=True)


class ListCampaigns(ListQuery):
    """Campaigns."""

    reply = page_of(CampaignRow)
    filters = {"status": choice(CAMPAIGN_STATUSES), "created_at": moment()}


class UpdateCampaign(Versioned):
    """Change a draft: JSON Merge Patch, but audience and lists are replaced whole."""

    reply = Campaign
    campaign_id = fields.UUID(required=True)
    name = text(200)
    channels = fields.List(choice(CHANNELS), validate=validate.Length(1, 2))
    audience = fields.Nested(AudienceFilter, unknown="raise")
    contents = fields.List(fields.Nested(Content, unknown="raise"), validate=validate.Length(1, 5))
    default_language = choice(LANGUAGES)


class _CampaignAction(Command):
    reply = Campaign
    campaign_id = fields.UUID(required=True)


class LaunchCampaign(_CampaignAction):
    """Freeze the audience and begin to send. Asking twice sends once.

    The audience is never wider than what the asker may see.
    """


class PauseCampaign(_CampaignAction):
    """Hand over no further batch."""


class ResumeCampaign(_CampaignAction):
    """Go on where it was paused."""


class CancelCampaign(_CampaignAction):
    """Send nothing more; who was reached stays counted."""


class AudiencePreview(Reply):
    """How many would be reached by each channel, and why the other matching customers would not.

    ``{"matching": 10, "reachable": {"email": 7}, "excluded": {"email": {"no_consent": 3}}}``
    """

    matching = fields.Integer(required=True)
    reachable = fields.Dict(keys=choice(CHANNELS), values=fields.Integer(), required=True)
    excluded = fields.Dict(
        keys=choice(CHANNELS),
        values=fields.Dict(keys=fields.String(), values=fields.Integer()),
        required=True,
    )


class PreviewAudience(Query):
    """Count the audience of a campaign without freezing it."""

    reply = AudiencePreview
    campaign_id = fields.UUID(required=True)


class Recipient(Reply):
    """One customer on one channel of one campaign, in exactly one state."""

    id = fields.UUID(required=True)
    created_at = moment(required=True)
    updated_at = moment(required=True)
    campaign_id = fields.UUID(required=True)
    customer_id = fields.UUID(required=True)
    channel = choice(CHANNELS, required=True)
    language = fields.String(required=True)
    state = choice(RECIPIENT_STATES, required=True)
    reason = fields.String(required=True, allow_none=True)


class ListRecipients(ListQuery):
    """The recipients of campaigns, the last ones first. Their ids grow with time."""

    reply = page_of(Recipient)
    sorts = ("id",)
    default_sort = "-id"
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
    customer_id = fields.UUID(required=True)
    name = fields.String(required=True)
    channel = choice(CHANNELS, required=True)
    state = choice(RECIPIENT_STATES, required=True)
    created_at = moment(required=True)


class ListCustomerCampaigns(ListQuery):
    """The campaigns customers were part of, the last ones first. Their ids grow with time."""

    reply = page_of(CustomerCampaign)
    sorts = ("id",)
    default_sort = "-id"
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

    ``contents`` holds that channel's texts in the languages of these recipients and the default
    one. It carries addresses, so it stays out of the feed.
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
