"""MCP tools of customers. create_wallet comes first: it is the plain way to have one."""

from __future__ import annotations

from credyt_mcp.entrypoints.mcp.tool import CREATE, READ, REPEATABLE, BillingTool
from credyt_mcp.use_cases import customers, provisioning

TOOLS = (
    BillingTool(provisioning.create_wallet, provisioning.CreateWallet, "Create wallet", REPEATABLE),
    BillingTool(customers.create_customer, customers.CreateCustomer, "Create customer", CREATE),
    BillingTool(customers.get_customer, customers.GetCustomer, "Get customer", READ),
    BillingTool(customers.list_customers, customers.ListCustomers, "List customers", READ),
)
