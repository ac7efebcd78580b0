"""Block: other ways to write it."""

from ...ops import (
    attention_backward,
    attention_forward,
    drop_path_backward,
    drop_path_forward,
    dropout_backward,
    dropout_forward,
    layernorm_backward,
    layernorm_forward,
    mlp_backward,
    mlp_forward,
)


def branch_by_branch(dout, cache):
    """Back through each step of the forward; dbranch and dx are added where they meet."""
    if cache["norm"] == "pre":
        dbranch = drop_path_backward(dout, cache["path2"])
        dbranch = dropout_backward(dbranch, cache["drop2"])
        dbranch, *dmlp = mlp_backward(dbranch, cache["mlp"])
        dbranch, *dnorm2 = layernorm_backward(dbranch, cache["norm2"])
        dmiddle = dout + dbranch
        dbranch = drop_path_backward(dmiddle, cache["path1"])
        dbranch = dropout_backward(dbranch, cache["drop1"])
        dbranch, *dattn = attention_backward(dbranch, cache["attn"])
        dbranch, *dnorm1 = layernorm_backward(dbranch, cache["norm1"])
        dx = dmiddle + dbranch
    else:
        dsum, *dnorm2 = layernorm_backward(dout, cache["norm2"])
        dbranch = drop_path_backward(dsum, cache["path2"])
        dbranch = dropout_backward(dbranch, cache["drop2"])
        dbranch, *dmlp = mlp_backward(dbranch, cache["mlp"])
        dmiddle = dsum + dbranch
        dsum, *dnorm1 = layernorm_backward(dmiddle, cache["norm1"])
        dbranch = drop_path_backward(dsum, cache["path1"])
        dbranch = dropout_backward(dbranch, cache["drop1"])
        dbranch, *dattn = attention_backward(dbranch, cache["attn"])
        dx = dsum + dbranch
    grads = {
        "norm1.weight": dnorm1[0],
        "norm1.bias": dnorm1[1],
        "attn.qkv.weight": dattn[0],
        "attn.qkv.bias": dattn[1],
        "attn.proj.weight": dattn[2],
        "attn.proj.bias": dattn[3],
        "norm2.weight": dnorm2[0],
        "norm2.bias": dnorm2[1],
        "mlp.fc1.weight": dmlp[0],
        "mlp.fc1.bias": dmlp[1],
        "mlp.fc2.weight": dmlp[2],
        "mlp.fc2.bias": dmlp[3],
    }
    if grads["attn.qkv.bias"] is None:
        del grads["attn.qkv.bias"]
    return dx, grads


def step_by_step(
    x,
    params,
    num_heads,
    *,
    norm="pre",
    activation="gelu",
    eps=1e-6,
    drop_rate=0.0,
    attn_drop_rate=0.0,
    drop_path_rate=0.0,
    rng=None,
):
    """One line for each step, with a name for what comes of it."""
    gain1, shift1 = params["norm1.weight"], params["norm1.bias"]
    gain2, shift2 = params["norm2.weight"], params["norm2.bias"]
    qkv = params["attn.qkv.weight"], params.get("attn.qkv.bias")
    proj = params["attn.proj.weight"], params["attn.proj.bias"]
    fc1 = params["mlp.fc1.weight"], params["mlp.fc1.bias"]
    fc2 = params["mlp.fc2.weight"], params["mlp.fc2.bias"]
    if norm == "pre":
        normed = layernorm_forward(x, gain1, shift1, eps)[0]
        branch = attention_forward(normed, *qkv, *proj, num_heads, attn_drop_rate, rng)[0]
        branch = dropout_forward(branch, drop_rate, rng)[0]
        branch = drop_path_forward(branch, drop_path_rate, rng)[0]
        middle = x + branch
        normed = layernorm_forward(middle, gain2, shift2, eps)[0]
        branch = mlp_forward(normed, *fc1, *fc2, activation, drop_rate, rng)[0]
        branch = dropout_forward(branch, drop_rate, rng)[0]
        branch = drop_path_forward(branch, drop_path_rate, rng)[0]
        out = middle + branch
    else:
        branch = attention_forward(x, *qkv, *proj, num_heads, attn_drop_rate, rng)[0]
        branch = dropout_forward(branch, drop_rate, rng)[0]
        branch = drop_path_forward(branch, drop_path_rate, rng)[0]
        middle = layernorm_forward(x + branch, gain1, shift1, eps)[0]
        branch = mlp_forward(middle, *fc1, *fc2, activation, drop_rate, rng)[0]
        branch = dropout_forward(branch, drop_rate, rng)[0]
        branch = drop_path_forward(branch, drop_path_rate, rng)[0]
        out = layernorm_forward(middle + branch, gain2, shift2, eps)[0]
    return out, None


FORWARD = (step_by_step,)
BACKWARD = (branch_by_branch,)
