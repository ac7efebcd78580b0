"""Answers of students to the exercise embed: right ones, and wrong ones with what is wrong."""

# ruff: noqa: E501  the table reads best with one mistake a line

RIGHT = {
    "loops": """
import numpy as np


def embed_forward(tokens, cls_token, pos_embed):
    B, N, D = tokens.shape
    out = np.zeros((B, N + 1, D), tokens.dtype)
    for b in range(B):
        out[b, 0] = cls_token[0, 0]
        for n in range(N):
            out[b, n + 1] = tokens[b, n]
        if pos_embed is not None:
            out[b] += pos_embed[0]
    return out, pos_embed is not None


def embed_backward(dout, cache):
    B, T, D = dout.shape
    dtokens = np.zeros((B, T - 1, D), dout.dtype)
    dcls = np.zeros((1, 1, D), dout.dtype)
    dpos = np.zeros((1, T, D), dout.dtype)
    for b in range(B):
        dcls[0, 0] += dout[b, 0]
        dpos[0] += dout[b]
        for t in range(1, T):
            dtokens[b, t - 1] = dout[b, t]
    return dtokens, dcls, dpos if cache else None
""",
    "pieces": """
import numpy as np


def embed_backward(dout, cache):
    has_table = cache[0]
    dpos = np.sum(dout, axis=0)[None]
    dcls = dpos[:, 0:1].copy()
    dtokens = dout[:, 1:, :].copy()
    if not has_table:
        dpos = None
    return dtokens, dcls, dpos
""",
    "tiles": """
import numpy as np


def embed_forward(tokens, cls_token, pos_embed):
    front = np.tile(cls_token, (len(tokens), 1, 1))
    seq = np.hstack([front, tokens])
    if pos_embed is None:
        return seq, {"positions": False}
    return seq + pos_embed, {"positions": True}


def embed_backward(dout, cache):
    dfront, dtokens = np.split(dout, [1], axis=1)
    grads = {"cls": np.sum(dfront, axis=0, keepdims=True)}
    grads["pos"] = np.einsum("btd->td", dout)[None] if cache["positions"] else None
    return dtokens, grads["cls"], grads["pos"]
""",
    "ones": """
import numpy as np


def embed_backward(dout, cache):
    (has_positions,) = cache
    B, T, D = dout.shape
    ones = np.ones((1, B), dout.dtype)
    table = (ones @ dout.reshape(B, T * D)).reshape(1, T, D)
    cls = ones @ dout[:, 0]
    patches = dout[:, -(T - 1) :]
    return patches, cls[None], table if has_positions else None
""",
    "forward": """
import numpy as np


def embed_forward(tokens, cls_token, pos_embed):
    B, N, D = tokens.shape
    room = np.zeros((B, N + 1, D), tokens.dtype)
    room[:, :1] = cls_token
    room[:, 1:] = tokens
    has_positions = pos_embed is not None
    if has_positions:
        room = room + pos_embed
    return room, (has_positions,)
""",
}

WRONG = [
    ("loops", "the class token's gradient of the last image only", "incomplete", "dcls[0, 0] += dout", "dcls[0, 0] = dout"),
    ("loops", "the positions' gradient of the last image only", "incomplete", "dpos[0] += dout", "dpos[0] = dout"),
    ("loops", "the tokens shifted by one", "wrong_order", "dtokens[b, t - 1] = dout[b, t]", "dtokens[b, t - 1] = dout[b, t - 1]"),
    ("loops", "the last token left zero", "incomplete", "for t in range(1, T):", "for t in range(1, T - 1):"),
    ("loops", "the class token's gradient subtracted", "sign", "dcls[0, 0] += dout", "dcls[0, 0] -= dout"),
    ("loops", "the class token is the last", "wrong_order wrong_variable", "dcls[0, 0] += dout[b, 0]", "dcls[0, 0] += dout[b, -1]"),
    ("loops", "forward: the class token at the end", "wrong_order", "out = np.zeros((B, N + 1, D), tokens.dtype)\n    for b in range(B):\n        out[b, 0] = cls_token[0, 0]\n        for n in range(N):\n            out[b, n + 1]", "out = np.zeros((B, N + 1, D), tokens.dtype)\n    for b in range(B):\n        out[b, N] = cls_token[0, 0]\n        for n in range(N):\n            out[b, n]"),
    ("loops", "forward: the class token in front of the first image only", "incomplete", "out[b, 0] = cls_token[0, 0]", "out[0, 0] = cls_token[0, 0]"),
    ("pieces", "the mean over the batch", "scale sum_mean", "np.sum(dout, axis=0)[None]", "np.mean(dout, axis=0)[None]"),
    ("pieces", "the class token's gradient is the sum over all tokens", "extra_term wrong_axis", "dpos[:, 0:1].copy()", "dpos.sum(axis=1, keepdims=True)"),
    ("pieces", "the class token takes the first patch's gradient", "wrong_order wrong_variable", "dpos[:, 0:1]", "dpos[:, 1:2]"),
    ("pieces", "the first tokens, not the last", "wrong_order", "dout[:, 1:, :]", "dout[:, :-1, :]"),
    ("pieces", "the tokens' gradient divided by the batch", "scale", "return dtokens, dcls, dpos", "return dtokens / len(dout), dcls, dpos"),
    ("pieces", "the sign of the tokens' gradient", "sign", "return dtokens, dcls, dpos", "return -dtokens, dcls, dpos"),
    ("pieces", "the class token's gradient of the first image only", "incomplete", "dcls = dpos[:, 0:1].copy()", "dcls = dout[:1, 0:1].copy()"),
    ("pieces", "the tokens' gradient summed over the batch", "wrong_axis extra_term", "dtokens = dout[:, 1:, :].copy()", "dtokens = np.repeat(dpos[:, 1:], len(dout), axis=0)"),
    ("tiles", "the class token: the mean of the images", "scale sum_mean", "np.sum(dfront, axis=0,", "np.mean(dfront, axis=0,"),
    ("tiles", "the positions: of the first image", "incomplete", 'np.einsum("btd->td", dout)[None]', "dout[:1]"),
    ("tiles", "the positions: the class token's row forgotten", "incomplete", 'np.einsum("btd->td", dout)[None]', "np.pad(dtokens.sum(0), ((1, 0), (0, 0)))[None]"),
    ("tiles", "the class token and the positions twice as large", "scale", "return dtokens, grads", "grads = {k: g if g is None else 2 * g for k, g in grads.items()}\n    return dtokens, grads"),
    ("tiles", "forward: the positions subtracted", "sign", "seq + pos_embed", "seq - pos_embed"),
    ("tiles", "forward: the positions multiplied", "wrong_factor", "seq + pos_embed", "seq * pos_embed"),
    ("forward", "forward: the class token has no position", "missing_term", "room = room + pos_embed", "room[:, 1:] += pos_embed[:, 1:]"),
    ("forward", "forward: the positions shifted by one", "wrong_order", "room = room + pos_embed", "room = room + np.roll(pos_embed, 1, axis=1)"),
    ("forward", "forward: the positions forgotten", "missing_term", "room = room + pos_embed", "room = room + 0 * pos_embed"),
]  # fmt: skip
