"""Where the parts of every gradient lie until the end of a step, when they are added up."""

import cupy
import numpy as np

from .source import kernel

CHUNK = 512  # neighbouring gradients that one block adds up, at most
MANY = 64  # groups: where there are more, a block takes no more columns than it reads at a time


class Gradients:
    """The flat gradient of a model, and the parts that it is the sum of.

    Every kernel that would have to add over all tokens leaves one row of sums for each of its
    blocks instead; adding these rows, in a fixed order, is one launch for the whole model.

    shapes : dict name -> shape, in the order of the flat vector
    dtype : of the gradient
    """

    def __init__(self, shapes, dtype):
        self._dtype, self._starts, start = np.dtype(dtype), {}, 0
        self._sizes = {name: int(np.prod(shape)) for name, shape in shapes.items()}
        for name, size in self._sizes.items():
            self._starts[name] = start
            start += size
        self.flat = cupy.empty(start, dtype)
        self._chunks, self._parts, self._table = [], [], None

    def parts(self, groups, *names, width=None):
        """Make room for rows of sums.

        groups : number of rows
        names : parameters whose gradients lie side by side in a row
        width : of a row, where it is wider than these

        Returns (groups, width) to be filled in every step.
        """
        rows = self.room(groups, width or sum(self._sizes[name] for name in names))
        column = 0
        for name in names:
            self.add(name, rows[:, column : column + self._sizes[name]])
            column += self._sizes[name]
        return rows

    def room(self, *shape):
        """Memory for parts that `add` will be told about."""
        self._parts.append(cupy.empty(shape, self._dtype))
        return self._parts[-1]

    def add(self, name, rows, first=0):
        """Say that a gradient, from its element `first` on, is the sum of `rows` (groups, n)."""
        groups, n = rows.shape
        stride = rows.strides[0] // rows.itemsize
        chunk = 32 if groups > MANY else CHUNK
        for column in range(0, n, chunk):
            count = min(chunk, n - column)
            address = rows.data.ptr + column * rows.itemsize
            self._chunks.append(
                (self._starts[name] + first + column, count, address, groups, stride)
            )

    def finish(self):
        """Copy the list of parts to the card; nothing can be added afterwards."""
        self._table = cupy.asarray(np.array(self._chunks, np.int64))
        self.squares = cupy.empty(len(self._chunks), self._dtype)

    def sum(self):
        """Add up all parts: `flat` is the gradient then, `squares` sums of its squares."""
        function = kernel("optim", "sum_groups", self._dtype)
        function((len(self._chunks),), (32, 8), self._table, self.flat, self.squares)
