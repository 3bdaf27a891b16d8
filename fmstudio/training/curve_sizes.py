"""How many training patients each fit of the learning curve sees. Free of torch."""

from __future__ import annotations

SHARES = (0.125, 0.25, 0.5)
ORDERS = 3  # in which patients are added; each subset holds the smaller ones of its order
FEWEST_IN_FIT = 12  # cases of a subset
