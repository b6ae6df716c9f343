"""The endpoints of marketing."""

from contracts import marketing as contract
from gateway.routes import Route

_READ, _WRITE, _LAUNCH = "campaigns.read", "campaigns.write", "campaigns.launch"
_ONE = "/v1/campaigns/{campaign_id}"

ROUTES = [
    Route(
        "POST",
        "/v1/campaigns",
        contract.CreateCampaign,
        _WRITE,
        "Draft a campaign.",
        status=201,
    ),
    Route("GET", "/v1/campaigns", contract.ListCampaigns, _READ, "List campaigns."),
    Route("GET", _ONE, contract.GetCampaign, _READ, "Read one campaign with its counts."),
    Route("PATCH", _ONE, contract.UpdateCampaign, _WRITE, "Change a draft."),
    Route(
        "GET",
        f"{_ONE}/audience",
        contract.PreviewAudience,
        _READ,
        "Count who would be reached, and why others would not.",
    ),
    Route(
        "POST",
        f"{_ONE}/actions/launch",
        contract.LaunchCampaign,
        _LAUNCH,
        "Freeze the audience and begin to send.",
        audited="campaign.launch_asked",
    ),
    Route(
        "POST",
        f"{_ONE}/actions/pause",
        contract.PauseCampaign,
        _WRITE,
        "Stop sending for now.",
    ),
    Route("POST", f"{_ONE}/actions/resume", contract.ResumeCampaign, _LAUNCH, "Go on sending."),
    Route("POST", f"{_ONE}/actions/cancel", contract.CancelCampaign, _WRITE, "End a campaign."),
    Route(
        "GET",
        "/v1/recipients",
        contract.ListRecipients,
        _READ,
        "List who campaigns went to and what became of it.",
    ),
    Route(
        "GET",
        "/v1/customer-campaigns",
        contract.ListCustomerCampaigns,
        _READ,
        "List the campaigns that customers were part of.",
    ),
]
