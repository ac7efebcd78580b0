"""Attention: mistakes that are often made."""

from itertools import permutations

from ..mistake import Mistake

_SPLIT = "qkv.reshape(B, N, 3, h, d).transpose(2, 0, 3, 1, 4)"
_QKV = "q, k, v = qkv[0], qkv[1], qkv[2]"
_PRODUCT = "(q @ k.swapaxes(-1, -2))"
_SCORES = f"scores = {_PRODUCT} * scale"
_SOFTMAX = "attn, attn_cache = softmax_forward(scores)"
_CONTEXT = "context = dropped @ v"
_MERGE = "context.transpose(0, 2, 1, 3).reshape(B, N, D)"
_PROJ = "linear_forward(context, proj_weight, proj_bias)"
_QKV_LINEAR = "linear_forward(x, qkv_weight, qkv_bias)"
_RETURN = "return out, cache"
_WIDTHS = (("D", "the whole width D"), ("N", "the number of tokens N"), ("h", "the heads h"))


def _scores(kind, code, message):
    return Mistake(kind, _SCORES, f"scores = {code}", message)


def _softmax(kind, code, message):
    return Mistake(kind, _SOFTMAX, f"attn = {code}\n    attn_cache = (attn,)", message)


def _split(code, message):
    return Mistake("wrong_order", _SPLIT, code, message)


def _context(kind, code, message):
    return Mistake(kind, _CONTEXT, f"context = {code}", message)


FORWARD = (
    _scores("scale", _PRODUCT, "the factor 1 / sqrt(d) is missing: scores = q @ k.T / sqrt(d)"),
    Mistake(
        "wrong_order",
        _MERGE,
        "context.reshape(B, N, D)",
        "heads and tokens are mixed: transpose context to (B, N, h, d), then reshape to (B, N, D)",
    ),
    _softmax(
        "wrong_axis",
        "softmax_forward(scores.swapaxes(-1, -2))[0].swapaxes(-1, -2)",
        "the softmax goes over who looks: it goes over at whom, the last axis of scores",
    ),
    _scores("scale", f"{_PRODUCT} / d", "the scores are divided by d: it should be sqrt(d), once"),
    *(
        _scores(
            "scale",
            f"{_PRODUCT} * {letter}**-0.5",
            f"the scores are divided by the root of {what}: it is that of a head's width d = D / h",
        )
        for letter, what in _WIDTHS
    ),
    Mistake(
        "missing_factor",
        _RETURN,
        "return context, cache",
        "the last projection is missing: out = context @ proj_weight.T + proj_bias",
    ),
    Mistake(
        "transposed",
        _PROJ,
        "linear_forward(context, proj_weight.T, proj_bias)",
        "proj_weight is not transposed: out = context @ proj_weight.T + proj_bias",
    ),
    _split(
        "qkv.reshape(B, N, h, 3, d).transpose(3, 0, 2, 1, 4)",
        "qkv is split by head first: its columns are q of every head, then k, then v",
    ),
    _context(
        "transposed", "dropped.swapaxes(-1, -2) @ v", "attn is transposed: context = attn @ v"
    ),
    _softmax("missing_factor", "scores", "the softmax is missing: attn = softmax(scores)"),
    *(
        Mistake(
            "swapped",
            _QKV,
            f"{', '.join(order)} = qkv[0], qkv[1], qkv[2]",
            f"the three parts of qkv are taken as {', '.join(order)}: they are q, k, v",
        )
        for order in list(permutations("qkv"))[1:]
    ),
    Mistake(
        "wrong_variable",
        "h = num_heads",
        "h = 1",
        "there is one head of width D: there should be h heads of width d = D / h",
    ),
    _split(
        "qkv.reshape(B, N, 3, d, h).transpose(2, 0, 4, 1, 3)",
        "the width is split as (d, h): it is (h, d), head after head",
    ),
    _split(
        "qkv.reshape(B, N, 3, h * d).transpose(2, 0, 1, 3).reshape(3, B, h, N, d)",
        "heads and tokens are mixed: reshape to (B, N, h, d), then transpose to (B, h, N, d)",
    ),
    _split(
        "qkv.reshape(3, B, h, N, d)",
        "qkv is only reshaped: without transpose, q, k, v, images and tokens are mixed",
    ),
    *(
        Mistake("wrong_variable", _PRODUCT, f"({product}.swapaxes(-1, -2))", message)
        for product, message in (
            ("q @ q", "q meets itself: scores = q @ k.T"),
            ("k @ k", "k meets itself: scores = q @ k.T"),
            ("q @ v", "v stands where k belongs: scores = q @ k.T"),
        )
    ),
    Mistake(
        "transposed",
        _PRODUCT,
        "(q @ k.reshape(B, h, d, N))",
        "k is reshaped where it should be transposed: scores = q @ k.T",
    ),
    _context("wrong_variable", "dropped @ k", "k stands where v belongs: context = attn @ v"),
    Mistake(
        "wrong_order",
        f"{_SCORES}  # (B, h, N, N): row = who looks, column = at whom\n    {_SOFTMAX}",
        f"scores = {_PRODUCT}\n    attn = softmax_forward(scores)[0] * scale\n"
        "    attn_cache = (attn,)",
        "1 / sqrt(d) comes after the softmax: it belongs to the scores, before it",
    ),
    _softmax(
        "missing_factor",
        "get_array_module(x).exp(scores)",
        "exp(scores) is not divided by the sum of its row: attn = softmax(scores)",
    ),
    _softmax(
        "wrong_axis",
        "softmax_forward(scores.swapaxes(-1, 1))[0].swapaxes(-1, 1)",
        "the softmax goes over the heads: it goes over the last axis of scores",
    ),
    _softmax(
        "wrong_axis",
        "softmax_forward(scores.reshape(-1))[0].reshape(B, h, N, N)",
        "the softmax goes over all scores: each row of the last axis goes by itself",
    ),
    Mistake(
        "missing_term",
        _QKV_LINEAR,
        "linear_forward(x, qkv_weight, None)",
        "qkv_bias is missing: q, k, v are parts of x @ qkv_weight.T + qkv_bias",
    ),
    Mistake(
        "missing_term",
        _PROJ,
        "linear_forward(context, proj_weight, None)",
        "proj_bias is missing: out = context @ proj_weight.T + proj_bias",
    ),
    _context(
        "dropped_head",
        "dropped[:, :1] @ v",
        "every head uses the attention of the first: each head has its own attn",
    ),
    _context(
        "dropped_head",
        "dropped @ v\n    context[:, 1:] = 0",
        "only the first head is there: the heads stand side by side in context",
    ),
    _context(
        "dropped_head",
        "dropped @ v\n    context[:, -1] = 0",
        "the last head is missing: the heads stand side by side in context",
    ),
    Mistake(
        "transposed",
        _QKV_LINEAR,
        "linear_forward(\n"
        "        x, qkv_weight.reshape(3, D, D).swapaxes(1, 2).reshape(3 * D, D), qkv_bias\n"
        "    )",
        "the weights of q, k and v are not transposed: q = x @ wq.T, and k and v like it",
    ),
    _softmax(
        "other_forward",
        "softmax_forward(scores + get_array_module(x).tri(N, k=0) * 1e4)[0]",
        "tokens look back only, as in a language model: here every token looks at every token",
    ),
)

_DSPLIT = "dcontext.reshape(B, N, h, d).transpose(0, 2, 1, 3)"
_DDROPPED = "dcontext @ v.swapaxes(-1, -2)"
_DV = "dropped.swapaxes(-1, -2) @ dcontext"
_DSOFTMAX = 'dscores = softmax_backward(dattn, cache["attn_cache"])'
_DSCALE = "dscores = dscores * scale"
_DQ = "dscores @ k"
_DK = "dscores.swapaxes(-1, -2) @ q"
_JOIN = "_join_heads(dq, dk, dv)"
_DRETURN = "return dx, "
_STACK = "get_array_module(q).stack([dq, dk, dv])"
_TOGETHER = "reshape(B, N, 3 * h * d)"


def _dsoftmax(kind, code, message):
    return Mistake(kind, _DSOFTMAX, f'attn = cache["attn"]\n    dscores = {code}', message)


def _returned(kind, name, code, message):
    return Mistake(kind, _DRETURN, f"{name} = {code}\n    {_DRETURN}", message)


def _rows(name):
    return f"{name}.reshape(B * N, -1)"


def _parameters_of(part, message):
    """The gradients of all parameters, made of some images only."""
    lines = (
        f'qkv_cache = given.x[{part}], *cache["qkv_cache"][1:]',
        f'proj_cache = cache["context"][{part}], *cache["proj_cache"][1:]',
        f"dqkv_weight, dqkv_bias = linear_backward(dqkv[{part}], qkv_cache)[1:]",
        f"dproj_weight, dproj_bias = linear_backward(dout[{part}], proj_cache)[1:]",
        _DRETURN,
    )
    return Mistake("incomplete", _DRETURN, "\n    ".join(lines), message)


BACKWARD = (
    Mistake(
        "scale",
        _DSCALE,
        "dscores = dscores * 1",
        "the factor 1 / sqrt(d) of the scores is missing: scores = q @ k.T / sqrt(d)",
    ),
    _dsoftmax(
        "missing_term",
        "attn * dattn",
        "the sum in the backward of softmax is missing: attn * (dattn - sum(dattn * attn))",
    ),
    _dsoftmax(
        "elementwise",
        "dattn * attn * (1 - attn)",
        "softmax is treated as if each score were by itself: attn depends on its whole row",
    ),
    Mistake(
        "transposed",
        _DV,
        "dropped @ dcontext",
        "attn is not transposed in dv: context = attn @ v, so dv = attn.T @ dcontext",
    ),
    Mistake(
        "transposed",
        _DK,
        "dscores @ q",
        "dscores is not transposed in dk: scores = q @ k.T, so dk = dscores.T @ q",
    ),
    Mistake(
        "transposed",
        _DQ,
        "dscores.swapaxes(-1, -2) @ k",
        "dscores is transposed in dq: scores = q @ k.T, so dq = dscores @ k",
    ),
    Mistake(
        "wrong_order",
        _DSPLIT,
        "dcontext.reshape(B, h, N, d)",
        "heads and tokens are mixed: reshape dcontext to (B, N, h, d), then transpose",
    ),
    Mistake(
        "wrong_order",
        _JOIN,
        "get_array_module(q).concatenate(\n"
        "        [part.reshape(B, N, h * d) for part in (dq, dk, dv)], axis=-1\n"
        "    )",
        "heads and tokens are mixed: transpose dq, dk, dv to (B, N, h, d) before the reshape",
    ),
    Mistake(
        "scale",
        _DSCALE,
        "dscores = dscores * scale * scale",
        "dscores is divided by d: it should be sqrt(d), once",
    ),
    Mistake(
        "scale",
        _DSCALE,
        "dscores = dscores / scale",
        "dscores is multiplied by sqrt(d): it should be divided by it, as the scores are",
    ),
    Mistake(
        "scale",
        _DSCALE,
        "dscores = dscores * (h * d) ** -0.5",
        "dscores is divided by sqrt(D): it is sqrt(d), the width of one head, d = D / h",
    ),
    Mistake(
        "missing_factor",
        _DSPLIT,
        "dout.reshape(B, N, h, d).transpose(0, 2, 1, 3)",
        "proj_weight is missing in dcontext: dcontext = dout @ proj_weight",
    ),
    Mistake(
        "wrong_variable",
        _DQ,
        "dscores @ q",
        "q stands where k belongs: scores = q @ k.T, so dq = dscores @ k",
    ),
    Mistake(
        "wrong_variable",
        _DK,
        "dscores.swapaxes(-1, -2) @ k",
        "k stands where q belongs: scores = q @ k.T, so dk = dscores.T @ q",
    ),
    *(
        Mistake(
            "swapped",
            _JOIN,
            f"_join_heads({', '.join(order)})",
            f"the parts are put back as {', '.join(order)}: qkv was split as q, k, v",
        )
        for order in list(permutations(("dq", "dk", "dv")))[1:]
    ),
    *(
        Mistake(
            "dropped_head",
            _JOIN,
            f"_join_heads({', '.join(parts)})",
            f"{name}'s part is missing: x feeds q, k and v, and dqkv holds all three",
        )
        for name, parts in (
            ("q", ("0 * dq", "dk", "dv")),
            ("k", ("dq", "0 * dk", "dv")),
            ("v", ("dq", "dk", "0 * dv")),
        )
    ),
    *(
        _returned(
            "fork",
            "dx",
            f'linear_backward(_join_heads({parts}), cache["qkv_cache"])[0]',
            f"only {name}'s way is in dx: x feeds q, k and v, so the three gradients add up",
        )
        for name, parts in (
            ("q", "dq, 0 * dk, 0 * dv"),
            ("k", "0 * dq, dk, 0 * dv"),
            ("v", "0 * dq, 0 * dk, dv"),
        )
    ),
    _parameters_of(
        "-1:", "only the last image is there: the parameters' gradients add up over the batch"
    ),
    _parameters_of(
        ":1", "only the first image is there: the parameters' gradients add up over the batch"
    ),
    _parameters_of(
        ":-1", "the last image is missing: the parameters' gradients add up over the batch"
    ),
    Mistake(
        "wrong_order",
        _JOIN,
        f"{_STACK}.transpose(1, 3, 2, 0, 4).{_TOGETHER}",
        "dqkv is joined head by head: its columns are dq of every head, then dk, then dv",
    ),
    Mistake(
        "wrong_order",
        _JOIN,
        f"{_STACK}.{_TOGETHER}",
        "dq, dk and dv are only reshaped: transpose to (B, N, 3, h, d) before it",
    ),
    Mistake(
        "transposed",
        _DDROPPED,
        "v @ dcontext.swapaxes(-1, -2)",
        "dattn is transposed: context = attn @ v, so dattn = dcontext @ v.T",
    ),
    Mistake(
        "wrong_variable",
        _DDROPPED,
        "dcontext @ k.swapaxes(-1, -2)",
        "k stands where v belongs: dattn = dcontext @ v.T",
    ),
    Mistake(
        "wrong_variable",
        _DV,
        "ddropped.swapaxes(-1, -2) @ dcontext",
        "dattn stands where attn belongs: dv = attn.T @ dcontext",
    ),
    Mistake(
        "missing_factor",
        _DV,
        "dcontext",
        "attn is missing in dv: context = attn @ v, so dv = attn.T @ dcontext",
    ),
    Mistake(
        "dropped_head",
        _DSPLIT,
        f"{_DSPLIT} * 1\n    dcontext[:, 1:] = 0",
        "only the first head is there: every head has its part in q, k and v",
    ),
    Mistake(
        "dropped_head",
        _DSPLIT,
        f"{_DSPLIT} * 1\n    dcontext[:, -1] = 0",
        "the last head is missing: every head has its part in q, k and v",
    ),
    Mistake(
        "incomplete",
        _DSOFTMAX,
        f"{_DSOFTMAX} * 1\n    dscores[:, :, -1] = 0",
        "dscores of the last token that looks (its last row) is 0",
    ),
    _returned(
        "transposed",
        "dx",
        "dqkv @ given.qkv_weight.reshape(3, h * d, h * d).swapaxes(1, 2).reshape(3 * h * d, h * d)",
        "the weights of q, k and v are transposed in dx: dx = dqkv @ qkv_weight, without",
    ),
    _returned(
        "transposed",
        "dqkv_weight",
        "dqkv_weight.reshape(3, h * d, h * d).swapaxes(1, 2).reshape(3 * h * d, h * d)",
        "the parts for q, k and v are transposed, each by itself: dwq = dq.T @ x, and so on",
    ),
    _returned(
        "wrong_variable",
        "dproj_weight",
        f"{_rows('dout')}.T @ {_rows('given.x')}",
        "x stands where context belongs: dproj_weight = dout.T @ context",
    ),
    _returned(
        "wrong_order",
        "dproj_weight",
        f"{_rows('dout')}.T @ {_rows('(dropped @ v)')}",
        "heads and tokens of context are mixed: it must be (B, N, h, d) before the reshape",
    ),
    _returned(
        "wrong_order",
        "dproj_weight",
        "dproj_weight.reshape(-1, h, d).swapaxes(1, 2).reshape(h * d, h * d)",
        "its columns are arranged as (d, h): they are (h, d), head after head",
    ),
    _returned(
        "wrong_variable",
        "dx",
        'linear_backward(_join_heads(dq + dk, 0 * dk, dv), cache["qkv_cache"])[0]',
        "k's part goes through q's weight: dx = dq @ wq + dk @ wk + dv @ wv",
    ),
)
