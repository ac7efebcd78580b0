"""Backwards broken on purpose: mistakes that are made when a derivative is written by hand.

Each is a change of a line or two of the true backward's source.
"""

# ruff: noqa: E501  the tables read best with one mutant a line

import inspect
import sys
from typing import NamedTuple


class Mutant(NamedTuple):
    """In the backward of `example`, `old` becomes `new`: the gradients named in `wrong` are wrong."""

    example: str
    mistake: str
    old: str
    new: str
    wrong: str


def broken(backward, mutant):
    """The backward with the mutant's mistake in it."""
    source = inspect.getsource(backward)
    signature, docstring, code = source.split('"""')
    assert code.count(mutant.old) == 1, f"adapt the mutant to the new source: {mutant}"
    module = sys.modules[backward.__module__]
    namespace = dict(vars(module))
    exec(signature + code.replace(mutant.old, mutant.new), namespace)
    return namespace[backward.__name__]


QKV = "dx dqkv_weight dqkv_bias"
ALL_BLOCK = (
    "dx norm1.weight norm1.bias attn.qkv.weight attn.qkv.bias attn.proj.weight attn.proj.bias"
)
BLOCKS = "dimages cls_token patch_embed.proj.bias blocks.0.mlp.fc1.weight"
BELOW_NORM = f"{BLOCKS} norm.weight norm.bias"
FC1 = "dx dfc1_weight dfc1_bias"

MUTANTS = [
    # patchify
    Mutant("patchify", "wrong axes", "(0, 3, 1, 4, 2, 5)", "(0, 3, 1, 5, 2, 4)", "dimages"),
    Mutant("patchify", "no transpose", ".transpose(0, 3, 1, 4, 2, 5)", "", "dimages"),
    Mutant("patchify", "channel last", "C, P, P)", "P, P, C).transpose(0, 1, 2, 5, 3, 4)", "dimages"),
    Mutant("patchify", "mean", "return dx.", "return (dx / (P * P)).", "dimages"),
    # linear
    Mutant("linear", "mean of rows", "= drows.T @ rows", "= drows.T @ rows / len(rows)", "dweight"),
    Mutant("linear", "mean, not sum", "drows.sum(axis=0)", "drows.mean(axis=0)", "dbias"),
    Mutant("linear", "1/B", "drows.T @ rows ", "drows.T @ rows / len(x) ", "dweight"),
    Mutant("linear", "1/N", "drows.sum(axis=0)", "drows.sum(axis=0) / x.shape[1]", "dbias"),
    Mutant("linear", "transposed", "= drows.T @ rows", "= rows.T @ drows", "dweight"),
    Mutant("linear", "wrong axis", "drows.sum(axis=0)", "drows.sum(axis=1)", "dbias"),
    Mutant("linear", "sign", "(drows @ weight)", "(-drows @ weight)", "dx"),
    Mutant("linear", "swapped", "dx, dweight, dbias", "dx, dbias, dweight", "dweight dbias"),
    Mutant("linear", "first row only", "= drows.T @ rows", "= drows[:1].T @ rows[:1]", "dweight"),
    Mutant("linear, no bias", "x2", "= drows.T @ rows", "= 2 * drows.T @ rows", "dweight"),
    # embed
    Mutant("embed", "patches shifted", "dout[:, 1:]", "dout[:, :-1]", "dtokens"),
    Mutant("embed", "the last token", "dout[:, :1]", "dout[:, -1:]", "dcls_token"),
    Mutant("embed", "mean of batch", "dout.sum(axis=0, k", "dout.mean(axis=0, k", "dpos_embed"),
    Mutant("embed", "one image only", "dout.sum(axis=0, k", "dout[:1].sum(axis=0, k", "dpos_embed"),
    Mutant("embed", "swapped", "dtokens, dcls_token, dpos_embed", "dtokens, dpos_embed, dcls_token", "dcls_token dpos_embed"),
    Mutant("embed", "gradient left out", "return dtokens, dcls_token, dpos_embed", "return dtokens, dcls_token, None", "dpos_embed"),
    # layernorm
    Mutant("layernorm", "mean's way dropped", "dxhat - mean_dxhat - ", "dxhat - ", "dx"),
    Mutant("layernorm", "variance's way dropped", " - xhat * mean_dxhat_xhat)", ")", "dx"),
    Mutant("layernorm", "both ways dropped", "(dxhat - mean_dxhat - xhat * mean_dxhat_xhat)", "dxhat", "dx"),
    Mutant("layernorm", "no std", "mean_dxhat_xhat) / std", "mean_dxhat_xhat)", "dx"),
    Mutant("layernorm", "variance, not std", "mean_dxhat_xhat) / std", "mean_dxhat_xhat) / std**2", "dx"),
    Mutant("layernorm", "weight forgotten", "dxhat = dout * weight", "dxhat = dout", "dx"),
    Mutant("layernorm", "sum, not mean", "mean_dxhat = dxhat.mean", "mean_dxhat = dxhat.sum", "dx"),
    Mutant("layernorm", "D - 1", "(dxhat * xhat).mean(axis=-1, keepdims=True)", "(dxhat * xhat).sum(axis=-1, keepdims=True) / (xhat.shape[-1] - 1)", "dx"),
    Mutant("layernorm", "sign", "- xhat *", "+ xhat *", "dx"),
    Mutant("layernorm", "wrong axis", "dxhat.mean(axis=-1,", "dxhat.mean(axis=1,", "dx"),
    Mutant("layernorm", "xhat forgotten", "(dout * xhat).sum(", "dout.sum(", "dweight"),
    Mutant("layernorm", "one axis summed", "dbias = dout.sum(axis=tokens)", "dbias = dout.sum(axis=0)", "dbias"),
    Mutant("layernorm", "swapped", "dx, dweight, dbias", "dx, dbias, dweight", "dweight dbias"),
    # softmax
    Mutant("softmax", "diagonal only", "out * (dout - s)", "out * (1 - out) * dout", "dx"),
    Mutant("softmax", "no mixing", "(dout - s)", "dout", "dx"),
    Mutant("softmax", "out forgotten in the sum", "(dout * out).sum", "dout.sum", "dx"),
    Mutant("softmax", "out forgotten in front", "return out * (dout - s)", "return dout - s", "dx"),
    Mutant("softmax", "mean, not sum", ".sum(axis=-1", ".mean(axis=-1", "dx"),
    Mutant("softmax", "wrong axis", "sum(axis=-1", "sum(axis=-2", "dx"),
    Mutant("softmax", "whole array", "sum(axis=-1", "sum(axis=None", "dx"),
    Mutant("softmax", "sign", "(dout - s)", "(dout + s)", "dx"),
    Mutant("softmax", "transposed", "out * (dout - s)", "(out * (dout - s)).swapaxes(-1, -2)", "dx"),
    Mutant("softmax", "right for a dout of ones", "(dout - s)", "(dout - dout.mean(axis=-1, keepdims=True))", "dx"),
    # log_softmax
    Mutant("log_softmax", "no mixing", " - xp.exp(out) * dout.sum(axis=-1, keepdims=True)", "", "dx"),
    Mutant("log_softmax", "no exp", "xp.exp(out)", "out", "dx"),
    Mutant("log_softmax", "dout of a one-hot", "dout.sum(axis=-1, keepdims=True)", "1", "dx"),
    Mutant("log_softmax", "mean, not sum", "dout.sum", "dout.mean", "dx"),
    Mutant("log_softmax", "wrong axis", "axis=-1", "axis=-2", "dx"),
    Mutant("log_softmax", "sign", "dout - xp", "dout + xp", "dx"),
    # attention
    Mutant("attention", "sqrt(d) forgotten", "dscores = dscores * scale", "dscores = dscores", QKV),
    Mutant("attention", "sqrt(d) divided", "dscores * scale", "dscores / scale", QKV),
    Mutant("attention", "sqrt(D)", "scale = d**-0.5", "scale = (h * d) ** -0.5", QKV),
    Mutant("attention", "d, not sqrt(d)", "scale = d**-0.5", "scale = 1 / d", QKV),
    Mutant("attention", "softmax forgotten", "softmax_backward(dattn, cache[\"attn_cache\"])", "dattn", QKV),
    Mutant("attention", "attn not transposed", "dropped.swapaxes(-1, -2) @", "dropped @", QKV),
    Mutant("attention", "scores not transposed", "dscores.swapaxes(-1, -2) @ q", "dscores @ q", QKV),
    Mutant("attention", "scores transposed for q", "dscores @ k", "dscores.swapaxes(-1, -2) @ k", QKV),
    Mutant("attention", "q for k", "dscores @ k ", "dscores @ q ", QKV),
    Mutant("attention", "k and q swapped", "_join_heads(dq, dk, dv)", "_join_heads(dk, dq, dv)", QKV),
    Mutant("attention", "v's way dropped", "_join_heads(dq, dk, dv)", "_join_heads(dq, dk, 0 * dv)", QKV),
    Mutant("attention", "k's way dropped", "_join_heads(dq, dk, dv)", "_join_heads(dq, 0 * dk, dv)", "dx dqkv_weight"),
    Mutant("attention", "heads and tokens mixed", "reshape(B, N, h, d).transpose(0, 2, 1, 3)", "reshape(B, h, N, d)", QKV),
    Mutant("attention", "square weight transposed", "dx, dqkv_weight, dqkv_bias, dproj_weight,", "dx, dqkv_weight, dqkv_bias, dproj_weight.T,", "dproj_weight"),
    Mutant("attention", "1/N", "dv = dropped", "dv = 1 / N * dropped", QKV),
    Mutant("attention", "swapped", "dqkv_bias, dproj_weight, dproj_bias\n", "dproj_bias, dproj_weight, dqkv_bias\n", "dqkv_bias dproj_bias"),
    # gelu
    Mutant("gelu", "no product rule", " + x * dgate", "", "dx"),
    Mutant("gelu", "gate forgotten", "(gate + x * dgate)", "(x * dgate)", "dx"),
    Mutant("gelu", "x forgotten", "x * dgate", "dgate", "dx"),
    Mutant("gelu", "1/2 forgotten", "-0.5 * x * x", "-x * x", "dx"),
    Mutant("gelu", "sqrt forgotten", "sqrt(1 / (2 * pi))", "(1 / (2 * pi))", "dx"),
    Mutant("gelu", "the tanh form's", 'if approximate == "none"', 'gate, approximate = 0.5 * (1 + xp.tanh(sqrt(2 / pi) * (x + 0.044715 * x * x * x))), "tanh"\n    if approximate == "none"', "dx"),
    Mutant("gelu, tanh", "the exact one's", 'if approximate == "none"', "if True", "dx"),
    Mutant("gelu, tanh", "3 forgotten", "1 + 3 * 0.044715", "1 + 0.044715", "dx"),
    Mutant("gelu, tanh", "2 forgotten", "2 * gate * (1 - gate)", "gate * (1 - gate)", "dx"),
    Mutant("gelu, tanh", "du forgotten", "(1 - gate) * du", "(1 - gate)", "dx"),
    # relu
    Mutant("relu", "no mask", "dout * positive", "dout", "dx"),
    Mutant("relu", "mask turned round", "dout * positive", "dout * ~positive", "dx"),
    Mutant("relu", "forward again", "dout * positive", "dout * (dout > 0)", "dx"),
    # mlp
    Mutant("mlp", "no activation", "backward(dactive, activation_cache)", "dactive", FC1),
    Mutant("mlp", "activation of dout", "linear_backward(dhidden, fc1", "linear_backward(dactive, fc1", FC1),
    Mutant("mlp", "swapped biases", "dx, dfc1_weight, dfc1_bias, dfc2_weight, dfc2_bias", "dx, dfc1_weight, dfc2_bias, dfc2_weight, dfc1_bias", "dfc1_bias dfc2_bias"),
    Mutant("mlp", "swapped weights", "dx, dfc1_weight, dfc1_bias, dfc2_weight, dfc2_bias", "dx, dfc2_weight.T, dfc1_bias, dfc1_weight.T, dfc2_bias", "dfc1_weight dfc2_weight"),
    Mutant("mlp, gelu_tanh", "the exact gelu's", "activation_cache, drop_cache, fc2_cache = cache", "activation_cache, drop_cache, fc2_cache = cache\n    activation_cache = *activation_cache[:2], 'none'", FC1),
    Mutant("mlp, relu", "x2", "(dactive, activation_cache)", "(2 * dactive, activation_cache)", FC1),
    # block
    Mutant("block", "second fork forgotten", "dx = dout + dnorm2(dmlp(dout))", "dx = dnorm2(dmlp(dout))", ALL_BLOCK),
    Mutant("block", "first fork forgotten", "dx = dx + dnorm1(dattention(dx))", "dx = dnorm1(dattention(dx))", "dx"),
    Mutant("block", "branch forgotten", "dx = dout + dnorm2(dmlp(dout))", "dnorm2(dmlp(dout))\n        dx = dout", ALL_BLOCK),
    Mutant("block", "residual twice", "dx = dx + dnorm1(dattention(dx))", "dx = 2 * dx + dnorm1(dattention(dx))", "dx"),
    Mutant("block", "norms swapped", 'grads["norm1.weight"], grads["norm1.bias"]', 'grads["norm1.bias"], grads["norm1.weight"]', "norm1.weight norm1.bias"),
    Mutant("block", "1/B", "dx, *dweights = mlp_backward(dx, cache[\"mlp\"])", "dx, *dweights = mlp_backward(dx, cache[\"mlp\"])\n        dweights = [w / len(dx) for w in dweights]", "mlp.fc1.weight mlp.fc1.bias mlp.fc2.weight mlp.fc2.bias"),
    Mutant("block", "a gradient forgotten", "if grads[name] is not None}", 'if name != "attn.proj.bias"}', "attn.proj.bias"),
    Mutant("block, post", "second fork forgotten", "dx = dx + dmlp(dx)", "dx = dmlp(dx)", ALL_BLOCK),
    Mutant("block, post", "first fork forgotten", "dx = dx + dattention(dx)", "dx = dattention(dx)", "dx"),
    Mutant("block, post", "pre's order", 'if cache["norm"] == "pre"', "if True", ALL_BLOCK + " mlp.fc1.weight mlp.fc1.bias mlp.fc2.weight mlp.fc2.bias norm2.weight norm2.bias"),
    # cross_entropy
    Mutant("cross_entropy", "1/B forgotten", "dloss / B", "dloss", "dlogits"),
    Mutant("cross_entropy", "1/K", "dloss / B", "dloss / log_probs.shape[1]", "dlogits"),
    Mutant("cross_entropy", "dloss forgotten", "dloss / B", "1 / B", "dlogits"),
    Mutant("cross_entropy", "sign", "(xp.exp(log_probs) - target)", "(target - xp.exp(log_probs))", "dlogits"),
    Mutant("cross_entropy", "no exp", "xp.exp(log_probs)", "log_probs", "dlogits"),
    Mutant("cross_entropy", "target only", "(xp.exp(log_probs) - target)", "(-target)", "dlogits"),
    Mutant("cross_entropy, smoothed", "hard target", "- target", "- (target == target.max(axis=1, keepdims=True))", "dlogits"),
    # dropout, drop_path
    Mutant("dropout", "mask forgotten", "dout * keep", "dout", "dx"),
    Mutant("dropout", "not scaled", "dout * keep", "dout * (keep > 0)", "dx"),
    Mutant("dropout", "another mask", "dout * keep", "dout * keep[::-1]", "dx"),
    Mutant("drop_path", "mask forgotten", "dout * keep", "dout", "dx"),
    Mutant("drop_path", "not scaled", "dout * keep", "dout * (keep > 0)", "dx"),
    Mutant("drop_path", "mask turned round", "dout * keep", "dout * (keep.max() - keep)", "dx"),
    # conv2d
    Mutant("conv2d", "not added up", "seen[:, :, :rows, :cols] +=", "seen[:, :, :rows, :cols] =", "dimages"),
    Mutant("conv2d", "filter turned round", "dwindows[..., i, j]", "dwindows[..., kh - 1 - i, kw - 1 - j]", "dimages"),
    Mutant("conv2d", "padding forgotten", "padding : padding + H, padding : padding + W", ":H, :W", "dimages"),
    Mutant("conv2d", "padding left on", "[:, :, padding : padding + H, padding : padding + W]", "", "dimages"),
    Mutant("conv2d", "batch and place mixed", "dout.transpose(0, 2, 3, 1)", "dout.transpose(2, 3, 0, 1)", "dimages dweight"),
    Mutant("conv2d", "mean, not sum", "drows.sum(axis=0)", "drows.mean(axis=0)", "dbias"),
    Mutant("conv2d", "1/B", "(drows.T @ windows)", "(drows.T @ windows / B)", "dweight"),
    Mutant("conv2d", "kernel transposed", "return dimages, dweight", "return dimages, dweight.swapaxes(-1, -2)", "dweight"),
    Mutant("conv2d, stride 2", "stride forgotten", "i : i + rows * stride : stride", "i : i + rows", "dimages"),
    # maxpool2d
    Mutant("maxpool2d", "spread evenly", "dout[..., None] * won", "dout[..., None] * (0 * won + 1) / size**2", "dx"),
    Mutant("maxpool2d", "no mask", "dout[..., None] * won", "dout[..., None] * (0 * won + 1)", "dx"),
    Mutant("maxpool2d", "rows and columns mixed", "(0, 1, 2, 4, 3, 5)", "(0, 1, 2, 5, 3, 4)", "dx"),
    Mutant("maxpool2d", "left-out pixels dropped", "return dx", "return dx[:, :, : rows * size, : cols * size]", "dx"),
]  # fmt: skip

VIT_MUTANTS = [
    Mutant("avg", "pool's 1/N forgotten", "dpool[:, None] / config.num_patches", "dpool[:, None]", BELOW_NORM),
    Mutant("avg", "class token counted", "/ config.num_patches", "/ (config.num_patches + 1)", BELOW_NORM),
    Mutant("avg", "class token in the mean", "dx[:, first:] = dpool[:, None]", "dx[:] = dpool[:, None]", BELOW_NORM),
    Mutant("token", "the last token", "dx[:, 0] = dpool", "dx[:, -1] = dpool", f"{BLOCKS} norm.weight"),
    Mutant("token", "every token", "dx[:, 0] = dpool", "dx[:] = dpool[:, None]", BELOW_NORM),
    Mutant("token", "norm skipped", "dx, grads[\"norm.weight\"]", "_, grads[\"norm.weight\"]", BLOCKS),
    Mutant("token", "blocks in forward order", "reversed(range(config.depth))", "range(config.depth)", BLOCKS),
    Mutant("token", "a block's way forgotten", "dx, block_grads =", "_, block_grads =", "dimages cls_token pos_embed blocks.0.norm1.weight"),
    Mutant("token", "patch pixels transposed", "chans, P, P)", "chans, P, P).swapaxes(-1, -2)", "patch_embed.proj.weight"),
    Mutant("token", "1/B", "return dimages, {name: grads[name]", "return dimages, {name: grads[name] / len(dimages)", "cls_token head.weight head.bias norm.bias"),
    Mutant("token", "sign of the saliency", "return dimages, {", "return -dimages, {", "dimages"),
    Mutant("token", "positions do not learn", "= dpos_embed", "= 0 * dpos_embed", "pos_embed"),
]  # fmt: skip
