"""Fast `ops.attention`: attention.cu for short sequences, products by cuBLAS for long ones.

In bf16 it is attention_mma.cu, on the tensor cores, where a card has enough shared memory.
"""

from functools import cache
from math import ceil
from typing import NamedTuple

import cupy
import numpy as np

from ...ops import dropout_backward, dropout_forward
from .linear import linear_backward, linear_forward
from .products import multiply
from .softmax import softmax_backward, softmax_forward
from .source import BF16, kernel, real_of

SHARED_MEMORY_OPTIN = 97  # cudaDevAttrMaxSharedMemoryPerBlockOptin
LANES = {16: 1, 32: 2, 64: 4, 128: 8}  # widest head -> threads that share a row, as in attention.cu


def attention_forward(
    x, qkv_weight, qkv_bias, proj_weight, proj_bias, num_heads, attn_drop_rate=0.0, rng=None
):
    """As `ops.attention_forward`."""
    B, N, D = x.shape
    if D % num_heads:
        raise ValueError(f"width {D} is not divisible by {num_heads} heads")
    dropping = rng is not None and attn_drop_rate > 0
    qkv, qkv_cache = linear_forward(x, qkv_weight, qkv_bias)
    if fits(N, D // num_heads, x.dtype) and not dropping:
        context, log_sums = attend(qkv, None, num_heads)
        kept = qkv, context, log_sums, num_heads
    else:
        context, kept = _attend_by_products(qkv, num_heads, attn_drop_rate, rng)
    out, proj_cache = linear_forward(context, proj_weight, proj_bias)
    return out, {"attn": None, "kept": kept, "qkv_cache": qkv_cache, "proj_cache": proj_cache}


def attention_backward(dout, cache):
    """As `ops.attention_backward`."""
    dcontext, dproj_weight, dproj_bias = linear_backward(dout, cache["proj_cache"])
    kept = cache["kept"]
    if isinstance(kept, dict):
        dqkv = _attend_by_products_backward(dcontext, kept)
    else:
        qkv, context, log_sums, num_heads = kept
        sums = cupy.empty((len(qkv), qkv.shape[-1]), qkv.dtype)
        dqkv = cupy.empty(qkv.shape, qkv.dtype)
        attend_backward(dcontext, qkv, None, context, log_sums, num_heads, sums, dqkv)
    dx, dqkv_weight, dqkv_bias = linear_backward(dqkv, cache["qkv_cache"])
    return dx, dqkv_weight, dqkv_bias, dproj_weight, dproj_bias


class Plan(NamedTuple):
    """How to launch attention over N tokens.

    stem : of the .cu file
    threads : of a block
    forward, backward : bytes of dynamic shared memory
    """

    stem: str
    threads: int
    forward: int
    backward: int


def fits(tokens, head_dim, dtype):
    """Whether what the other tokens have to say fits the shared memory of this card."""
    return _plan(tokens, head_dim, np.dtype(dtype)) is not None


@cache
def _plan(tokens, head_dim, dtype):
    """The best plan that this card has the shared memory for, or None."""
    runtime = cupy.cuda.runtime
    limit = runtime.deviceGetAttribute(SHARED_MEMORY_OPTIN, runtime.getDevice())
    static = 2 * 8 * (tokens + 15)  # the backward's log_sum and delta, at most
    plans = []
    if dtype == BF16 and head_dim <= 64 and head_dim % 2 == 0 and tokens <= 512:
        plans.append(_on_tensor_cores(tokens, head_dim))
    if head_dim <= max(LANES):
        plans.append(_on_all_lanes(tokens, head_dim, dtype.itemsize))
    return next((plan for plan in plans if plan.backward + static <= limit), None)


def _on_all_lanes(tokens, head_dim, itemsize):
    lanes = next(lanes for widest, lanes in LANES.items() if head_dim <= widest)
    rounds = ceil(tokens * lanes / 512)
    threads = 32 * ceil(ceil(tokens * lanes / rounds) / 32)
    shared = 2 * tokens * 4 * lanes * ceil(head_dim / (4 * lanes)) * itemsize
    return Plan("attention", threads, shared, shared)


def _on_tensor_cores(tokens, head_dim):
    rows, depth = 16 * ceil(tokens / 16), 16 * ceil(head_dim / 16)
    shared = 4 * (rows * (depth // 2 + 4) + depth * (rows // 2 + 4))  # as it is, and transposed
    return Plan("attention_mma", 2 * rows, shared, 2 * shared)


def attend(qkv, bias, num_heads, out=None):
    """Attention of every head, from q, k and v to what it read.

    qkv : (B, N, 3D)
    bias : (3D,) still to be added to it, or None
    num_heads : h
    out : (B, N, D) where to write; None takes a new array

    Returns context (B, N, D), log_sums (B, h, N): logarithms of the sums under softmax.
    """
    B, N, width = qkv.shape
    function, plan = _launch("attention_forward", qkv, num_heads)
    out = cupy.empty((B, N, width // 3), qkv.dtype) if out is None else out
    log_sums = cupy.empty((B, num_heads, N), real_of(qkv.dtype))
    arrays = qkv, bias, out, log_sums
    function((B * num_heads,), (plan.threads,), *arrays, shared=plan.forward)
    return out, log_sums


def attend_backward(dcontext, qkv, bias, context, log_sums, num_heads, sums, out):
    """Gradient of `attend`.

    dcontext : (B, N, D)
    qkv, bias, context, log_sums : of the forward
    sums : (B, 3D) is given what adds up to the gradient of the bias
    out : (B, N, 3D) is given dqkv
    """
    function, plan = _launch("attention_backward", qkv, num_heads)
    arrays = dcontext, qkv, bias, context, log_sums, out, sums
    function((len(qkv) * num_heads,), (plan.threads,), *arrays, shared=plan.backward)


def _launch(name, qkv, num_heads):
    _, N, width = qkv.shape
    d = width // 3 // num_heads
    plan = _plan(N, d, qkv.dtype)
    function = kernel(plan.stem, name, qkv.dtype, TOKENS=N, HEADS=num_heads, HEAD_DIM=d)
    return function, plan


def _attend_by_products(qkv, num_heads, attn_drop_rate, rng):
    """The textbook's own way, from qkv to context."""
    B, N, width = qkv.shape
    h, d = num_heads, width // 3 // num_heads
    parts = qkv.reshape(B, N, 3, h, d).transpose(2, 0, 3, 1, 4)  # (3, B, h, N, d)
    q, k, v = cupy.ascontiguousarray(parts).reshape(3, B * h, N, d)
    scores = multiply(q, k.swapaxes(1, 2), cupy.empty((B * h, N, N), q.dtype))
    attn, attn_cache = softmax_forward(scores * d**-0.5)
    dropped, drop_cache = dropout_forward(attn.reshape(B, h, N, N), attn_drop_rate, rng)
    dropped = dropped.reshape(attn.shape)
    context = multiply(dropped, v, cupy.empty((B * h, N, d), q.dtype))
    context = context.reshape(B, h, N, d).transpose(0, 2, 1, 3).reshape(B, N, h * d)
    kept = {"q": q, "k": k, "v": v, "dropped": dropped, "shape": (B, h, N, d)}
    return context, kept | {"attn_cache": attn_cache, "drop_cache": drop_cache}


def _attend_by_products_backward(dcontext, kept):
    q, k, v, dropped = (kept[name] for name in ("q", "k", "v", "dropped"))
    B, h, N, d = kept["shape"]
    dcontext = dcontext.reshape(B, N, h, d).transpose(0, 2, 1, 3)
    dcontext = cupy.ascontiguousarray(dcontext).reshape(B * h, N, d)
    ddropped = multiply(dcontext, v.swapaxes(1, 2), cupy.empty(dropped.shape, q.dtype))
    dv = multiply(dropped.swapaxes(1, 2), dcontext, cupy.empty(v.shape, q.dtype))
    dattn = dropout_backward(ddropped.reshape(B, h, N, N), kept["drop_cache"])
    dscores = softmax_backward(dattn.reshape(dropped.shape), kept["attn_cache"]) * d**-0.5
    dq = multiply(dscores, k, cupy.empty(q.shape, q.dtype))
    dk = multiply(dscores.swapaxes(1, 2), q, cupy.empty(k.shape, q.dtype))
    dqkv = cupy.stack([dq, dk, dv]).reshape(3, B, h, N, d)
    return dqkv.transpose(1, 3, 0, 2, 4).reshape(B, N, 3 * h * d)
