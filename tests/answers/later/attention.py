"""Later answers to the exercise attention, written after the diagnosis was finished."""

# ruff: noqa: E501  the table reads best with one mistake a line

RIGHT = {
    "heads_in_the_batch": """
import numpy as np


def heads(a, h):
    b, n, w = a.shape
    return a.reshape(b, n, h, w // h).swapaxes(1, 2).reshape(b * h, n, w // h)


def tokens(a, h):
    bh, n, s = a.shape
    return a.reshape(bh // h, h, n, s).swapaxes(1, 2).reshape(bh // h, n, h * s)


def attention_forward(x, qkv_weight, qkv_bias, proj_weight, proj_bias, num_heads):
    width = x.shape[2]
    mixed = np.matmul(x, qkv_weight.T)
    if qkv_bias is not None:
        mixed = mixed + qkv_bias
    query = heads(mixed[..., :width], num_heads)
    key = heads(mixed[..., width : 2 * width], num_heads)
    value = heads(mixed[..., 2 * width :], num_heads)
    logits = np.matmul(query, key.swapaxes(1, 2)) / np.sqrt(width // num_heads)
    up = np.exp(logits - logits.max(axis=2, keepdims=True))
    probs = up / up.sum(axis=2, keepdims=True)
    seen = tokens(np.matmul(probs, value), num_heads)
    out = np.matmul(seen, proj_weight.T)
    if proj_bias is not None:
        out = out + proj_bias
    saved = {"x": x, "w": qkv_weight, "wo": proj_weight, "h": num_heads}
    saved.update(query=query, key=key, value=value, probs=probs, seen=seen)
    saved["with_bias"] = (qkv_bias is not None, proj_bias is not None)
    return out, saved


def attention_backward(dout, cache):
    x, w, wo, h = cache["x"], cache["w"], cache["wo"], cache["h"]
    query, key, value = cache["query"], cache["key"], cache["value"]
    probs, seen = cache["probs"], cache["seen"]
    rows = dout.reshape(-1, dout.shape[-1])
    dwo = rows.T @ seen.reshape(rows.shape)
    dbo = rows.sum(axis=0)
    dseen = heads(dout @ wo, h)
    dvalue = np.matmul(probs.swapaxes(1, 2), dseen)
    dprobs = np.matmul(dseen, value.swapaxes(1, 2))
    inner = np.sum(dprobs * probs, axis=2, keepdims=True)
    dlogits = probs * (dprobs - inner)
    dlogits = dlogits / np.sqrt(query.shape[-1])
    dquery = np.matmul(dlogits, key)
    dkey = np.matmul(dlogits.swapaxes(1, 2), query)
    dmixed = np.concatenate([tokens(dquery, h), tokens(dkey, h), tokens(dvalue, h)], axis=2)
    wide = dmixed.reshape(len(rows), -1)
    dw = wide.T @ x.reshape(len(rows), -1)
    db = wide.sum(axis=0)
    dx = dmixed @ w
    with_in, with_out = cache["with_bias"]
    return dx, dw, db if with_in else None, dwo, dbo if with_out else None
""",
    "a_head_has_its_weights": """
import numpy as np


def attention_backward(dout, cache):
    x, w, b = cache["qkv_cache"]
    ctx, wo, bo = cache["proj_cache"]
    n_heads, size = cache["q"].shape[1], cache["q"].shape[3]
    width = n_heads * size
    dx = np.zeros_like(x)
    dw = np.zeros_like(w)
    db = np.zeros(3 * width, x.dtype)
    dwo = np.zeros_like(wo)
    for head in range(n_heads):
        cols = np.arange(head * size, (head + 1) * size)
        q, k, v = cache["q"][:, head], cache["k"][:, head], cache["v"][:, head]
        p = cache["attn"][:, head]
        dwo[:, cols] = np.einsum("bno,bnd->od", dout, ctx[:, :, cols])
        dc = dout @ wo[:, cols]
        dv = np.einsum("bij,bid->bjd", p, dc)
        dp = np.einsum("bid,bjd->bij", dc, v)
        ds = dp * p - p * np.einsum("bij,bij->bi", dp, p)[:, :, None]
        ds = ds * size**-0.5
        dq = np.einsum("bij,bjd->bid", ds, k)
        dk = np.einsum("bij,bid->bjd", ds, q)
        for part, grad in enumerate([dq, dk, dv]):
            mine = part * width + cols
            dx += grad @ w[mine]
            dw[mine] += np.einsum("bnd,bni->di", grad, x)
            db[mine] += grad.sum(axis=(0, 1))
    dbo = None if bo is None else dout.sum(axis=0).sum(axis=0)
    return dx, dw, None if b is None else db, dwo, dbo
""",
}

WRONG = [
    ("heads_in_the_batch", "not divided by the root of the head's size", "scale missing_factor", "dlogits = dlogits / np.sqrt(query.shape[-1])", "dlogits = dlogits * 1.0"),
    ("heads_in_the_batch", "softmax: inner forgotten", "missing_term elementwise", "probs * (dprobs - inner)", "probs * dprobs"),
    ("heads_in_the_batch", "softmax: inner over the queries", "wrong_axis", "np.sum(dprobs * probs, axis=2", "np.sum(dprobs * probs, axis=1"),
    ("heads_in_the_batch", "dvalue: probs not transposed", "transposed", "np.matmul(probs.swapaxes(1, 2), dseen)", "np.matmul(probs, dseen)"),
    ("heads_in_the_batch", "dkey with key", "wrong_variable", "np.matmul(dlogits.swapaxes(1, 2), query)", "np.matmul(dlogits.swapaxes(1, 2), key)"),
    ("heads_in_the_batch", "put back as v, k, q", "swapped", "[tokens(dquery, h), tokens(dkey, h), tokens(dvalue, h)]", "[tokens(dvalue, h), tokens(dkey, h), tokens(dquery, h)]"),
    ("heads_in_the_batch", "dseen reshaped to heads without swapping axes", "wrong_order", "dseen = heads(dout @ wo, h)", "dseen = (dout @ wo).reshape(query.shape)"),
    ("heads_in_the_batch", "dwo transposed at the end", "transposed", "dwo = rows.T @ seen.reshape(rows.shape)", "dwo = seen.reshape(rows.shape).T @ rows"),
    ("heads_in_the_batch", "both biases: averaged over the batch", "scale", "return dx, dw, db if with_in else None, dwo, dbo if with_out else None", "db, dbo = db / len(x), dbo / len(x)\n    return dx, dw, db if with_in else None, dwo, dbo if with_out else None"),
    ("heads_in_the_batch", "forward: not divided by the root", "scale missing_factor", " / np.sqrt(width // num_heads)", ""),
    ("heads_in_the_batch", "forward: softmax down the columns", "wrong_axis", "up / up.sum(axis=2, keepdims=True)", "up / up.sum(axis=1, keepdims=True)"),
    ("heads_in_the_batch", "forward: the keys are weighted, not the values", "wrong_variable", "np.matmul(probs, value)", "np.matmul(probs, key)"),
    ("heads_in_the_batch", "forward: the heads joined by a reshape alone", "wrong_order", "tokens(np.matmul(probs, value), num_heads)", "np.matmul(probs, value).reshape(x.shape)"),
    ("a_head_has_its_weights", "dx set, not added up", "dropped_head incomplete", "dx += grad", "dx[...] = grad"),
]  # fmt: skip
