"""One image on several threads: each takes some of the heads and of the hidden features.

A layer's output is a sum over its inputs, so it can be added up from parts of them. Each thread
reads its part of the weights alone and keeps its part of q, k, v and of the hidden features to
itself; the threads meet where a branch's output is added up, twice a block:

    out = sum_i context_i @ proj_i.T + bias,   out = sum_i hidden_i @ fc2_i.T + bias

Source: Shoeybi et al. 2019 (arXiv 1909.08053), section 3.
"""

from itertools import cycle
from threading import Barrier

import numpy as np

from .buffers import empty


class AllReduce:
    """Adds up one array of every thread and gives the sum to each of them.

    threads : how many meet
    """

    def __init__(self, threads):
        self._meeting = Barrier(threads)
        # Two lists in turn: a slow thread may still be reading the last one.
        self._lists = [None] * threads, [None] * threads

    def of(self, thread):
        """What this thread calls with its array; it returns the sum, the same in every thread."""
        lists = cycle(self._lists)

        def all_reduce(own):
            arrays = next(lists)
            arrays[thread] = own
            self._meeting.wait()
            out = np.add(arrays[0], arrays[1], out=empty(own.shape, own.dtype))
            for array in arrays[2:]:
                out += array
            return out

        return all_reduce

    def abort(self):
        """Send away the threads that wait: one of them will not come."""
        self._meeting.abort()


class Share:
    """One of several parts of every layer.

    number : which, from 0
    parts : how many there are
    """

    def __init__(self, number, parts):
        self._number, self._parts = number, parts

    def of_block(self, params, num_heads):
        """This part of a block: some of the heads and of the hidden features.

        params : dict of the whole block's arrays, as `block_forward` takes them
        num_heads : of the whole block

        Returns dict of views with the same names, and the number of heads in them
        """
        D, hidden_dim = params["mlp.fc2.weight"].shape
        heads, hidden = self._cut(num_heads), self._cut(hidden_dim)
        d = D // num_heads
        features = slice(heads.start * d, heads.stop * d)
        part = params | {
            "attn.qkv.weight": params["attn.qkv.weight"].reshape(3, D, D)[:, features],
            "attn.proj.weight": params["attn.proj.weight"][:, features],
            "attn.proj.bias": self._once(params["attn.proj.bias"]),
            "mlp.fc1.weight": params["mlp.fc1.weight"][hidden],
            "mlp.fc1.bias": params["mlp.fc1.bias"][hidden],
            "mlp.fc2.weight": params["mlp.fc2.weight"][:, hidden],
            "mlp.fc2.bias": self._once(params["mlp.fc2.bias"]),
        }
        if "attn.qkv.bias" in params:
            part["attn.qkv.bias"] = params["attn.qkv.bias"].reshape(3, D)[:, features]
        return part, heads.stop - heads.start

    def of_linear(self, x, weight, bias):
        """This part of a linear layer: some of its inputs."""
        inputs = self._cut(x.shape[-1])
        return x[..., inputs], weight[:, inputs], self._once(bias)

    def _once(self, bias):
        return bias if self._number == 0 else None

    def _cut(self, count):
        return slice(count * self._number // self._parts, count * (self._number + 1) // self._parts)
