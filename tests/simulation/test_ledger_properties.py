"""After any sequence of commands the ledger's promises hold: the pure domain, no database."""

from __future__ import annotations

from collections import Counter, defaultdict

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from credyt_mcp.domain.book import Event
from credyt_mcp.domain.ledger import Account
from tests.simulation.pure_books import Command, Keeper, commands

EXAMPLES, STEPS = 80, 40


class Ledger(RuleBasedStateMachine):
    """Each rule is something that may happen next; each invariant holds after each of them."""

    @initialize()
    def open(self) -> None:
        self.keeper = Keeper()
        self.accepted: list[Command] = []

    @rule(command=commands)
    def command_goes_through_whole_or_leaves_no_trace(self, command: Command) -> None:
        before = self.keeper.snapshot()
        if self.keeper.run(command) is None:
            self.accepted.append(command)
        else:
            assert self.keeper.snapshot() == before

    @rule(several=st.lists(commands, min_size=2, max_size=5))
    def a_batch_leaves_what_its_accepted_commands_leave(self, several: list[Command]) -> None:
        for command in several:
            self.command_goes_through_whole_or_leaves_no_trace(command)

    @rule(command=commands)
    def what_is_undone_leaves_no_trace_even_if_it_was_accepted(self, command: Command) -> None:
        before = self.keeper.snapshot()
        if self.keeper.run(command) is None:
            self.keeper.book.undo()
        assert self.keeper.snapshot() == before

    @rule(days=st.integers(1, 9))
    def time_passes(self, days: int) -> None:
        self.keeper.let_pass(days)

    @rule()
    def being_up_to_date_already_changes_nothing(self) -> None:
        self.keeper.bring_up_to_date()
        now, before = self.keeper.book.now, self.keeper.snapshot()
        for account in self._wallet_accounts():
            assert not any(grant.expired(now) for grant in account.grants)
        self.keeper.bring_up_to_date()
        assert self.keeper.snapshot() == before

    @precondition(lambda self: self.accepted)
    @rule(data=st.data())
    def a_replay_changes_nothing(self, data: st.DataObject) -> None:
        before = self.keeper.snapshot()
        assert self.keeper.run(data.draw(st.sampled_from(self.accepted))) is None
        assert self.keeper.snapshot() == before

    @invariant()
    def every_transaction_balances_in_every_asset(self) -> None:
        for record in self.keeper.book.records:
            sums: Counter[str] = Counter()
            for entry in record.entries:
                sums[entry.account.asset.code] += entry.amount
            assert not any(sums.values())

    @invariant()
    def each_balance_follows_from_the_one_before(self) -> None:
        balances: dict[Account, int] = defaultdict(int)
        for record in self.keeper.book.records:
            for account, amount, after in record.entries:
                balances[account] += amount
                assert after == (balances[account] if account.kind == "wallet" else None)
        for account in self._wallet_accounts():
            assert account.balance == balances[account]

    @invariant()
    def live_grants_are_the_positive_part_of_the_balance(self) -> None:
        for account in self._wallet_accounts():
            live = [grant for grant in account.grants if grant.booked]
            assert sum(grant.remaining for grant in live) == max(account.balance, 0)
            assert all(0 < grant.remaining <= grant.amount for grant in account.grants)

    @invariant()
    def an_event_is_debited_exactly_its_fees(self) -> None:
        for record in self.keeper.book.records:
            if isinstance(record, Event):
                owed: Counter[str] = Counter()
                for _, asset, amount, *_ in record.fees or []:
                    owed[asset] += amount
                for entry in record.entries:
                    if entry.account.kind == "wallet":
                        owed[entry.account.asset.code] += entry.amount
                assert not any(owed.values())

    @invariant()
    def each_id_is_in_the_books_once(self) -> None:
        records = [(type(record), record.key) for record in self.keeper.book.records]
        assert len(records) == len(set(records))

    def _wallet_accounts(self) -> list[Account]:
        customers = self.keeper.book.customers.values()
        return [account for customer in customers for account in customer.accounts.values()]


def test_the_promises_of_the_ledger_hold_after_any_sequence_of_commands() -> None:
    run_state_machine_as_test(
        Ledger,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            derandomize=True,
            phases=[Phase.generate],  # add Phase.shrink to make a failure short: it takes minutes
            suppress_health_check=list(HealthCheck),
        ),
    )
