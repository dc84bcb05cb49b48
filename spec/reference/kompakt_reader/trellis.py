"""Codes that follow the trellis: two quantisers take turns along the rows of a column."""

FLIPS = 0b00111100


def after(state, distance):
    """The state after a weight with so many levels between it and zero, or None for a pruned one."""
    parity = 0 if distance is None else (distance // 2 + 1) % 2
    return 2 * state & 7 | parity ^ (FLIPS >> state & 1)


def distance_of(code, negative):
    """How many levels lie between zero and that of a code."""
    return code - negative if code >= negative else negative - 1 - code


def is_followed(rows, negative):
    """Whether the columns of a matrix follow it; pruned weights are None."""
    states = [0] * max(map(len, rows), default=0)
    for row in rows:
        for column, code in enumerate(row):
            distance = None if code is None else distance_of(code, negative)
            if distance is not None and distance % 2 != 1 - (states[column] & 1):
                return False
            states[column] = after(states[column], distance)
    return True
