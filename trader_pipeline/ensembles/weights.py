"""How much each member counts."""

from collections.abc import Iterable


def equal_weights(members: Iterable[str]) -> dict[str, float]:
    """Return the same weight for every member, summing to 1.

    Estimated weights must beat this first: their errors usually cost more than they gain (Clemen 1989; Smith & Wallis 2009).
    """
    names = sorted(set(members))
    return {name: 1 / len(names) for name in names}
