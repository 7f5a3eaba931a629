"""What callers send and get about products: fields, commands and results. No rules of their own."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, WithJsonSchema

from credyt_mcp.domain.fields import not_bool
from credyt_mcp.domain.prices import Entitlement, Price
from credyt_mcp.storage.products import ID_PREFIX
from credyt_mcp.use_cases.context import Command, PageOf, Result, ShortText

PRICES_HELP = (
    "Usage price, here 10 credits per image: "
    '[{"name":"Image","type":"usage_based",'
    '"usage_calculation":{"event_type":"image_generated","usage_type":"unit"},'
    '"pricing":[{"asset":"credits","values":[{"unit_price":10}]}]}]. Per token: usage_type '
    '"volume", "volume_field":"tokens", values [{"volume_rate":1.25,"package_size":1000000}]. '
    'Monthly fee: {"name":"Plan","type":"fixed","billing_model":{"type":"recurring","recurring":'
    '{"interval":"month"}},"pricing":[{"asset":"USD","values":[{"unit_price":20}]}]}'
)
ENTITLEMENTS_HELP = (
    'credit granted on subscribing: [{"name":"Monthly","asset":"credits","amount":1000,'
    '"purpose":"bundled","lifecycle":{"duration":"month","refresh":{"strategy":'
    '"expire_and_replace"}}}]; purpose promotion for free credit; no refresh: granted once'
)
OBJECTS = {"type": "array", "items": {"type": "object"}}


def _not_an_id(code: str) -> str:
    if code.startswith(f"{ID_PREFIX}_"):
        raise ValueError(f"must not start with {ID_PREFIX}_, which marks product ids")
    if not code.strip() or not code.isprintable():
        raise ValueError("must be visible characters")
    return code


def _wire(item: Any):  # type: ignore[no-untyped-def]  # a return type would hide the OpenAPI shape
    return item.model_dump(exclude_none=True)


ProductCode = Annotated[
    str,
    Field(min_length=1, max_length=255, description="your own code for it, such as image_gen"),
    AfterValidator(_not_an_id),
]
ProductRef = Annotated[str, Field(description="id or code of the product")]
VersionRef = Annotated[
    Annotated[int, BeforeValidator(not_bool), Field(ge=1, lt=2**31)] | Literal["default"],
    WithJsonSchema({"type": ["integer", "string"]}),
    Field(description='a number, or "default"'),
]
ShownPrice = Annotated[Price, PlainSerializer(_wire)]
ShownPrices = list[ShownPrice]
ShownEntitlements = list[Annotated[Entitlement, PlainSerializer(_wire)]]
Status = Literal["draft", "published", "archived"]


class VersionFields(Command):
    prices: Annotated[list[Price], Field(max_length=100)]
    entitlements: Annotated[list[Entitlement], Field(max_length=100)] = Field(default_factory=list)
    publish: bool = False


class ProductFields(VersionFields):
    name: ShortText
    code: ProductCode


class CreateProduct(Command):
    """A product with its prices as version 1. Published by default if it has prices, and then
    customers can be subscribed to it; without prices it is a draft: add them with define_price,
    the simpler way. Fails if the code is taken."""

    name: Annotated[ShortText, Field(description="name people see")]
    code: ProductCode
    prices: Annotated[
        list[Price], WithJsonSchema(OBJECTS), Field(max_length=100, description=PRICES_HELP)
    ] = Field(default_factory=list)
    entitlements: Annotated[
        list[Entitlement],
        WithJsonSchema(OBJECTS),
        Field(max_length=100, description=ENTITLEMENTS_HELP),
    ] = Field(default_factory=list)
    publish: bool | None = None


class CreateProductVersion(Command):
    """The next version of a product, with all its prices given anew; a draft unless publish is
    true. Older versions and their subscribers stay as they are, and the default version too. To
    change one price, define_price is simpler."""

    product_id: ProductRef
    prices: Annotated[
        list[Price],
        WithJsonSchema(OBJECTS),
        Field(max_length=100, description="see create_product"),
    ]
    entitlements: Annotated[
        list[Entitlement],
        WithJsonSchema(OBJECTS),
        Field(max_length=100, description="see create_product; not carried over"),
    ] = Field(default_factory=list)
    publish: bool = False


class VersionCreated(Result):
    id: str
    code: str
    version: int
    status: Status
    is_default: bool


class ListProducts(PageOf):
    """List products, newest first."""

    code: Annotated[str | None, Field(description="only the one with this code")] = None


class ListedProduct(Result):
    id: str
    code: str
    name: str


class ProductPage(Result):
    items: list[ListedProduct]
    total_count: int
    limit: int
    offset: int


class GetProduct(Command):
    """A product with its versions, and the prices and entitlements of its default version (of its
    newest draft, if none is published)."""

    product_id: ProductRef


class VersionTerms(Result):
    version: int
    entitlements: ShownEntitlements
    prices: ShownPrices


class VersionListed(Result):
    version: int
    created_at: datetime
    status: Status


class ProductDetails(Result):
    id: str
    code: str
    name: str
    default_version: VersionTerms
    versions: list[VersionListed]


class GetVersion(Command):
    """One version of a product with its prices and entitlements."""

    product_id: ProductRef
    version: VersionRef


class VersionChanges(Command):
    publish: Annotated[bool, Field(description="true freezes it and opens it to subscribers")] = (
        False
    )
    make_default: Annotated[bool, Field(description="true gives it to new subscribers")] = False


class UpdateVersion(VersionChanges):
    """Publish a version, or make a published one the default."""

    product_id: ProductRef
    version: VersionRef


class ArchiveVersion(Command):
    """Close a version to new subscribers; those it has stay."""

    product_id: ProductRef
    version: VersionRef


class DeleteProduct(Command):
    """Delete a product that was never used, archive any other."""

    product_id: ProductRef


class VersionDetails(Result):
    id: str
    version: int
    code: str
    name: str
    prices: ShownPrices
    entitlements: ShownEntitlements
    status: Status
    is_default: bool
