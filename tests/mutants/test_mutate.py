"""What is a mutant, and what is none."""

from __future__ import annotations

from tests.mutants.__main__ import EQUIVALENT, REPOSITORY, TARGETS
from tests.mutants.mutate import mutants_of

SOURCE = '''"""A module with 3 words."""
__all__ = ["f"]
LIMIT = 30


def f(x: int = 2) -> bool:
    """Return 1."""
    if x < LIMIT and not x:
        raise ValueError(f"{x + 1}")
    return pc.less(x, 5) or x + 0.5
'''

KERNEL = "LIMIT = 30\n\n\n@njit\ndef f(x):\n    return x + 1\n\n\nclass Limits:\n    most = 0.3\n"


def test_constants_comparisons_and_conditions_are_changed_one_at_a_time() -> None:
    mutants = mutants_of(SOURCE)

    assert [
        "3: 30 -> 31",
        "6: 2 -> 3",
        "8: not x -> x",
        "8: x < LIMIT -> x <= LIMIT",
        "8: x < LIMIT and (not x) -> x < LIMIT or not x",
        "10: 0.5 -> 0.505",
        "10: 5 -> 6",
        "10: pc.less(x, 5) -> pc.less_equal(x, 5)",
        "10: pc.less(x, 5) or x + 0.5 -> pc.less(x, 5) and x + 0.5",
        "10: x + 0.5 -> x - 0.5",
    ] == [mutant.words for mutant in mutants]
    assert "LIMIT = 31" in mutants[0].source
    assert "LIMIT = 30" in mutants[1].source


def test_kernels_and_their_constants_are_left_alone() -> None:
    assert ["10: 0.3 -> 0.303"] == [mutant.words for mutant in mutants_of(KERNEL)]


def test_targets_and_their_tests_exist() -> None:
    paths = [path for target, tests in TARGETS.items() for path in (target, *tests)]

    assert [] == [path for path in paths if not (REPOSITORY / path).is_file()]
    known = EQUIVALENT.read_text("utf-8").splitlines()
    assert [] == [line for line in known if line.partition(":")[0] not in TARGETS]
    assert [] == [line for line in known if "  # " not in line]
