"""What one call gave and should have given, and how far apart two arrays are."""

from dataclasses import dataclass, field

import numpy as np

from .subject import Subject

AGREE = 1e-6  # largest relative difference from the numbers that an explanation gives


@dataclass
class Evidence:
    """What one call gave, and what it should have given.

    got, right : dict name -> array
    sizes : dict letter -> length
    letters : dict name -> tuple of the letters of its axes, where they are known
    subject : the textbook's `Subject` for this call; None where there is none
    known : dict name -> array: dout and the inputs, which may have got into a gradient
    tolerance : relative error up to which a gradient is right
    """

    got: dict
    right: dict
    sizes: dict = field(default_factory=dict)
    letters: dict = field(default_factory=dict)
    subject: Subject | None = None
    known: dict = field(default_factory=dict)
    tolerance: float = 1e-7

    def __post_init__(self):
        self.wrong = [
            name
            for name, right in self.right.items()
            if name in self.got and difference(self.got[name], right) > self.tolerance
        ]

    def fits(self, name, value):
        """Whether a value is the one that was found, and much nearer to it than the right one."""
        got = self.got[name]
        agreement = difference(got, value)
        return agreement < AGREE and agreement < difference(got, self.right[name]) / 10

    def leaves_right(self, values):
        """Whether values change something, and nothing that was found to be right."""
        changed = {
            name
            for name, value in values.items()
            if name in self.right and difference(value, self.right[name]) > self.tolerance
        }
        return bool(changed) and changed <= set(self.wrong)


def difference(a, b):
    """Largest difference of two arrays, divided by the largest value; infinite for other shapes."""
    if a.shape != b.shape:
        return np.inf
    size = max(np.abs(a).max(initial=0), np.abs(b).max(initial=0))
    if not np.isfinite(size):
        return np.inf
    return np.abs(a - b).max(initial=0) / size if size else 0.0
