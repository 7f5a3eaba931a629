"""Bills and usage exports of vendors: imported once each, listed, and withdrawn."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import chain
from typing import Annotated, Any

from pydantic import Field
from sqlmodel import Session

from credyt_mcp import exact_json
from credyt_mcp.domain.bill_shapes import EXPECTED, is_cut_off, lines_of_csv, lines_of_json
from credyt_mcp.domain.vendor_bills import COST, BilledDay, BillLine
from credyt_mcp.errors import Conflict, InvalidRequest, NotFound, TooMany
from credyt_mcp.ids import text_key
from credyt_mcp.storage import vendor_bills
from credyt_mcp.storage.bill_tables import BilledDayRow, VendorBillRow
from credyt_mcp.use_cases import price_table
from credyt_mcp.use_cases.context import Billing, Command, Number, PageOf, Result, ShortText
from credyt_mcp.use_cases.llm_costs import vendors_named

BLANK = "\ufeff \t\r\n"
EPOCH = date(1970, 1, 1)
PLACES_MAX = 200_000
"""Days, models and classes in one bill."""
CUT_OFF = (
    "The last page says has_more: days may be missing. Fetch the next pages and import all of them."
)

Days = dict[tuple[str, str, int], BilledDay]
"""What a bill says by vendor (public id), kind and day."""


class BillFields(Command):
    vendor: Annotated[
        ShortText | None, Field(description="whose bill it is, where the document does not say")
    ] = None
    part: Annotated[
        str,
        Field(
            max_length=255,
            description="of a vendor's several bills for one day, such as one a project: which one",
        ),
    ] = ""
    name: Annotated[ShortText | None, Field(description="such as the name of the file")] = None


class ImportVendorBill(BillFields):
    """What a vendor billed, or counted as used. A day that was imported before is replaced."""

    document: Annotated[
        dict[str, Any] | list[Any] | str,
        Field(
            description="the JSON of OpenAI's costs or usage pages, or of Anthropic's cost or "
            "usage report, one page or a list of them; or the text of a CSV file"
        ),
    ]


class BillId(Command):
    bill_id: Annotated[str, Field(description="id of the imported bill")]


class GetVendorBill(BillId):
    """What an imported bill says, line by line."""


class DeleteVendorBill(BillId):
    """Withdraw an imported bill: what was imported before it for the same days counts again."""


class ListVendorBills(PageOf):
    """Imported bills, newest first, withdrawn ones too."""


class BilledAmount(Result):
    currency: str
    amount: Number


class BilledVendor(Result):
    """`kinds` are `cost` and kinds of `usage`; days without usage are covered, too."""

    vendor_id: str
    vendor_external_id: str | None = None
    kinds: list[str]
    first_day: date
    last_day: date
    amounts: list[BilledAmount]


class VendorBillSummary(Result):
    id: str
    name: str | None = None
    part: str | None = None
    created_at: datetime
    withdrawn_at: datetime | None = None
    vendors: list[BilledVendor]
    lines: int
    warnings: list[str]


class VendorBillImported(VendorBillSummary):
    """`duplicate`: the same had been imported, and nothing was changed."""

    duplicate: bool


class VendorBillLine(Result):
    vendor_id: str
    day: date
    kind: str
    model: str | None = None
    token_class: str | None = None
    tier: str | None = None
    currency: str
    amount: Number | None = None
    quantity: Number | None = None


class VendorBill(VendorBillSummary):
    items: list[VendorBillLine]


class VendorBillPage(Result):
    items: list[VendorBillSummary]
    total_count: int
    limit: int
    offset: int


def import_vendor_bill(billing: Billing, command: ImportVendorBill) -> VendorBillImported:
    """Raises InvalidRequest, naming what is wrong, for a document that is in no known shape."""
    given = command.document
    if isinstance(given, str):
        return import_text(billing, command, given.splitlines(keepends=True))
    return _import_json(billing, command, given)


def import_text(billing: Billing, command: BillFields, text: Iterable[str]) -> VendorBillImported:
    """The same of the lines of a file: a table is read one line at a time."""
    lines = iter(text)
    begin = next((line for line in lines if line.strip(BLANK)), "").lstrip(BLANK)
    if not begin.startswith(("{", "[")):
        table = lines_of_csv(chain([begin], lines), command.vendor)
        return _keep(billing, command, table, [])
    whole = [begin, *lines]
    try:
        try:
            pages = exact_json.loads("".join(whole))
        except ValueError:  # a page a line
            pages = [exact_json.loads(line) for line in whole if line.strip()]
    except (ValueError, RecursionError):
        raise InvalidRequest("document", EXPECTED) from None
    return _import_json(billing, command, pages)


def _import_json(billing: Billing, command: BillFields, pages: Any) -> VendorBillImported:
    warnings = [CUT_OFF] if is_cut_off(pages) else []
    return _keep(billing, command, lines_of_json(pages, command.vendor), warnings)


def list_vendor_bills(billing: Billing, command: ListVendorBills) -> VendorBillPage:
    with billing.database.read() as session:
        rows, total = vendor_bills.page(session, billing.tenant.id, command.offset, command.limit)
        items = [VendorBillSummary(**_shown(row)) for row in rows]
    return VendorBillPage(
        items=items, total_count=total, limit=command.limit, offset=command.offset
    )


def get_vendor_bill(billing: Billing, command: GetVendorBill) -> VendorBill:
    with billing.database.read() as session:
        row = _known(session, billing, command.bill_id)
        items = [line for day in vendor_bills.days_of(session, row) for line in _lines(day)]
        return VendorBill(**_shown(row), items=items)


def delete_vendor_bill(billing: Billing, command: DeleteVendorBill) -> None:
    """It stays listed. Raises NotFound."""
    with billing.database.write() as session:
        row = _known(session, billing, command.bill_id)
        if row.withdrawn_at is None:
            row.withdrawn_at = billing.now()
            session.add(row)


def _keep(
    billing: Billing, command: BillFields, lines: Iterator[BillLine], warnings: list[str]
) -> VendorBillImported:
    """Sum up the lines, in memory of the days and models there are, and store them unless the same
    is there. Raises InvalidRequest, TooMany."""
    days = _summed(lines, _vendor_namer(billing, command.vendor))
    if not days:
        raise InvalidRequest("document", f"has no lines; {EXPECTED}")
    rows = [_stored(*place, command.part, day) for place, day in sorted(days.items())]
    digest = text_key(exact_json.dumps(rows).decode())
    summary = _summary(billing, command, days, warnings)
    with billing.database.write() as session:
        row = vendor_bills.same(session, billing.tenant.id, digest)
        if row is not None:
            return VendorBillImported(**_shown(row), duplicate=True)
        now = billing.now()
        row = vendor_bills.save(session, billing.tenant.id, digest, summary, rows, now)
        if row is None:
            raise Conflict("the same bill is being imported by somebody else", hint="Try again.")
    return VendorBillImported(**_shown(row), duplicate=False)


def _vendor_namer(billing: Billing, default: str | None) -> Callable[[str], tuple[str, str]]:
    """Public id of a vendor as bills name it, and what prices call it; made on first use."""
    found: dict[str, tuple[str, str]] = {}

    def vendor(said: str) -> tuple[str, str]:
        if said not in found:
            known = billing.vendors.read(billing.tenant.id, {said})
            name = said if known else price_table.canonical(said)
            if not known and name.startswith("vnd_"):
                raise InvalidRequest("vendor", f"there is no vendor '{said}'")
            public_id, external_id = vendors_named(billing, {name})[name]
            found[said] = public_id, external_id or name
        return found[said]

    if default is not None:
        vendor(default)
    return vendor


def _summed(lines: Iterator[BillLine], vendor: Callable[[str], tuple[str, str]]) -> Days:
    days: Days = {}
    places = 0
    for line in lines:
        public_id, provider = vendor(line.vendor)
        day = days.setdefault((public_id, line.kind, line.day), BilledDay())
        before = len(day.sums)
        day.add(line, price_table.model_name(provider, line.model) if line.model else "")
        places += len(day.sums) - before
        if places > PLACES_MAX:
            raise TooMany(
                "document",
                f"there are more than {PLACES_MAX} days, models and classes",
                hint="Import it in parts, such as a month at a time.",
            )
    return days


def _stored(vendor: str, kind: str, day: int, part: str, billed: BilledDay) -> dict[str, Any]:
    lines = [
        [*place, found.amount if kind == COST else None, found.quantity, found.lines]
        for place, found in sorted(billed.sums.items())
    ]
    return {
        "vendor": vendor,
        "kind": kind,
        "day": day,
        "part": part,
        "lines": lines,
        "decimals": billed.decimals,
    }


def _summary(
    billing: Billing, command: BillFields, days: Days, warnings: list[str]
) -> dict[str, Any]:
    vendors: list[BilledVendor] = []
    for vendor in sorted({vendor for vendor, _, _ in days}):
        own = {place: day for place, day in days.items() if place[0] == vendor}
        amounts: dict[str, Decimal] = {}
        for (_, kind, _), day in own.items():
            for place, found in day.sums.items():
                if kind == COST:
                    amounts[place.currency] = amounts.get(place.currency, Decimal(0)) + found.amount
        vendors.append(
            BilledVendor(
                vendor_id=vendor,
                vendor_external_id=billing.vendors.read(billing.tenant.id, {vendor})[vendor][1],
                kinds=sorted({kind for _, kind, _ in own}),
                first_day=EPOCH + timedelta(days=min(day for _, _, day in own)),
                last_day=EPOCH + timedelta(days=max(day for _, _, day in own)),
                amounts=[
                    BilledAmount(currency=code, amount=amount)
                    for code, amount in sorted(amounts.items())
                ],
            )
        )
    return {
        "name": command.name,
        "part": command.part or None,
        "vendors": [vendor.model_dump(mode="json") for vendor in vendors],
        "lines": sum(found.lines for day in days.values() for found in day.sums.values()),
        "warnings": warnings,
    }


def _known(session: Session, billing: Billing, public_id: str) -> VendorBillRow:
    row = vendor_bills.find(session, billing.tenant.id, public_id)
    if row is None:
        raise NotFound(f"there is no bill '{public_id}'", hint="GET /vendor-bills lists them.")
    return row


def _shown(row: VendorBillRow) -> dict[str, Any]:
    return {
        "id": row.public_id,
        "created_at": row.created_at,
        "withdrawn_at": row.withdrawn_at,
        **row.summary,
    }


def _lines(day: BilledDayRow) -> Iterator[VendorBillLine]:
    for model, token_class, tier, code, amount, quantity, _ in day.lines:
        yield VendorBillLine(
            vendor_id=day.vendor,
            day=EPOCH + timedelta(days=day.day),
            kind=day.kind,
            model=model or None,
            token_class=token_class or None,
            tier=tier or None,
            currency=code,
            amount=amount,
            quantity=quantity,
        )
