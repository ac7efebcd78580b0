"""Fast `ops.attention`: attention.cu for short sequences, products by cuBLAS for long ones."""

from math import ceil

import cupy

from ...ops import dropout_backward, dropout_forward
from .linear import linear_backward, linear_forward
from .products import multiply
from .softmax import softmax_backward, softmax_forward
from .source import kernel, real_of

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


def fits(tokens, head_dim, dtype):
    """Whether the keys and values of a head fit the shared memory of this card."""
    limit = cupy.cuda.runtime.deviceGetAttribute(SHARED_MEMORY_OPTIN, cupy.cuda.runtime.getDevice())
    static = 2 * 8 * tokens  # the backward's log_sum and delta, at most
    return head_dim <= max(LANES) and _shared_bytes(tokens, head_dim, dtype) + static <= limit


def attend(qkv, bias, num_heads, out=None):
    """Attention of every head, from q, k and v to what it read.

    qkv : (B, N, 3D)
    bias : (3D,) still to be added to it, or None
    num_heads : h
    out : (B, N, D) where to write; None takes a new array

    Returns context (B, N, D), log_sums (B, h, N): logarithms of the sums under softmax.
    """
    B, N, width = qkv.shape
    function, threads, shared = _launch("attention_forward", qkv, num_heads)
    out = cupy.empty((B, N, width // 3), qkv.dtype) if out is None else out
    log_sums = cupy.empty((B, num_heads, N), real_of(qkv.dtype))
    function((B * num_heads,), (threads,), qkv, bias, out, log_sums, shared=shared)
    return out, log_sums


def attend_backward(dcontext, qkv, bias, context, log_sums, num_heads, sums, out):
    """Gradient of `attend`.

    dcontext : (B, N, D)
    qkv, bias, context, log_sums : of the forward
    sums : (B, 3D) is given what adds up to the gradient of the bias
    out : (B, N, 3D) is given dqkv
    """
    function, threads, shared = _launch("attention_backward", qkv, num_heads)
    arrays = dcontext, qkv, bias, context, log_sums, out, sums
    function((len(qkv) * num_heads,), (threads,), *arrays, shared=shared)


def _launch(name, qkv, num_heads):
    _, N, width = qkv.shape
    d = width // 3 // num_heads
    function = kernel("attention", name, qkv.dtype, TOKENS=N, HEADS=num_heads, HEAD_DIM=d)
    lanes = _lanes(d)
    rounds = ceil(N * lanes / 512)
    threads = 32 * ceil(ceil(N * lanes / rounds) / 32)
    return function, threads, _shared_bytes(N, d, qkv.dtype)


def _shared_bytes(tokens, head_dim, dtype):
    quad = 4 * _lanes(head_dim)
    return 2 * tokens * -(-head_dim // quad) * quad * dtype.itemsize


def _lanes(head_dim):
    return next(
        (lanes for widest, lanes in LANES.items() if head_dim <= widest), max(LANES.values())
    )


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
