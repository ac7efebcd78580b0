"""Where an array is wrong, as a small map of characters for a terminal."""

import numpy as np

ROWS, COLUMNS = 8, 60
MARKS = ((1e-6, "·"), (0.05, "░"), (0.25, "▒"), (0.6, "▓"), (np.inf, "█"))
LEGEND = "· right   ░ ▒ ▓ █ wrong, from a little to as much as the largest value"


def heat_text(got, expected):
    """A map of the error: the last axis runs across, the others down.

    got, expected : arrays of one shape

    Returns a list of lines, the last of which says what the marks mean.
    """
    size = max(np.abs(expected).max(), np.abs(got).max())
    error = np.atleast_1d(np.abs(got - expected) / size)
    leading = error.shape[:-1]
    flat = error.reshape(-1, error.shape[-1])
    labels = [", ".join(map(str, index)) for index in np.ndindex(leading)]
    width = max(map(len, labels))
    lines = [
        f"{label:>{width}}  {''.join(map(_mark, row[:COLUMNS]))}{' ...' * (len(row) > COLUMNS)}"
        for label, row in zip(labels[:ROWS], flat, strict=False)
    ]
    if len(flat) > ROWS:
        lines.append(f"... {len(flat) - ROWS} more rows")
    return [*lines, LEGEND]


def _mark(error):
    return next(mark for limit, mark in MARKS if error < limit)
