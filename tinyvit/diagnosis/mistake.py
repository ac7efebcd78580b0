"""A mistake that is often made, as a change of the textbook's source, and the code with it made."""

import functools
import inspect
import sys
from typing import NamedTuple


class Mistake(NamedTuple):
    """In the textbook's code, `right` becomes `wrong`.

    kind : short stable name: "missing_term", "sign" ...
    right : text that occurs exactly once in the function's code
    wrong : what stands there instead
    message : what is wrong and why, for a student
    """

    kind: str
    right: str
    wrong: str
    message: str


class Before(NamedTuple):
    """A mistake in the forward, seen in what its backward gives.

    kind, message : for a student
    mistake : the `Mistake` in the forward
    """

    kind: str
    message: str
    mistake: Mistake


@functools.cache
def with_mistakes(function, mistakes):
    """The textbook's function with mistakes made in it.

    function : of the textbook
    mistakes : tuple of `Mistake`

    Returns the wrong function, or None where one mistake leaves no place for the next.
    """
    signature, _, code = inspect.getsource(function).split('"""', 2)
    for mistake in mistakes:
        if code.count(mistake.right) != 1:
            return None
        code = code.replace(mistake.right, mistake.wrong)
    namespace = dict(vars(sys.modules[function.__module__]))
    exec(signature + code, namespace)
    return namespace[function.__name__]
