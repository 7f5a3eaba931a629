"""Holds, captures, expiry and usage in any order do what the reference model says, step by step."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.authorizations.real_wallet import House, house
from tests.authorizations.reference import CREDITS, PRICES, USD, Answer, Refused, Wallet

pytestmark = pytest.mark.slow

Request = tuple[Callable[[], Answer], Callable[[], Answer]]
"""The same thing asked of the model and of the real wallet."""


def major(units: int) -> Decimal:
    return Decimal(units) / 1000


def data(kind: str, count: int) -> dict[str, Any]:
    return {"tokens": count} if kind == "chat" else {}


def counted(kind: str, count: int) -> tuple[str, int]:
    """A kind of event, with a count where it has one."""
    return kind, count if kind == "chat" else 0


holds = st.sampled_from(["a1", "a2", "a3", "a4", "a5", "a6"])
pick = st.integers(0, 9)
"""Which of the holds there are; 9 is one that there is not."""
events = st.sampled_from([f"e{number}" for number in range(12)])
debits = st.sampled_from(["t1", "t2", "t3", "t4"])
assets = st.sampled_from([USD, USD, CREDITS])
happenings = st.builds(counted, st.sampled_from(list(PRICES)), st.sampled_from([0, 3, 9]))
amounts = st.sampled_from([1, 500, 1000, 2500, 4000, 20_000])
durations = st.sampled_from([900, 600, 60, 30])


class Holds(RuleBasedStateMachine):
    house: House

    @initialize(
        usd=st.sampled_from([5000, 0, 20_000]),
        gold=st.sampled_from([0, 12_000]),
        hard=st.booleans(),
    )
    def open(self, usd: int, gold: int, hard: bool) -> None:
        self.model, self.real = Wallet(), self.house.customer()
        self.done: list[Request] = []
        for asset, amount in ((USD, usd), (CREDITS, gold)):
            if amount:
                self.adjust(f"start-{asset}", asset, amount)
            self.change_the_limits(asset, 0, hard)

    @rule(name=holds, asset=assets, amount=amounts, lasts=durations)
    def authorize_an_amount(self, name: str, asset: str, amount: int, lasts: int) -> None:
        fields = {"id": name, "asset": asset, "amount": major(amount), "expires_in": lasts}
        self.ask(
            lambda: self.model.authorize(name, (asset, amount), lambda: {asset: amount}, lasts),
            lambda: self.real.authorize(**fields),
        )

    @rule(name=holds, happening=happenings, lasts=durations)
    def authorize_an_event(self, name: str, happening: tuple[str, int], lasts: int) -> None:
        kind, count = happening
        fields = {"id": name, "event_type": kind, "data": data(kind, count), "expires_in": lasts}
        request = (kind, data(kind, count))
        self.ask(
            lambda: self.model.authorize(
                name, request, lambda: self.model.estimate(kind, count), lasts
            ),
            lambda: self.real.authorize(**fields),
        )

    @precondition(lambda self: self.model.holds)
    @rule(
        which=pick,
        amount=st.one_of(st.just(0), amounts),
        lasts=durations,
        longer=st.booleans(),
        extension=st.sampled_from(["x1", "x2", None]),
    )
    def extend(
        self, which: int, amount: int, lasts: int, longer: bool, extension: str | None
    ) -> None:
        name = self.picked(which)
        until = lasts if longer or not amount else None
        own = None if extension is None else self.real.own(extension)
        fields = {"amount": major(amount) if amount else None, "expires_in": until}
        asked: Request = (
            lambda: self.model.extend(name, amount, until, own),
            lambda: self.real.extend(authorization_id=name, extension_id=extension, **fields),
        )
        self.ask(*asked, repeatable=extension is not None)

    @precondition(lambda self: self.model.holds)
    @rule(
        which=pick,
        amount=st.one_of(st.just(0), amounts),
        final=st.booleans(),
        debit=st.one_of(st.none(), debits),
    )
    def capture_an_amount(self, which: int, amount: int, final: bool, debit: str | None) -> None:
        name = self.picked(which)
        fields = {"amount": major(amount), "final": final, "transaction_id": debit}
        self.ask(
            lambda: self.model.capture_amount(name, amount, final, debit),
            lambda: self.real.capture(authorization_id=name, **fields),
        )

    @precondition(lambda self: self.model.holds)
    @rule(which=pick, event=events, happening=happenings, final=st.booleans())
    def capture_an_event(
        self, which: int, event: str, happening: tuple[str, int], final: bool
    ) -> None:
        kind, count = happening
        name = self.picked(which)
        happened = {"id": event, "event_type": kind, "data": data(kind, count)}

        def wanted() -> Answer:
            if name not in self.model.holds:
                raise Refused("not_found")
            return self.model.record(event, kind, count, name, final, enforce=False)

        self.ask(
            wanted, lambda: self.real.capture(authorization_id=name, event=happened, final=final)
        )

    @rule(
        event=events,
        happening=happenings,
        which=st.one_of(st.none(), pick),
        final=st.booleans(),
        enforce=st.booleans(),
    )
    def record_an_event(
        self, event: str, happening: tuple[str, int], which: int | None, final: bool, enforce: bool
    ) -> None:
        kind, count = happening
        name = None if which is None else self.picked(which)
        happened = {"id": event, "event_type": kind, "data": data(kind, count)}
        self.ask(
            lambda: self.model.record(event, kind, count, name, final, enforce),
            lambda: self.real.record(
                **happened, authorization_id=name, final=final, enforce=enforce
            ),
        )

    @precondition(lambda self: self.model.holds)
    @rule(which=pick)
    def release(self, which: int) -> None:
        name = self.picked(which)
        self.ask(lambda: self.model.release(name), lambda: self.real.release(name))

    @rule(name=debits, asset=assets, amount=amounts, sign=st.sampled_from([1, 1, -1]))
    def top_up_or_correct(self, name: str, asset: str, amount: int, sign: int) -> None:
        self.adjust(f"top-up-{name}", asset, sign * amount)

    @rule(
        asset=assets,
        overdraft=st.sampled_from([0, 0, 3000]),
        hard=st.sampled_from([False, False, True]),
    )
    def change_the_limits(self, asset: str, overdraft: int, hard: bool) -> None:
        account = self.model.accounts[asset]
        account.overdraft, account.hard = overdraft, hard
        answer = self.real.limit(asset, overdraft_limit=major(overdraft), hard_limit=hard)
        assert answer == ("done", {})

    @rule(seconds=st.sampled_from([1, 29, 30, 60, 30, 1, 900]))
    def time_passes(self, seconds: int) -> None:
        self.model.pass_time(seconds)
        self.house.clock.advance(timedelta(seconds=seconds))

    @rule()
    def what_time_did_is_written_down(self) -> None:
        self.house.sweep()
        assert self.house.sweep() == 0

    @precondition(lambda self: self.done)
    @rule(drawn=st.data())
    def ask_the_same_again(self, drawn: st.DataObject) -> None:
        """Whatever it was asked for, and whatever came since, it is not done a second time."""
        model, real = drawn.draw(st.sampled_from(self.done))
        before = self.everything()
        self.ask(model, real)
        assert self.everything() == before

    def picked(self, which: int) -> str:
        names = list(self.model.holds)
        return names[which % len(names)] if names and which < 9 else "none"

    def adjust(self, name: str, asset: str, amount: int) -> None:
        fields = {"transaction_id": name, "asset": asset, "amount": major(amount)}
        # An adjustment's answer does not tell a repeat from a first time.
        self.ask(
            lambda: self.model.adjust(name, asset, amount),
            lambda: self.real.adjust(**fields),
            says_repeated=False,
        )

    def ask(
        self,
        model: Callable[[], Answer],
        real: Callable[[], Answer],
        *,
        repeatable: bool = True,
        says_repeated: bool = True,
    ) -> None:
        def wanted() -> Answer:
            try:
                word, facts = model()
            except Refused as refused:
                return refused.answer
            return word if says_repeated else "done", facts

        expected = wanted()
        assert real() == expected
        if repeatable and expected[0] in ("done", "repeated"):
            self.done.append((wanted, real))

    @invariant()
    def every_account_and_every_hold_is_as_the_model_says(self) -> None:
        if hasattr(self, "model"):
            assert self.everything() == self.wanted()

    def everything(self) -> Any:
        return (
            {asset: self.real.account(asset) for asset in self.model.accounts},
            {name: self.real.hold(name) for name in self.model.holds},
        )

    def wanted(self) -> Any:
        return (
            {asset: (one.available, one.held) for asset, one in self.model.accounts.items()},
            {
                name: (
                    hold.status,
                    hold.expires,
                    [
                        (asset, leg.authorized, leg.held, leg.captured)
                        for asset, leg in hold.legs.items()
                    ],
                    hold.exceeded,
                    hold.late,
                )
                for name, hold in self.model.holds.items()
            },
        )

    def teardown(self) -> None:
        if hasattr(self, "real"):
            assert self.real.problems() == []


@pytest.fixture
def on_sqlite(sqlite_template: Path, tmp_path: Path) -> Iterator[House]:
    shutil.copy(sqlite_template, tmp_path / "credyt.db")
    with house(f"sqlite:///{tmp_path / 'credyt.db'}") as opened:
        yield opened


@pytest.fixture
def on_postgres(postgres_server: str) -> Iterator[House]:
    with psycopg.connect(postgres_server, autocommit=True) as admin:
        admin.execute("CREATE DATABASE holds TEMPLATE migrated")
    with house(postgres_server.replace("/postgres?", "/holds?")) as opened:
        yield opened


def play(opened: House, examples: int, steps: int) -> None:
    run_state_machine_as_test(
        type("HoldsHere", (Holds,), {"house": opened}),
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_any_order_of_requests_on_sqlite(on_sqlite: House) -> None:
    play(on_sqlite, examples=60, steps=30)


def test_any_order_of_requests_on_postgres(on_postgres: House) -> None:
    play(on_postgres, examples=15, steps=25)
