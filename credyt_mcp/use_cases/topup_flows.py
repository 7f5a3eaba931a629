"""A top-up for an app that takes its first payments: the page, what to do with it, and the code
that starts such payments there."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from credyt_mcp.domain.assets import plain
from credyt_mcp.domain.money import from_units
from credyt_mcp.use_cases.context import Billing, Command, Number, PositiveAmount, Result
from credyt_mcp.use_cases.integrations import (
    FILES_MAX,
    IntegrationPlan,
    PlanIntegration,
    plan_integration,
)
from credyt_mcp.use_cases.top_ups import (
    Destination,
    StartTopUp,
    credited,
    found_top_up,
    start_top_up,
)

BUTTON = '<form action="/api/billing/top-up" method="post"><button>Top up</button></form>'

WRITE = (
    "Get each operation with plan_integration: the same files, events [], operation: its number."
)


class GenerateTopupFlow(Command):
    """Make a link where a customer pays to top up their wallet. Open or show `redirect_url`, then
    ask get_top_up until status is succeeded; the wallet is credited by then."""

    customer_id: Annotated[str, Field(description="customer id, or your external id")]
    amount: Annotated[PositiveAmount, Field(description="what the customer pays, such as 10")]
    currency: Annotated[str, Field(description="of the payment")] = "USD"
    asset: Annotated[
        str | None, Field(description="what is credited, such as credits; default the currency")
    ] = None
    description: str | None = Field(default=None, max_length=500)
    return_url: Annotated[
        str | None, Field(max_length=2000, description="where the page leads after paying")
    ] = None
    failure_url: Annotated[str | None, Field(max_length=2000)] = None
    files: Annotated[
        dict[str, str | None] | None,
        Field(max_length=FILES_MAX, description="as plan_integration's: plans its top-up code too"),
    ] = None


class TopupFlow(Result):
    top_up_id: str
    status: str
    redirect_url: str
    expires_at: datetime
    pays: Number
    currency: str
    credits: Number
    asset: str
    show: str
    wait: str
    code: IntegrationPlan | None = None
    write: str | None = None
    button: str | None = None


def generate_topup_flow(billing: Billing, command: GenerateTopupFlow) -> TopupFlow:
    """A payment page with what to do with it; raises as `start_top_up` does. With an app's files
    also the plan of the code that starts payments there: `plan_integration` with no events."""
    code: IntegrationPlan | None = None
    if command.files is not None:
        planned = plan_integration(billing, PlanIntegration(files=command.files, events=[]))
        assert isinstance(planned, IntegrationPlan)
        code = planned
    fields: dict[str, Any] = command.model_dump(exclude={"asset", "files"})
    if command.asset is not None:
        fields["destination"] = Destination(asset=command.asset)
    started = start_top_up(billing, StartTopUp.model_validate(fields))
    row, _ = found_top_up(billing, started.id)
    destination, units = credited(billing, row)
    return TopupFlow(
        top_up_id=started.id,
        status=started.status,
        redirect_url=started.redirect_url,
        expires_at=started.expires_at,
        pays=plain(command.amount),
        currency=row.currency,
        credits=from_units(units, destination),
        asset=destination.code,
        show="Send the customer to redirect_url as a link or an HTTP 303 redirect, not in a frame.",
        wait="Ask get_top_up (GET /top-ups/{id}) until status is succeeded; the wallet is credited "
        "by then. Do not trust the redirect alone.",
        code=code,
        write=WRITE if code is not None and code.operations else None,
        button=BUTTON if code is not None and code.operations else None,
    )
