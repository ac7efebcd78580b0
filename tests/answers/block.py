"""Answers of students to the exercise block: right ones, and wrong ones with what is wrong."""

# ruff: noqa: E501  the table reads best with one mistake a line

RIGHT = {
    "both": """
from tinyvit.ops import (
    attention_backward,
    attention_forward,
    layernorm_backward,
    layernorm_forward,
    mlp_backward,
    mlp_forward,
)

ATTN = ["attn.qkv.weight", "attn.qkv.bias", "attn.proj.weight", "attn.proj.bias"]
MLP = ["mlp.fc1.weight", "mlp.fc1.bias", "mlp.fc2.weight", "mlp.fc2.bias"]


def block_forward(x, params, num_heads, *, norm="pre", activation="gelu", eps=1e-6):
    attn = [params.get(name) for name in ATTN]
    mlp = [params.get(name) for name in MLP]
    g1, b1 = params["norm1.weight"], params["norm1.bias"]
    g2, b2 = params["norm2.weight"], params["norm2.bias"]
    if norm == "pre":
        y, c1 = layernorm_forward(x, g1, b1, eps)
        y, c2 = attention_forward(y, *attn, num_heads)
        x = x + y
        y, c3 = layernorm_forward(x, g2, b2, eps)
        y, c4 = mlp_forward(y, *mlp, activation)
        x = x + y
    else:
        y, c2 = attention_forward(x, *attn, num_heads)
        x, c1 = layernorm_forward(x + y, g1, b1, eps)
        y, c4 = mlp_forward(x, *mlp, activation)
        x, c3 = layernorm_forward(x + y, g2, b2, eps)
    return x, (norm, list(params), c1, c2, c3, c4)


def block_backward(dout, cache):
    norm, names, c1, c2, c3, c4 = cache
    g = {}
    if norm == "pre":
        dy, *dmlp = mlp_backward(dout, c4)
        dy, g["norm2.weight"], g["norm2.bias"] = layernorm_backward(dy, c3)
        dx = dout + dy
        dy, *dattn = attention_backward(dx, c2)
        dy, g["norm1.weight"], g["norm1.bias"] = layernorm_backward(dy, c1)
        dx = dx + dy
    else:
        ds, g["norm2.weight"], g["norm2.bias"] = layernorm_backward(dout, c3)
        dm, *dmlp = mlp_backward(ds, c4)
        dh = ds + dm
        ds, g["norm1.weight"], g["norm1.bias"] = layernorm_backward(dh, c1)
        da, *dattn = attention_backward(ds, c2)
        dx = ds + da
    g.update(zip(ATTN, dattn))
    g.update(zip(MLP, dmlp))
    return dx, {name: g[name] for name in names}
""",
    "given_cache": """
from tinyvit.ops import attention_backward, layernorm_backward, mlp_backward


def norm_back(grads, number, dy, cache):
    dx, dw, db = layernorm_backward(dy, cache[f"norm{number}"])
    grads[f"norm{number}.weight"] = dw
    grads[f"norm{number}.bias"] = db
    return dx


def mlp_back(grads, dy, cache):
    dx, dw1, db1, dw2, db2 = mlp_backward(dy, cache["mlp"])
    grads["mlp.fc1.weight"], grads["mlp.fc1.bias"] = dw1, db1
    grads["mlp.fc2.weight"], grads["mlp.fc2.bias"] = dw2, db2
    return dx


def attn_back(grads, dy, cache):
    dx, dqkv, dqkv_bias, dproj, dproj_bias = attention_backward(dy, cache["attn"])
    grads["attn.qkv.weight"] = dqkv
    if dqkv_bias is not None:
        grads["attn.qkv.bias"] = dqkv_bias
    grads["attn.proj.weight"], grads["attn.proj.bias"] = dproj, dproj_bias
    return dx


def block_backward(dout, cache):
    grads = {}
    if cache["norm"] == "post":
        d = norm_back(grads, 2, dout, cache)
        d = d + mlp_back(grads, d, cache)
        d = norm_back(grads, 1, d, cache)
        d = d + attn_back(grads, d, cache)
        return d, grads
    branch = norm_back(grads, 2, mlp_back(grads, dout, cache), cache)
    middle = dout + branch
    branch = norm_back(grads, 1, attn_back(grads, middle, cache), cache)
    return middle + branch, grads
""",
    "steps": """
from tinyvit import ops


def pick(params, *names):
    return [params[name] if name in params else None for name in names]


def block_forward(x, params, num_heads, *, norm="pre", activation="gelu", eps=1e-6):
    n1 = pick(params, "norm1.weight", "norm1.bias")
    n2 = pick(params, "norm2.weight", "norm2.bias")
    at = pick(params, "attn.qkv.weight", "attn.qkv.bias", "attn.proj.weight", "attn.proj.bias")
    ml = pick(params, "mlp.fc1.weight", "mlp.fc1.bias", "mlp.fc2.weight", "mlp.fc2.bias")
    steps = {
        "norm1": lambda t: ops.layernorm_forward(t, *n1, eps),
        "attn": lambda t: ops.attention_forward(t, *at, num_heads),
        "norm2": lambda t: ops.layernorm_forward(t, *n2, eps),
        "mlp": lambda t: ops.mlp_forward(t, *ml, activation=activation),
    }
    order = ["fork", "norm1", "attn", "add", "fork", "norm2", "mlp", "add"]
    if norm == "post":
        order = ["fork", "attn", "add", "norm1", "fork", "mlp", "add", "norm2"]
    kept, caches = None, {}
    for name in order:
        if name == "fork":
            kept = x
        elif name == "add":
            x = kept + x
        else:
            x, caches[name] = steps[name](x)
    return x, (order, caches)


def block_backward(dout, cache):
    order, caches = cache
    back = {
        "norm1": (ops.layernorm_backward, ["norm1.weight", "norm1.bias"]),
        "norm2": (ops.layernorm_backward, ["norm2.weight", "norm2.bias"]),
        "attn": (ops.attention_backward, ["attn." + n for n in
                 ("qkv.weight", "qkv.bias", "proj.weight", "proj.bias")]),
        "mlp": (ops.mlp_backward, ["mlp." + n for n in
                ("fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias")]),
    }
    grads, d, kept = {}, dout, None
    for name in reversed(order):
        if name == "add":
            kept = d
        elif name == "fork":
            d = d + kept
        else:
            function, names = back[name]
            d, *rest = function(d, caches[name])
            for key, value in zip(names, rest):
                if value is not None:
                    grads[key] = value
    return d, grads
""",
    "forward": """
from tinyvit.ops import attention_forward, layernorm_forward, mlp_forward


def block_forward(x, params, num_heads, *, norm="pre", activation="gelu", eps=1e-6):
    def get(prefix):
        return params[prefix + ".weight"], params.get(prefix + ".bias")

    cache = {"norm": norm}
    for drop in ("drop1", "path1", "drop2", "path2"):
        cache[drop] = (None,)
    skip = x
    if norm == "pre":
        x, cache["norm1"] = layernorm_forward(x, *get("norm1"), eps)
    x, cache["attn"] = attention_forward(x, *get("attn.qkv"), *get("attn.proj"), num_heads)
    x = skip + x
    if norm == "post":
        x, cache["norm1"] = layernorm_forward(x, *get("norm1"), eps)
    skip = x
    if norm == "pre":
        x, cache["norm2"] = layernorm_forward(x, *get("norm2"), eps)
    x, cache["mlp"] = mlp_forward(x, *get("mlp.fc1"), *get("mlp.fc2"), activation)
    x = x + skip
    if norm == "post":
        x, cache["norm2"] = layernorm_forward(x, *get("norm2"), eps)
    return x, cache
""",
}

WRONG = [
    ("both", "pre: the second residual forgotten", "fork missing_term", "dx = dout + dy", "dx = dy"),
    ("both", "pre: the first residual forgotten", "fork missing_term", "dx = dx + dy", "dx = dy"),
    ("both", "pre: the attention's branch forgotten", "fork missing_term", "dx = dx + dy", "dx = dx + 0 * dy"),
    ("both", "pre: the MLP's branch forgotten", "fork missing_term", "dx = dout + dy", "dx = dout + 0 * dy"),
    ("both", "pre: the residual twice", "extra_term wrong_constant", "dx = dx + dy", "dx = 2 * dx + dy"),
    ("both", "pre: the branch subtracted", "sign", "dx = dout + dy", "dx = dout - dy"),
    ("both", "pre: the attention takes dout, not what the MLP's half gave", "wrong_variable fork missing_term", "attention_backward(dx, c2)", "attention_backward(dout, c2)"),
    ("both", "pre: dout, not dx, beside the attention", "wrong_variable fork missing_term", "dx = dx + dy", "dx = dout + dy"),
    ("both", "pre: the MLP's norm left out", "missing_factor missing_term", "dx = dout + dy", "dx = dout + mlp_backward(dout, c4)[0]"),
    ("both", "pre: the norms' caches exchanged", "wrong_variable swapped wrong_cache", "layernorm_backward(dy, c3)\n        dx", "layernorm_backward(dy, c1)\n        dx"),
    ("both", "post: the MLP's residual forgotten", "fork missing_term", "dh = ds + dm", "dh = dm"),
    ("both", "post: the attention's residual forgotten", "fork missing_term", "dx = ds + da", "dx = da"),
    ("both", "post: the residual taken before the norm", "wrong_variable other_forward", "dh = ds + dm", "dh = dout + dm"),
    ("both", "post: dh, not what came through the norm", "wrong_variable other_forward", "dx = ds + da", "dx = dh + da"),
    ("both", "post: the MLP takes dout past the norm", "wrong_variable missing_factor", "mlp_backward(ds, c4)", "mlp_backward(dout, c4)"),
    ("both", "post: the attention's branch subtracted", "sign", "dx = ds + da", "dx = ds - da"),
    ("both", "the weights of the two norms exchanged", "swapped", "    g.update(zip(ATTN, dattn))\n", '    g["norm1.weight"], g["norm2.weight"] = g["norm2.weight"], g["norm1.weight"]\n    g.update(zip(ATTN, dattn))\n'),
    ("both", "the shifts of the two norms exchanged", "swapped", "    g.update(zip(ATTN, dattn))\n", '    g["norm1.bias"], g["norm2.bias"] = g["norm2.bias"], g["norm1.bias"]\n    g.update(zip(ATTN, dattn))\n'),
    ("both", "every parameter's gradient divided by the batch", "scale", "{name: g[name] for name in names}", "{name: g[name] / len(dout) for name in names}"),
    ("both", "weight and bias of the norms exchanged", "swapped", "    g.update(zip(ATTN, dattn))\n", '    for n in ("norm1.", "norm2."):\n        g[n + "weight"], g[n + "bias"] = g[n + "bias"], g[n + "weight"]\n    g.update(zip(ATTN, dattn))\n'),
    ("both", "forward, pre: the first residual forgotten", "missing_term fork", "attention_forward(y, *attn, num_heads)\n        x = x + y", "attention_forward(y, *attn, num_heads)\n        x = y"),
    ("both", "forward, pre: the second residual forgotten", "missing_term fork", "mlp_forward(y, *mlp, activation)\n        x = x + y", "mlp_forward(y, *mlp, activation)\n        x = y"),
    ("both", "forward, pre: the normalised value on the residual's way", "wrong_variable other_forward", "y, c3 = layernorm_forward(x, g2, b2, eps)", "y, c3 = x, c3 = layernorm_forward(x, g2, b2, eps)"),
    ("both", "forward: the first norm's parameters in both", "wrong_variable", 'g2, b2 = params["norm2.weight"], params["norm2.bias"]', "g2, b2 = g1, b1"),
    ("both", "forward, pre: ReLU whatever is asked for", "other_forward", "y, c4 = mlp_forward(y, *mlp, activation)", 'y, c4 = mlp_forward(y, *mlp, "relu")'),
    ("given_cache", "post taken as pre: the MLP's half", "other_forward wrong_order", "        d = norm_back(grads, 2, dout, cache)\n        d = d + mlp_back(grads, d, cache)\n", "        d = dout + norm_back(grads, 2, mlp_back(grads, dout, cache), cache)\n"),
    ("given_cache", "pre taken as post: the MLP's half", "other_forward wrong_order", "    branch = norm_back(grads, 2, mlp_back(grads, dout, cache), cache)\n    middle = dout + branch\n", "    branch = norm_back(grads, 2, dout, cache)\n    middle = branch + mlp_back(grads, branch, cache)\n"),
    ("given_cache", "pre taken as post: the norm before the MLP's backward", "wrong_order other_forward", "norm_back(grads, 2, mlp_back(grads, dout, cache), cache)", "mlp_back(grads, norm_back(grads, 2, dout, cache), cache)"),
    ("given_cache", "pre: attention's and MLP's halves beside each other", "wrong_variable fork missing_term", "attn_back(grads, middle, cache)", "attn_back(grads, dout, cache)"),
    ("given_cache", "the biases of the MLP divided by the tokens", "scale sum_mean", 'grads["mlp.fc1.bias"] = dw1, db1', 'grads["mlp.fc1.bias"] = dw1, db1 / dy[..., 0].size'),
    ("given_cache", "the projection's weight transposed", "transposed", '= dproj, dproj_bias\n    return', '= dproj.T, dproj_bias\n    return'),
    ("given_cache", "the biases of projection and second layer have the wrong sign", "sign", 'grads["mlp.fc2.bias"] = dw2, db2', 'grads["mlp.fc2.bias"] = dw2, -db2'),
    ("given_cache", "q's and k's weights put back in another order", "swapped wrong_order", 'grads["attn.qkv.weight"] = dqkv\n', 'D = dx.shape[-1]\n    grads["attn.qkv.weight"] = dqkv.reshape(3, D, D)[[1, 0, 2]].reshape(3 * D, D)\n'),
    ("given_cache", "pre: the middle forgotten at the end", "fork missing_term", "return middle + branch, grads", "return branch, grads"),
    ("given_cache", "pre: dx twice as large", "scale", "return middle + branch, grads", "return 2 * (middle + branch), grads"),
    ("given_cache", "pre: the mean of the two ways", "scale sum_mean", "return middle + branch, grads", "return (middle + branch) / 2, grads"),
    ("given_cache", "pre: the last token's dx left zero", "incomplete", "return middle + branch, grads", "dx = middle + branch\n    dx[:, -1] = 0\n    return dx, grads"),
    ("steps", "the forks not added", "fork missing_term", "d = d + kept", "d = 1.0 * d"),
    ("steps", "the ways multiplied", "wrong_factor fork", "d = d + kept", "d = d * kept"),
    ("steps", "the way past the branch starts at dout in both halves", "wrong_variable fork", "kept = d\n        elif name == \"fork\":\n            d = d", "kept = dout\n        elif name == \"fork\":\n            d = d"),
    ("forward", "forward, post: the attention's residual forgotten", "missing_term fork", "x = skip + x\n", 'x = skip + x if norm == "pre" else x\n'),
    ("forward", "forward: the residual of the MLP is the block's input", "wrong_variable", '    skip = x\n    if norm == "pre":\n        x, cache["norm2"]', '    if norm == "pre":\n        x, cache["norm2"]'),
]  # fmt: skip
