"""REST routes of alerts. Translation only."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from credyt_mcp.entrypoints.rest.auth import Caller
from credyt_mcp.entrypoints.rest.replies import ExactRoute, reply
from credyt_mcp.use_cases import alerts

router = APIRouter(prefix="/alerts", tags=["analytics"], route_class=ExactRoute)


@router.post("", status_code=201, response_model=alerts.Alert)
async def create_alert(caller: Caller, body: alerts.CreateAlert) -> Response:
    return await reply(caller, alerts.create_alert, body, 201)


@router.get("", response_model=alerts.AlertPage)
async def list_alerts(caller: Caller, page: Annotated[alerts.ListAlerts, Query()]) -> Response:
    return await reply(caller, alerts.list_alerts, page)


@router.patch("/{alert_id}", response_model=alerts.Alert)
async def update_alert(caller: Caller, alert_id: str, body: alerts.AlertFields) -> Response:
    command = alerts.UpdateAlert(alert_id=alert_id, **dict(body))
    return await reply(caller, alerts.update_alert, command)


@router.delete("/{alert_id}", status_code=204)
async def delete_alert(caller: Caller, alert_id: str) -> Response:
    return await reply(caller, alerts.delete_alert, alerts.DeleteAlert(alert_id=alert_id), 204)
