"""A call of a textbook function: what it gives, and what it would give with mistakes in it."""

import functools
from importlib import import_module
from importlib.util import find_spec
from types import SimpleNamespace

import numpy as np

from .. import ops, vit
from .inputs import WrongInput, with_input, wrong_inputs
from .mistake import Before, with_mistakes
from .slips import Slip, both_slips, slips

FAILS = (  # what a changed formula may raise
    *(ValueError, TypeError, LookupError, AttributeError, ArithmeticError),
    *(NameError, RuntimeError, RuntimeWarning),
)


def textbook_pair(stem):
    """The textbook's forward and backward of a stem; None where there is no such pair."""
    module = vit if stem == "vit" else ops
    forward = getattr(module, f"{stem}_forward", None)
    return (forward, getattr(module, f"{stem}_backward")) if forward else None


def library(stem, side):
    """What is known of a stem's function: a tuple of `Mistake`, and a tuple of other ways.

    stem : "layernorm"
    side : "FORWARD", "BACKWARD", or "FUNCTION" where there is only one
    """
    return {
        name: getattr(import_module(f".{name}.{stem}", __package__), side, ())
        if find_spec(f"{__package__}.{name}.{stem}")
        else ()
        for name in ("mistakes", "ways")
    }


class Subject:
    """A textbook function and the arguments of one call of it.

    function : of the textbook
    arguments : function that gives args and kwargs of the call, fresh each time
    named : function of what it returns that gives a dict name -> array
    mistakes : tuple of `Mistake` that may have been made in it
    ways : tuple of functions that are other ways to write the same
    given : dict of further arguments that a mistake may have used (the forward's)
    before : tuple of `Before`: mistakes in the forward
    after : function of such a mistake that gives args and kwargs as that forward leaves them
    """

    def __init__(
        self, function, arguments, named, mistakes=(), ways=(), given=None, before=(), after=None
    ):
        self.function, self.arguments, self.named = function, arguments, named
        self.mistakes, self.ways, self.given = mistakes, ways, given or {}
        self.before, self.after = before, after
        self._kept = {}

    @property
    def slips(self):
        """Slips of the pen, in this function and in other ways to write it: a tuple of `Slip`."""
        return tuple(slip for way in (self.function, *self.ways) for slip in slips(way))

    @property
    def plain_slips(self):
        """Slips in this function that put no variable in another's place."""
        return tuple(slip for slip in slips(self.function) if slip.kind != "wrong_variable")

    @functools.cached_property
    def wrong_inputs(self):
        """Changes of what this function is given: a list of `WrongInput`."""
        return wrong_inputs(self.function, *self.arguments())

    def values(self, *mistakes):
        """What the function returns with mistakes made in it: dict name -> array.

        It is empty where these mistakes cannot be made together, or lead to an error; what is not
        finite is left out.
        """
        if mistakes not in self._kept:
            self._kept[mistakes] = self._run(mistakes)
        return self._kept[mistakes]

    def _broken(self, mistakes):
        changes = tuple(one for one in mistakes if not isinstance(one, (WrongInput, Before)))
        if all(isinstance(one, Slip) for one in changes) and changes:
            return changes[0].function if len(changes) == 1 else both_slips(*changes)
        if any(isinstance(one, Slip) for one in changes):
            return None
        return with_mistakes(self.function, changes) if changes else self.function

    def _run(self, mistakes):
        function = self._broken(mistakes)
        if function is None:
            return {}
        if function is not self.function:
            function.__globals__["given"] = SimpleNamespace(**self.given)
        args, kwargs = self.arguments()
        try:
            with np.errstate(all="ignore"):
                for mistake in mistakes:
                    if isinstance(mistake, WrongInput):
                        args, kwargs = with_input(args, kwargs, mistake)
                    elif isinstance(mistake, Before):
                        args, kwargs = self.after(mistake.mistake)
                returned = self.named(function(*args, **kwargs))
                values = {
                    name: np.asarray(value, np.float64)
                    for name, value in returned.items()
                    if value is not None
                }
                return {name: one for name, one in values.items() if np.isfinite(one).all()}
        except FAILS:
            return {}


def named_values(returned, names):
    """Give what a function returned its names; a dict brings its own.

    returned : an array, a tuple or list of arrays, dicts and None
    names : list of as many names

    Returns dict name -> array or None.
    """
    returned = returned if isinstance(returned, (tuple, list)) else [returned]
    values = {}
    for name, value in zip(names, returned, strict=True):
        values |= value if isinstance(value, dict) else {name: value}
    return values
