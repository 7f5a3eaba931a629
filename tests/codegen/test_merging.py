"""The three-way merge of lines: both sides' changes, or no text at all."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from credyt_mcp.codegen.merging import merge

BASE = "".join(f"line {n}\n" for n in range(8))


def test_changes_apart_from_each_other_are_both_kept() -> None:
    mine = BASE.replace("line 1\n", "mine\n")
    new = BASE.replace("line 6\n", "new\nnewer\n")
    assert merge(BASE, mine, new) == mine.replace("line 6\n", "new\nnewer\n")


def test_changes_of_the_same_lines_are_not_merged() -> None:
    assert merge(BASE, BASE.replace("line 3", "mine"), BASE.replace("line 3", "new")) is None
    assert merge(BASE, BASE.replace("line 3", "mine"), BASE.replace("line 4", "new")) is None
    assert merge("", "mine\n", "new\n") is None


def test_the_same_change_on_both_sides_is_one_change() -> None:
    both = BASE.replace("line 3", "both")
    assert merge(BASE, both, both) == both


texts = st.lists(st.sampled_from(["a\n", "b\n", "c\n", "d\n"]), max_size=8).map("".join)


@given(base=texts, one=texts)
def test_a_change_of_one_side_alone_is_taken_whole(base: str, one: str) -> None:
    assert merge(base, one, base) == one
    assert merge(base, base, one) == one


@given(base=texts, mine=texts, new=texts)
def test_it_does_not_matter_which_side_is_which(base: str, mine: str, new: str) -> None:
    assert merge(base, mine, new) == merge(base, new, mine)
