"""Answers of students to the exercise attention: right ones, and wrong ones with what is wrong."""

# ruff: noqa: E501  the table reads best with one mistake a line

RIGHT = {
    "one_head_at_a_time": """
import numpy as np


def softmax(z):
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def attention_forward(x, qkv_weight, qkv_bias, proj_weight, proj_bias, num_heads):
    B, N, D = x.shape
    d = D // num_heads
    qkv = x @ qkv_weight.T
    if qkv_bias is not None:
        qkv = qkv + qkv_bias
    Q, K, V = qkv[:, :, :D], qkv[:, :, D : 2 * D], qkv[:, :, 2 * D :]
    heads, weights = [], []
    for i in range(num_heads):
        part = slice(i * d, (i + 1) * d)
        A = softmax(Q[:, :, part] @ K[:, :, part].transpose(0, 2, 1) / np.sqrt(d))
        heads.append(A @ V[:, :, part])
        weights.append(A)
    ctx = np.concatenate(heads, axis=2)
    out = ctx @ proj_weight.T
    if proj_bias is not None:
        out = out + proj_bias
    biases = (qkv_bias is not None, proj_bias is not None)
    return out, (x, qkv_weight, proj_weight, biases, Q, K, V, weights, ctx)


def attention_backward(dout, cache):
    x, Wqkv, Wo, biases, Q, K, V, weights, ctx = cache
    B, N, D = x.shape
    h = len(weights)
    d = D // h
    dWo = dout.reshape(-1, D).T @ ctx.reshape(-1, D)
    dbo = dout.sum(axis=(0, 1)) if biases[1] else None
    dctx = dout @ Wo
    dQ, dK, dV = np.zeros_like(Q), np.zeros_like(K), np.zeros_like(V)
    for i in range(h):
        part = slice(i * d, (i + 1) * d)
        A, g = weights[i], dctx[:, :, part]
        dA = g @ V[:, :, part].transpose(0, 2, 1)
        dV[:, :, part] = A.transpose(0, 2, 1) @ g
        dS = A * (dA - (dA * A).sum(axis=-1, keepdims=True))
        dS = dS / np.sqrt(d)
        dQ[:, :, part] = dS @ K[:, :, part]
        dK[:, :, part] = dS.transpose(0, 2, 1) @ Q[:, :, part]
    dqkv = np.concatenate([dQ, dK, dV], axis=-1)
    dWqkv = dqkv.reshape(-1, 3 * D).T @ x.reshape(-1, D)
    dbqkv = dqkv.sum(axis=(0, 1)) if biases[0] else None
    dx = dqkv @ Wqkv
    return dx, dWqkv, dbqkv, dWo, dbo
""",
    "einsum": """
import numpy as np


def attention_forward(x, qkv_weight, qkv_bias, proj_weight, proj_bias, num_heads):
    D = x.shape[-1]
    W = qkv_weight.reshape(3, num_heads, D // num_heads, D)
    t = np.einsum("bnc,shdc->sbhnd", x, W)
    if qkv_bias is not None:
        t = t + qkv_bias.reshape(3, 1, num_heads, 1, -1)
    q, k, v = t
    scores = np.einsum("bhid,bhjd->bhij", q, k) * q.shape[-1] ** -0.5
    scores = scores - scores.max(-1, keepdims=True)
    a = np.exp(scores)
    a = a / a.sum(-1, keepdims=True)
    y = np.einsum("bhij,bhjd->bihd", a, v)
    Wo = proj_weight.reshape(D, num_heads, D // num_heads)
    out = np.einsum("bihd,ohd->bio", y, Wo)
    if proj_bias is not None:
        out = out + proj_bias
    cache = dict(x=x, W=W, Wo=Wo, q=q, k=k, v=v, a=a, y=y)
    cache["bias"] = qkv_bias is not None, proj_bias is not None
    return out, cache


def attention_backward(dout, cache):
    x, W, Wo = cache["x"], cache["W"], cache["Wo"]
    q, k, v, a, y = (cache[letter] for letter in "qkvay")
    D = x.shape[-1]
    dWo = np.einsum("bio,bihd->ohd", dout, y).reshape(D, D)
    dbo = np.einsum("bio->o", dout) if cache["bias"][1] else None
    dy = np.einsum("bio,ohd->bihd", dout, Wo)
    da = np.einsum("bihd,bhjd->bhij", dy, v)
    dv = np.einsum("bhij,bihd->bhjd", a, dy)
    mixed = np.einsum("bhij,bhij->bhi", da, a)
    ds = a * (da - mixed[..., None]) * q.shape[-1] ** -0.5
    dq = np.einsum("bhij,bhjd->bhid", ds, k)
    dk = np.einsum("bhij,bhid->bhjd", ds, q)
    dt = np.stack([dq, dk, dv])
    dW = np.einsum("sbhnd,bnc->shdc", dt, x).reshape(3 * D, D)
    db = np.einsum("sbhnd->shd", dt).reshape(-1) if cache["bias"][0] else None
    dx = np.einsum("sbhnd,shdc->bnc", dt, W)
    return dx, dW, db, dWo, dbo
""",
    "given_cache": """
import numpy as np


def attention_backward(dout, cache):
    q, k, v, p = cache["q"], cache["k"], cache["v"], cache["attn"]
    B, H, T, hd = q.shape
    C = H * hd
    x, w_in, b_in = cache["qkv_cache"]
    ctx, w_out, b_out = cache["proj_cache"]

    d_w_out = np.einsum("bti,btj->ij", dout, ctx)
    d_b_out = None if b_out is None else dout.sum((0, 1))
    d_ctx = np.matmul(dout, w_out).reshape(B, T, H, hd).swapaxes(1, 2)

    d_p = np.matmul(d_ctx, v.swapaxes(2, 3))
    d_v = np.matmul(p.swapaxes(2, 3), d_ctx)
    row = np.sum(d_p * p, axis=3, keepdims=True)
    d_s = p * (d_p - row) / hd**0.5
    d_q = np.matmul(d_s, k)
    d_k = np.matmul(d_s.swapaxes(2, 3), q)

    parts = [g.swapaxes(1, 2).reshape(B, T, C) for g in (d_q, d_k, d_v)]
    d_in = np.concatenate(parts, axis=2)
    d_w_in = np.einsum("bti,btj->ij", d_in, x)
    d_b_in = None if b_in is None else d_in.sum((0, 1))
    d_x = np.matmul(d_in, w_in)
    return d_x, d_w_in, d_b_in, d_w_out, d_b_out
""",
    "from_pairs": """
import numpy as np

from tinyvit.ops import (
    linear_backward,
    linear_forward,
    softmax_backward,
    softmax_forward,
)


def split_heads(t, h):
    B, N, D = t.shape
    return t.reshape(B, N, h, D // h).transpose(0, 2, 1, 3)


def join_heads(t):
    B, h, N, d = t.shape
    return t.transpose(0, 2, 1, 3).reshape(B, N, h * d)


def attention_forward(x, qkv_weight, qkv_bias, proj_weight, proj_bias, num_heads):
    all3, c_in = linear_forward(x, qkv_weight, qkv_bias)
    q, k, v = (split_heads(t, num_heads) for t in np.split(all3, 3, axis=-1))
    root = (x.shape[-1] // num_heads) ** 0.5
    att, c_soft = softmax_forward(q @ k.swapaxes(-1, -2) / root)
    out, c_out = linear_forward(join_heads(att @ v), proj_weight, proj_bias)
    return out, (c_in, c_soft, c_out, q, k, v, att, root)


def attention_backward(dout, cache):
    c_in, c_soft, c_out, q, k, v, att, root = cache
    dy, dwo, dbo = linear_backward(dout, c_out)
    dy = split_heads(dy, q.shape[1])
    datt = dy @ v.swapaxes(-1, -2)
    dv = att.swapaxes(-1, -2) @ dy
    dlogits = softmax_backward(datt, c_soft) / root
    dq = dlogits @ k
    dk = dlogits.swapaxes(-1, -2) @ q
    dall = np.concatenate([join_heads(t) for t in (dq, dk, dv)], axis=-1)
    dx, dw, db = linear_backward(dall, c_in)
    return dx, dw, db, dwo, dbo
""",
    "three_matrices": """
import numpy as np


def attention_forward(x, qkv_weight, qkv_bias, proj_weight, proj_bias, num_heads):
    B, N, D = x.shape
    d = D // num_heads
    Wq, Wk, Wv = np.split(qkv_weight, 3)
    bq, bk, bv = (0, 0, 0) if qkv_bias is None else np.split(qkv_bias, 3)
    shape = (B, N, num_heads, d)
    q = (x @ Wq.T + bq).reshape(shape)
    k = (x @ Wk.T + bk).reshape(shape)
    v = (x @ Wv.T + bv).reshape(shape)
    s = np.einsum("bihd,bjhd->bhij", q, k) / np.sqrt(d)
    e = np.exp(s - s.max(axis=3, keepdims=True))
    p = e / e.sum(axis=3, keepdims=True)
    y = np.einsum("bhij,bjhd->bihd", p, v).reshape(B, N, D)
    out = y @ proj_weight.T + (0 if proj_bias is None else proj_bias)
    return out, (x, Wq, Wk, Wv, qkv_bias, proj_weight, proj_bias, q, k, v, p, y)


def attention_backward(dout, cache):
    x, Wq, Wk, Wv, b, Wp, bp, q, k, v, p, y = cache
    B, N, h, d = q.shape
    D = h * d
    dWp = np.tensordot(dout, y, axes=([0, 1], [0, 1]))
    dy = (dout @ Wp).reshape(B, N, h, d)
    dp = np.einsum("bihd,bjhd->bhij", dy, v)
    dv = np.einsum("bhij,bihd->bjhd", p, dy).reshape(B, N, D)
    ds = p * dp
    ds = (ds - p * ds.sum(axis=3, keepdims=True)) / np.sqrt(d)
    dq = np.einsum("bhij,bjhd->bihd", ds, k).reshape(B, N, D)
    dk = np.einsum("bhij,bihd->bjhd", ds, q).reshape(B, N, D)
    dx = dq @ Wq
    dx = dx + dk @ Wk
    dx = dx + dv @ Wv
    over = ([0, 1], [0, 1])
    dW = np.concatenate([np.tensordot(t, x, axes=over) for t in (dq, dk, dv)])
    db = None if b is None else np.concatenate([t.sum((0, 1)) for t in (dq, dk, dv)])
    dbp = None if bp is None else dout.sum((0, 1))
    return dx, dW, db, dWp, dbp
""",
    "one_image_at_a_time": """
import numpy as np


def attention_backward(dout, cache):
    x, Win, bin_ = cache["qkv_cache"]
    ctx, Wout, bout = cache["proj_cache"]
    P = cache["attn"]
    B, h, N, _ = P.shape
    D = x.shape[2]
    d = D // h
    dx = np.zeros_like(x)
    dWin, dWout = np.zeros_like(Win), np.zeros_like(Wout)
    dbin, dbout = np.zeros(3 * D, x.dtype), np.zeros(D, x.dtype)
    for b in range(B):
        dWout += dout[b].T @ ctx[b]
        dbout += dout[b].sum(axis=0)
        dctx = dout[b] @ Wout
        dqkv = np.zeros((N, 3 * D), x.dtype)
        for i in range(h):
            q, k, v = cache["q"][b, i], cache["k"][b, i], cache["v"][b, i]
            p = P[b, i]
            dc = dctx[:, i * d : (i + 1) * d]
            dp = dc @ v.T
            ds = np.zeros_like(dp)
            for n in range(N):
                J = np.diag(p[n]) - np.outer(p[n], p[n])
                ds[n] = J @ dp[n] / np.sqrt(d)
            dqkv[:, i * d : (i + 1) * d] = ds @ k
            dqkv[:, D + i * d : D + (i + 1) * d] = ds.T @ q
            dqkv[:, 2 * D + i * d : 2 * D + (i + 1) * d] = p.T @ dc
        dWin += dqkv.T @ x[b]
        dbin += dqkv.sum(axis=0)
        dx[b] = dqkv @ Win
    if bin_ is None:
        dbin = None
    if bout is None:
        dbout = None
    return dx, dWin, dbin, dWout, dbout
""",
    "forward": """
import numpy as np


def attention_forward(x, qkv_weight, qkv_bias, proj_weight, proj_bias, num_heads):
    B, N, D = x.shape
    d = D // num_heads
    z = np.dot(x, qkv_weight.T)
    if qkv_bias is not None:
        z = z + qkv_bias
    z = z.reshape(B, N, 3, num_heads, d)
    q = np.moveaxis(z[:, :, 0], 2, 1)
    k = np.moveaxis(z[:, :, 1], 2, 1)
    v = np.moveaxis(z[:, :, 2], 2, 1)
    w = np.exp(q @ np.swapaxes(k, 2, 3) / d**0.5)
    attn = w / np.sum(w, axis=3, keepdims=True)
    context = np.moveaxis(attn @ v, 1, 2).reshape(B, N, D)
    out = np.dot(context, proj_weight.T)
    if proj_bias is not None:
        out = out + proj_bias
    cache = {"q": q, "k": k, "v": v, "attn": attn, "dropped": attn}
    cache["context"] = context
    cache["qkv_cache"] = (x, qkv_weight, qkv_bias)
    cache["attn_cache"] = (attn,)
    cache["drop_cache"] = (None,)
    cache["proj_cache"] = (context, proj_weight, proj_bias)
    return out, cache
""",
}

WRONG = [
    ("one_head_at_a_time", "the scale forgotten", "scale missing_factor", "dS = dS / np.sqrt(d)", "dS = dS * 1.0"),
    ("one_head_at_a_time", "scaled with d, not its root", "scale wrong_factor", "dS = dS / np.sqrt(d)", "dS = dS / d"),
    ("one_head_at_a_time", "multiplied with the root, not divided", "scale wrong_factor", "dS = dS / np.sqrt(d)", "dS = dS * np.sqrt(d)"),
    ("one_head_at_a_time", "scaled with the root of D, not of d", "scale wrong_variable", "dS = dS / np.sqrt(d)", "dS = dS / np.sqrt(D)"),
    ("one_head_at_a_time", "dV: the weights not transposed", "transposed", "A.transpose(0, 2, 1) @ g", "A @ g"),
    ("one_head_at_a_time", "dK: the scores not transposed", "transposed", "dS.transpose(0, 2, 1) @ Q", "dS @ Q"),
    ("one_head_at_a_time", "dQ: the scores transposed", "transposed", "dS @ K[:", "dS.transpose(0, 2, 1) @ K[:"),
    ("one_head_at_a_time", "dQ from Q", "wrong_variable", "dS @ K[:", "dS @ Q[:"),
    ("one_head_at_a_time", "dA from K, not V", "wrong_variable", "g @ V[:, :, part]", "g @ K[:, :, part]"),
    ("one_head_at_a_time", "softmax as if each element were by itself", "elementwise missing_term", "A * (dA - (dA * A).sum(axis=-1, keepdims=True))", "A * (1 - A) * dA"),
    ("one_head_at_a_time", "softmax's sum over the queries", "wrong_axis", "(dA * A).sum(axis=-1", "(dA * A).sum(axis=-2"),
    ("one_head_at_a_time", "softmax forgotten", "missing_factor missing_term", "A * (dA - (dA * A).sum(axis=-1, keepdims=True))", "1.0 * dA"),
    ("one_head_at_a_time", "the first head only", "dropped_head incomplete", "for i in range(h):", "for i in range(1):"),
    ("one_head_at_a_time", "the last head forgotten", "dropped_head incomplete", "for i in range(h):", "for i in range(h - 1):"),
    ("one_head_at_a_time", "k and q put back in another order", "swapped", "np.concatenate([dQ, dK, dV]", "np.concatenate([dK, dQ, dV]"),
    ("one_head_at_a_time", "v first", "swapped", "np.concatenate([dQ, dK, dV]", "np.concatenate([dV, dQ, dK]"),
    ("one_head_at_a_time", "k's part forgotten", "dropped_head missing_term", "np.concatenate([dQ, dK, dV]", "np.concatenate([dQ, 0 * dK, dV]"),
    ("one_head_at_a_time", "dctx: the weight transposed", "transposed", "dctx = dout @ Wo", "dctx = dout @ Wo.T"),
    ("one_head_at_a_time", "dWo transposed", "transposed", "dWo = dout.reshape(-1, D).T @ ctx.reshape(-1, D)", "dWo = ctx.reshape(-1, D).T @ dout.reshape(-1, D)"),
    ("one_head_at_a_time", "dWo from x, not the context", "wrong_variable", "@ ctx.reshape(-1, D)", "@ x.reshape(-1, D)"),
    ("one_head_at_a_time", "dbo: the mean", "scale sum_mean", "dout.sum(axis=(0, 1))", "dout.mean(axis=(0, 1))"),
    ("one_head_at_a_time", "gradients of the two weights divided by the batch", "scale", "return dx, dWqkv, dbqkv, dWo, dbo", "return dx, dWqkv / B, dbqkv, dWo / B, dbo"),
    ("one_head_at_a_time", "the cache holds q for k", "wrong_cache wrong_variable", "biases, Q, K, V, weights, ctx)\n\n", "biases, Q, Q, V, weights, ctx)\n\n"),
    ("one_head_at_a_time", "forward: the scale is that of D", "wrong_variable scale", "transpose(0, 2, 1) / np.sqrt(d))", "transpose(0, 2, 1) / np.sqrt(D))"),
    ("one_head_at_a_time", "forward: q, k, v taken in another order", "swapped wrong_order", "Q, K, V = qkv[", "K, Q, V = qkv["),
    ("einsum", "dWo: the projection of all heads in another order", "wrong_order", "dout, y).reshape(D, D)", "dout, y).swapaxes(1, 2).reshape(D, D)"),
    ("einsum", "dx: the sum over q, k, v replaced by v's only", "fork incomplete", 'np.einsum("sbhnd,shdc->bnc", dt, W)', 'np.einsum("bhnd,hdc->bnc", dt[2], W[2])'),
    ("einsum", "dbo of the first image only", "incomplete", 'np.einsum("bio->o", dout)', 'np.einsum("io->o", dout[0])'),
    ("einsum", "softmax's sum is added", "sign", "(da - mixed[..., None])", "(da + mixed[..., None])"),
    ("einsum", "dk: keys and queries exchanged", "transposed", '"bhij,bhid->bhjd", ds, q', '"bhij,bhjd->bhid", ds, q'),
    ("einsum", "forward: softmax over the queries", "wrong_axis", "a = a / a.sum(-1, keepdims=True)", "a = a / a.sum(-2, keepdims=True)"),
    ("einsum", "forward: the weights transposed", "transposed", '"bhij,bhjd->bihd", a, v', '"bhji,bhjd->bihd", a, v'),
    ("einsum", "forward: the scale is d, not its root", "scale wrong_factor wrong_constant", "k) * q.shape[-1] ** -0.5", "k) * q.shape[-1] ** -1.0"),
    ("given_cache", "heads and tokens mixed in the reshape", "wrong_order", ".reshape(B, T, H, hd).swapaxes(1, 2)", ".reshape(B, H, T, hd)"),
    ("given_cache", "heads and tokens not exchanged at the end", "wrong_order", "g.swapaxes(1, 2).reshape(B, T, C)", "g.reshape(B, T, C)"),
    ("given_cache", "the scale applied twice", "scale wrong_factor", "/ hd**0.5", "/ hd**0.5 / hd**0.5"),
    ("given_cache", "d_x and d_w_in: the sign", "sign", "return d_x, d_w_in,", "return -d_x, -d_w_in,"),
    ("given_cache", "d_v from the gradient of the weights", "wrong_variable", "np.matmul(p.swapaxes(2, 3), d_ctx)", "np.matmul(d_p.swapaxes(2, 3), d_ctx)"),
    ("given_cache", "d_k from k", "wrong_variable", "np.matmul(d_s.swapaxes(2, 3), q)", "np.matmul(d_s.swapaxes(2, 3), k)"),
    ("given_cache", "softmax's weight in front forgotten", "missing_factor", "d_s = p * (d_p - row)", "d_s = (d_p - row)"),
    ("given_cache", "d_b_in: the mean over the batch", "scale sum_mean", "d_in.sum((0, 1))", "d_in.sum(1).mean(0)"),
    ("from_pairs", "v's part forgotten", "dropped_head missing_term", "for t in (dq, dk, dv)]", "for t in (dq, dk, 0 * dv)]"),
    ("from_pairs", "the scale is inside the forward only", "scale missing_factor", "softmax_backward(datt, c_soft) / root", "softmax_backward(datt, c_soft)"),
    ("from_pairs", "softmax's backward left out", "missing_factor missing_term", "softmax_backward(datt, c_soft) / root", "datt / root"),
    ("from_pairs", "datt and not dlogits goes to k", "wrong_variable", "dk = dlogits.swapaxes", "dk = datt.swapaxes"),
    ("three_matrices", "dx of k not added", "fork missing_term", "dx = dx + dk @ Wk", "dx = dx + 0 * dk"),
    ("three_matrices", "dx overwritten by v's", "fork", "dx = dx + dv @ Wv", "dx = dv @ Wv"),
    ("three_matrices", "dx: Wq transposed", "transposed", "dx = dq @ Wq\n", "dx = dq @ Wq.T\n"),
    ("three_matrices", "dx of k through Wq", "wrong_variable", "dx + dk @ Wk", "dx + dk @ Wq"),
    ("three_matrices", "softmax's term without its weight", "missing_factor", "(ds - p * ds.sum", "(ds - ds.sum"),
    ("three_matrices", "softmax's mean for the sum", "sum_mean", "(ds - p * ds.sum(", "(ds - p * ds.mean("),
    ("one_image_at_a_time", "dWin of the last image only", "incomplete", "dWin += dqkv", "dWin = dqkv"),
    ("one_image_at_a_time", "the last image forgotten", "incomplete", "for b in range(B):", "for b in range(B - 1):"),
    ("one_image_at_a_time", "k's part added in q's place", "wrong_order dropped_head", "dqkv[:, D + i * d : D + (i + 1) * d] =", "dqkv[:, i * d : (i + 1) * d] +="),
    ("one_image_at_a_time", "the last query's scores left zero", "incomplete", "for n in range(N):", "for n in range(N - 1):"),
    ("forward", "forward: the scale forgotten", "scale missing_factor", " / d**0.5", ""),
    ("forward", "forward: heads and tokens mixed", "wrong_order", "np.moveaxis(attn @ v, 1, 2).reshape", "(attn @ v).reshape"),
    ("forward", "forward: the order of q, k, v inside each head", "wrong_order", "z = z.reshape(B, N, 3, num_heads, d)", "z = z.reshape(B, N, num_heads, 3, d).swapaxes(2, 3)"),
    ("forward", "forward: the projection's weight not transposed", "transposed", "np.dot(context, proj_weight.T)", "np.dot(context, proj_weight)"),
]  # fmt: skip
