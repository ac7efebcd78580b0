"""The textbook's functions of an exercise."""

import inspect

from .. import gradcheck, optim
from ..diagnosis.subject import textbook_pair


def textbook_functions(stem):
    """The functions that an exercise asks for: dict what -> function.

    stem : "layernorm" gives "forward" and "backward"; "adamw" and "gradcheck" give the functions'
        own names
    """
    if stem == "adamw":
        return {"adamw": optim.adamw}
    if stem == "gradcheck":
        names = "numerical_gradient", "check_backward"
        return {name: getattr(gradcheck, name) for name in names}
    return dict(zip(("forward", "backward"), textbook_pair(stem), strict=True))


def bound(function, args, kwargs):
    """The arguments of a call by their names: dict name -> value."""
    return dict(inspect.signature(function).bind(*args, **kwargs).arguments)
