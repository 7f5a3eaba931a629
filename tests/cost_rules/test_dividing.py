"""Costs that move between customers: none is lost, none is doubled, whatever they are."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from credyt_mcp.domain.cost_rules import divide, settle

INTERNAL = 1
CUSTOMERS = st.integers(1, 6)
UNITS = st.integers(-(10**18), 10**18)
COSTS = st.lists(st.tuples(CUSTOMERS, st.sampled_from(["a", "b"]), UNITS), max_size=12)
USERS = st.dictionaries(CUSTOMERS, st.integers(0, 10**9), max_size=6)


@given(UNITS, st.dictionaries(CUSTOMERS, st.integers(1, 10**9), min_size=1))
def test_parts_add_up_and_none_is_a_whole_unit_off(units: int, weights: dict[int, int]) -> None:
    parts = divide(units, weights)
    assert sum(parts.values()) == units
    whole = sum(weights.values())
    for key, part in parts.items():
        assert abs(part - Fraction(units * weights[key], whole)) < 1


def test_what_is_left_over_goes_to_who_lost_most() -> None:
    assert divide(100, {1: 1, 2: 1, 3: 1}) == {1: 34, 2: 33, 3: 33}
    assert divide(10, {1: 1, 2: 6}) == {1: 1, 2: 9}
    assert divide(11, {1: 1, 2: 6}) == {1: 2, 2: 9}


@given(COSTS, USERS)
def test_each_kind_moves_and_its_sum_stays(
    costs: list[tuple[int, str, int]], users: dict[int, int]
) -> None:
    moved: Counter[str] = Counter()
    after: Counter[tuple[int, str]] = Counter()
    for customer, kind, units in costs:
        after[customer, kind] += units
    for movement in settle(costs, users, INTERNAL):
        moved[movement.kind] += movement.units
        after[movement.customer_id, movement.kind] += movement.units
    assert not any(moved.values())
    others = {user for user, uses in users.items() if uses and user != INTERNAL}
    bearing = {customer for (customer, _), units in after.items() if units}
    if others:
        assert bearing <= others
    elif not users.get(INTERNAL):
        assert bearing <= {customer for customer, _, _ in costs}


def test_own_work_carries_a_part_only_where_there_is_nobody_else() -> None:
    written = [(INTERNAL, "a", 90)]
    by = {
        one.customer_id: one.units for one in settle(written, {INTERNAL: 4, 2: 1, 3: 2}, INTERNAL)
    }
    assert by == {INTERNAL: -90, 2: 30, 3: 60}
    assert settle(written, {INTERNAL: 4}, INTERNAL) == []
    assert settle(written, {}, INTERNAL) == []
