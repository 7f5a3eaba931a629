"""The tenant's rules for costs, kept as a whole."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

from sqlmodel import Session

from credyt_mcp.domain.cost_rules import DEFAULT, CostRules
from credyt_mcp.storage.cost_rule_tables import CostRulesRow


def get(session: Session, tenant_id: int) -> CostRules:
    row = session.get(CostRulesRow, tenant_id)
    return DEFAULT if row is None else CostRules(**row.rules)


def put(session: Session, tenant_id: int, rules: CostRules, now: datetime) -> None:
    session.merge(CostRulesRow(tenant_id=tenant_id, rules=asdict(rules), updated_at=now))
