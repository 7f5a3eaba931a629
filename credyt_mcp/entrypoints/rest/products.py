"""REST routes of products and their versions. Translation only.

The fixed words under a product come before `{version}`, which would match them too.
"""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from pydantic import TypeAdapter, ValidationError

from credyt_mcp.entrypoints.rest.auth import Caller
from credyt_mcp.entrypoints.rest.replies import ExactRoute, reply
from credyt_mcp.errors import NotFound
from credyt_mcp.use_cases import product_fields as fields
from credyt_mcp.use_cases import product_versions, products, simulations, subscribers
from credyt_mcp.use_cases.context import PageOf

router = APIRouter(prefix="/products", tags=["products"], route_class=ExactRoute)

_version_ref: TypeAdapter[int | Literal["default"]] = TypeAdapter(fields.VersionRef)


@router.post("", status_code=201, response_model=fields.VersionCreated)
async def create_product(caller: Caller, body: fields.ProductFields) -> Response:
    """A product with its prices as version 1: a draft, unless `publish` is true."""
    return await reply(caller, products.create_product, fields.CreateProduct(**dict(body)), 201)


@router.get("", response_model=fields.ProductPage)
async def list_products(caller: Caller, page: Annotated[fields.ListProducts, Query()]) -> Response:
    return await reply(caller, products.list_products, page)


@router.get("/{product_id}", response_model=fields.ProductDetails)
async def get_product(caller: Caller, product_id: str) -> Response:
    return await reply(caller, products.get_product, fields.GetProduct(product_id=product_id))


@router.post("/{product_id}", status_code=201, response_model=fields.VersionCreated)
async def create_product_version(
    caller: Caller, product_id: str, body: fields.VersionFields
) -> Response:
    """The next version, with all prices given anew: a draft, unless `publish` is true. Older
    versions and their subscribers stay as they are, and the default version too."""
    command = fields.CreateProductVersion(product_id=product_id, **dict(body))
    return await reply(caller, products.create_product_version, command, 201)


@router.delete("/{product_id}", status_code=204)
async def delete_product(caller: Caller, product_id: str) -> Response:
    command = fields.DeleteProduct(product_id=product_id)
    return await reply(caller, product_versions.delete_product, command, 204)


@router.get("/{product_id}/subscribers", response_model=subscribers.SubscriberPage)
async def list_subscribers(
    caller: Caller, product_id: str, page: Annotated[PageOf, Query()]
) -> Response:
    command = subscribers.ListSubscribers(product_id=product_id, **dict(page))
    return await reply(caller, subscribers.list_subscribers, command)


@router.get("/{product_id}/{version}", response_model=fields.VersionDetails)
async def get_version(caller: Caller, product_id: str, version: str) -> Response:
    command = fields.GetVersion(product_id=product_id, version=_version(version))
    return await reply(caller, product_versions.get_version, command)


@router.patch("/{product_id}/{version}", status_code=204)
async def update_version(
    caller: Caller, product_id: str, version: str, body: fields.VersionChanges
) -> Response:
    command = fields.UpdateVersion(product_id=product_id, version=_version(version), **dict(body))
    return await reply(caller, product_versions.update_version, command, 204)


@router.delete("/{product_id}/{version}", status_code=204)
async def archive_version(caller: Caller, product_id: str, version: str) -> Response:
    command = fields.ArchiveVersion(product_id=product_id, version=_version(version))
    return await reply(caller, product_versions.archive_version, command, 204)


@router.post("/{product_id}/{version}/simulate-usage", response_model=simulations.Simulation)
async def simulate_usage(
    caller: Caller, product_id: str, version: str, body: simulations.SimulationFields
) -> Response:
    command = simulations.SimulateUsage(
        product_id=product_id, version=_version(version), **dict(body)
    )
    return await reply(caller, simulations.simulate_usage, command)


def _version(segment: str) -> int | Literal["default"]:
    try:
        return _version_ref.validate_python(segment)
    except ValidationError:
        raise NotFound(
            f"there is no version '{segment}'", hint='A version is a number or "default".'
        ) from None
