"""MCP tools of products."""

from __future__ import annotations

from credyt_mcp.entrypoints.mcp.tool import CREATE, READ, REPEATABLE, BillingTool
from credyt_mcp.use_cases import flat_prices, price_definitions, products, simulations
from credyt_mcp.use_cases import product_fields as fields

TOOLS = (
    BillingTool(products.create_product, fields.CreateProduct, "Create product", CREATE),
    BillingTool(
        price_definitions.define_price, flat_prices.DefinePrice, "Define price", REPEATABLE
    ),
    BillingTool(products.list_products, fields.ListProducts, "List products", READ),
    BillingTool(products.get_product, fields.GetProduct, "Get product", READ),
    BillingTool(simulations.simulate_usage, simulations.SimulateUsage, "Simulate usage", READ),
    BillingTool(
        products.create_product_version,
        fields.CreateProductVersion,
        "Create product version",
        CREATE,
    ),
)
