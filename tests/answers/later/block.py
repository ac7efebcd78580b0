"""Later answers to the exercise block, written after the diagnosis was finished."""

# ruff: noqa: E501  the table reads best with one mistake a line

RIGHT = {
    "halves": """
from tinyvit.ops import (
    attention_backward,
    attention_forward,
    layernorm_backward,
    layernorm_forward,
    mlp_backward,
    mlp_forward,
)


def block_forward(x, params, num_heads, *, norm="pre", activation="gelu", eps=1e-6):
    p = dict(params)
    ln1 = p["norm1.weight"], p["norm1.bias"], eps
    ln2 = p["norm2.weight"], p["norm2.bias"], eps
    mha = [p["attn.qkv.weight"], p.get("attn.qkv.bias"), p["attn.proj.weight"]]
    mha += [p["attn.proj.bias"], num_heads]
    ffn = [p["mlp.fc1.weight"], p["mlp.fc1.bias"], p["mlp.fc2.weight"]]
    ffn += [p["mlp.fc2.bias"], activation]
    save = {"norm": norm, "keys": list(p)}
    if norm == "pre":
        u, save["ln1"] = layernorm_forward(x, *ln1)
        a, save["mha"] = attention_forward(u, *mha)
        mid = x + a
        w, save["ln2"] = layernorm_forward(mid, *ln2)
        f, save["ffn"] = mlp_forward(w, *ffn)
        out = mid + f
    else:
        a, save["mha"] = attention_forward(x, *mha)
        mid, save["ln1"] = layernorm_forward(x + a, *ln1)
        f, save["ffn"] = mlp_forward(mid, *ffn)
        out, save["ln2"] = layernorm_forward(mid + f, *ln2)
    return out, save


def block_backward(dout, cache):
    g = dict.fromkeys(cache["keys"])
    if cache["norm"] == "pre":
        dw, *ffn = mlp_backward(dout, cache["ffn"])
        dmid, *ln2 = layernorm_backward(dw, cache["ln2"])
        dmid = dmid + dout
        du, *mha = attention_backward(dmid, cache["mha"])
        dx, *ln1 = layernorm_backward(du, cache["ln1"])
        dx = dx + dmid
    else:
        dsum, *ln2 = layernorm_backward(dout, cache["ln2"])
        dmid, *ffn = mlp_backward(dsum, cache["ffn"])
        dmid = dmid + dsum
        dsum, *ln1 = layernorm_backward(dmid, cache["ln1"])
        dx, *mha = attention_backward(dsum, cache["mha"])
        dx = dx + dsum
    g["norm1.weight"], g["norm1.bias"] = ln1
    g["attn.qkv.weight"], qkv_bias, g["attn.proj.weight"], g["attn.proj.bias"] = mha
    if "attn.qkv.bias" in g:
        g["attn.qkv.bias"] = qkv_bias
    g["norm2.weight"], g["norm2.bias"] = ln2
    g["mlp.fc1.weight"], g["mlp.fc1.bias"], g["mlp.fc2.weight"], g["mlp.fc2.bias"] = ffn
    return dx, g
""",
    "table": """
from tinyvit import ops

NAMES = {
    "norm1": ("norm1.weight", "norm1.bias"),
    "attn": ("attn.qkv.weight", "attn.qkv.bias", "attn.proj.weight", "attn.proj.bias"),
    "norm2": ("norm2.weight", "norm2.bias"),
    "mlp": ("mlp.fc1.weight", "mlp.fc1.bias", "mlp.fc2.weight", "mlp.fc2.bias"),
}


def block_backward(dout, cache):
    found = {}

    def back(part, d):
        if part == "attn":
            d = ops.drop_path_backward(d, cache["path1"])
            d = ops.dropout_backward(d, cache["drop1"])
            d, *found[part] = ops.attention_backward(d, cache["attn"])
        elif part == "mlp":
            d = ops.drop_path_backward(d, cache["path2"])
            d = ops.dropout_backward(d, cache["drop2"])
            d, *found[part] = ops.mlp_backward(d, cache["mlp"])
        else:
            d, *found[part] = ops.layernorm_backward(d, cache[part])
        return d

    d = dout
    for n, branch in (("norm2", "mlp"), ("norm1", "attn")):
        if cache["norm"] == "pre":
            through = back(branch, d)
            through = back(n, through)
            d = d + through
        else:
            d = back(n, d)
            d = d + back(branch, d)
    grads = {}
    for part, names in NAMES.items():
        for name, value in zip(names, found[part]):
            if value is not None:
                grads[name] = value
    return d, grads
""",
}

WRONG = [
    ("halves", "pre: dout not added after the MLP", "fork missing_term", "dmid = dmid + dout", "dmid = dmid * 1.0"),
    ("halves", "pre: dmid not added after the attention", "fork missing_term", "dx = dx + dmid", "dx = dx * 1.0"),
    ("halves", "pre: dout at the end, for dmid", "wrong_variable fork missing_term", "dx = dx + dmid", "dx = dx + dout"),
    ("halves", "pre: minus the residual", "sign", "dx = dx + dmid", "dx = dx - dmid"),
    ("halves", "pre: the first norm left out on the way to x", "missing_factor wrong_variable", "dx = dx + dmid", "dx = du + dmid"),
    ("halves", "post: dsum of the MLP's half forgotten", "fork missing_term", "dmid = dmid + dsum", "dmid = dmid * 1.0"),
    ("halves", "ln1 and ln2 put into each other's names", "swapped", "    g[\"norm1.weight\"], g[\"norm1.bias\"] = ln1\n", "    ln1, ln2 = ln2, ln1\n    g[\"norm1.weight\"], g[\"norm1.bias\"] = ln1\n"),
    ("halves", "the norms' parameters divided by the batch", "scale", "    g[\"norm1.weight\"], g[\"norm1.bias\"] = ln1\n", "    ln1, ln2 = ([v / len(dout) for v in ln] for ln in (ln1, ln2))\n    g[\"norm1.weight\"], g[\"norm1.bias\"] = ln1\n"),
    ("halves", "forward, pre: x added again, not mid", "wrong_variable", "out = mid + f\n    else", "out = x + f\n    else"),
    ("halves", "forward, pre: no residual round the MLP", "missing_term fork", "out = mid + f\n    else", "out = f\n    else"),
    ("halves", "forward, pre: the residual of what was normalised", "wrong_variable other_forward", "mid = x + a\n", "mid = u + a\n"),
    ("halves", "forward, pre: the MLP takes mid, not normalised", "wrong_variable missing_factor other_forward", "mlp_forward(w, *ffn)", "mlp_forward(mid, *ffn)"),
    ("table", "pre: the norm's backward before the branch's", "wrong_order other_forward", "through = back(branch, d)\n            through = back(n, through)", "through = back(n, d)\n            through = back(branch, through)"),
    ("table", "pre: both branches start from dout", "wrong_variable fork missing_term", "through = back(branch, d)", "through = back(branch, dout)"),
]  # fmt: skip
