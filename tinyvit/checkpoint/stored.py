"""How one parameter of a ViT stands in a file: the rows of every format's table of names."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Stored:
    """One parameter, as one tensor of a file or as several.

    names : of the tensors, in the file's own words
    shape : of each of them
    to_param : (list of arrays) -> the parameter, in timm's layout
    from_param : parameter -> list of arrays
    """

    names: tuple
    shape: tuple
    to_param: Callable
    from_param: Callable


def as_it_is(name, shape):
    """A parameter that is one tensor, laid out as timm's."""
    return Stored((name,), shape, lambda arrays: arrays[0], lambda param: [param])


def transposed(name, shape, axes):
    """A parameter that is one tensor of another order of axes.

    axes : the order that makes it timm's: param = tensor.transpose(axes)
    """
    back = tuple(int(axis) for axis in np.argsort(axes))
    return Stored(
        (name,),
        shape,
        lambda arrays: arrays[0].transpose(axes),
        lambda param: [param.transpose(back)],
    )


def stacked(names, shape, param_shape, *, transpose=False):
    """A parameter whose rows are several tensors, one below the other: q, then k, then v.

    names : of the tensors, from the first rows to the last; one alone is only of another shape
    shape : of each tensor
    param_shape : of timm's parameter
    transpose : kernels (inputs, outputs) where timm has a weight (outputs, inputs)
    """
    rows = param_shape[0] // len(names)
    flat = (rows, *param_shape[1:])

    def to_param(arrays):
        if transpose:
            arrays = [array.reshape(flat[::-1]).T for array in arrays]  # (I, h, d) -> (O, I)
        else:
            arrays = [array.reshape(flat) for array in arrays]
        return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)

    def from_param(param):
        parts = np.split(param, len(names))
        return [(part.T if transpose else part).reshape(shape) for part in parts]

    return Stored(tuple(names), shape, to_param, from_param)
