"""Later answers to the exercise mlp, written after the diagnosis was finished."""

# ruff: noqa: E501  the table reads best with one mistake a line

RIGHT = {
    "layers": """
import numpy as np

from tinyvit.ops import gelu_backward, gelu_forward, relu_backward, relu_forward


def dense(inputs, W, b):
    y = np.tensordot(inputs, W, axes=(-1, 1))
    return y if b is None else y + b


def dense_grads(delta, inputs):
    d = delta.reshape(-1, delta.shape[-1])
    i = inputs.reshape(-1, inputs.shape[-1])
    return d.T @ i, d.sum(axis=0)


def mlp_forward(x, fc1_weight, fc1_bias, fc2_weight, fc2_bias, activation="gelu"):
    pre = dense(x, fc1_weight, fc1_bias)
    if activation == "relu":
        post, act = relu_forward(pre)
    elif activation == "gelu":
        post, act = gelu_forward(pre, "none")
    else:
        post, act = gelu_forward(pre, "tanh")
    out = dense(post, fc2_weight, fc2_bias)
    weights = fc1_weight, fc1_bias, fc2_weight, fc2_bias
    return out, {"x": x, "pre": pre, "post": post, "act": act, "w": weights, "name": activation}


def mlp_backward(dout, cache):
    W1, b1, W2, b2 = cache["w"]
    gW2, gb2 = dense_grads(dout, cache["post"])
    dpost = np.tensordot(dout, W2, axes=1)
    if cache["name"] == "relu":
        dpre = relu_backward(dpost, cache["act"])
    else:
        dpre = gelu_backward(dpost, cache["act"])
    gW1, gb1 = dense_grads(dpre, cache["x"])
    dx = np.tensordot(dpre, W1, axes=1)
    if b1 is None:
        gb1 = None
    if b2 is None:
        gb2 = None
    return dx, gW1, gb1, gW2, gb2
""",
    "slopes": """
import math

import numpy as np


def mlp_backward(dout, cache):
    (x, A, a), name, saved, (keep,), (hid, C, c) = cache
    n_tokens = x.size // x.shape[-1]
    X, H = x.reshape(n_tokens, -1), hid.reshape(n_tokens, -1)
    G = dout.reshape(n_tokens, -1)
    dC = np.dot(G.T, H)
    dH = np.dot(G, C)
    if keep is not None:
        dH = dH * keep.reshape(dH.shape)
    if name == "relu":
        slope = saved[0].astype(x.dtype)
    else:
        z, gate, _ = saved
        if name == "gelu":
            slope = gate + z * np.exp(-z * z / 2) / math.sqrt(2 * math.pi)
        else:
            k = math.sqrt(2 / math.pi)
            slope = gate + z * 2 * gate * (1 - gate) * k * (1 + 0.134145 * z**2)
    dZ = dH * slope.reshape(dH.shape)
    dA = np.dot(dZ.T, X)
    dX = np.dot(dZ, A)
    da = None if a is None else np.sum(dZ, axis=0)
    dc = None if c is None else np.sum(G, axis=0)
    return dX.reshape(x.shape), dA, da, dC, dc
""",
}

WRONG = [
    ("layers", "the activation skipped on the way back", "missing_factor", "dpre = gelu_backward(dpost, cache[\"act\"])", "dpre = dpost"),
    ("layers", "gW2 with pre, before the activation", "wrong_variable missing_factor", 'dense_grads(dout, cache["post"])', 'dense_grads(dout, cache["pre"])'),
    ("layers", "both biases: mean over the tokens", "scale sum_mean", "d.sum(axis=0)", "d.mean(axis=0)"),
    ("layers", "both weights: divided by the batch", "scale", "return d.T @ i,", "return d.T @ i / len(delta),"),
    ("layers", "both weights: the product the wrong way round, then reshaped", "transposed wrong_order", "return d.T @ i,", "return (i.T @ d).reshape(d.shape[1], -1),"),
    ("layers", "gW1 and gW2 subtracted", "sign", "return d.T @ i,", "return -d.T @ i,"),
    ("layers", "the cache holds post under pre's name for the activation", "wrong_cache wrong_variable", 'act = gelu_forward(pre, "none")', 'act = gelu_forward(pre, "none")\n        act = (post, *act[1:])'),
    ("layers", "forward: the activation forgotten", "missing_factor other_forward", "dense(post, fc2_weight, fc2_bias)", "dense(pre, fc2_weight, fc2_bias)"),
    ("layers", "forward: no bias in either layer", "missing_term", "y if b is None else y + b", "y"),
    ("slopes", "gelu: slope is the gate alone", "missing_term", "gate + z * np.exp(-z * z / 2) / math.sqrt(2 * math.pi)", "gate"),
    ("slopes", "gelu: slope without z", "missing_factor", "gate + z * np.exp", "gate + np.exp"),
    ("slopes", "da is the sum of dH", "wrong_variable missing_factor", "np.sum(dZ, axis=0)", "np.sum(dH, axis=0)"),
    ("slopes", "dc of the last token only", "incomplete", "np.sum(G, axis=0)", "G[-1].copy()"),
    ("layers", "forward: the block's residual is in it", "extra_term", "out = dense(post, fc2_weight, fc2_bias)", "out = x + dense(post, fc2_weight, fc2_bias)"),
]  # fmt: skip
