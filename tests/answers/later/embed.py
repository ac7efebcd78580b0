"""Later answers to the exercise embed, written after the diagnosis was finished."""

# ruff: noqa: E501  the table reads best with one mistake a line

RIGHT = {
    "filled": """
import numpy as np


def embed_forward(tokens, cls_token, pos_embed):
    batch, count, width = tokens.shape
    seq = np.empty((batch, count + 1, width), dtype=tokens.dtype)
    seq[:, 0] = cls_token[0, 0]
    seq[:, 1:] = tokens
    learned = pos_embed is not None
    if learned:
        seq = seq + pos_embed
    return seq, (batch, learned)


def embed_backward(dout, cache):
    batch, learned = cache
    d_pos = None
    if learned:
        d_pos = dout.sum(axis=0).reshape(1, dout.shape[1], dout.shape[2])
    d_cls = dout[:, 0].sum(axis=0).reshape(1, 1, -1)
    d_tokens = dout[:, 1:]
    return d_tokens, d_cls, d_pos
""",
    "added_up": """
import numpy as np


def embed_backward(dout, cache):
    g_cls = np.zeros((1, 1, dout.shape[-1]), dout.dtype)
    g_pos = np.zeros((1, *dout.shape[1:]), dout.dtype)
    for image in dout:
        g_cls += image[:1]
        g_pos += image
    g_tokens = np.delete(dout, 0, axis=1)
    return g_tokens, g_cls, g_pos if cache[0] else None
""",
}

WRONG = [
    ("filled", "d_cls: the mean over the images", "scale sum_mean", "dout[:, 0].sum(axis=0)", "dout[:, 0].mean(axis=0)"),
    ("filled", "d_pos: the mean over the images", "scale sum_mean", "d_pos = dout.sum(axis=0)", "d_pos = dout.mean(axis=0)"),
    ("filled", "d_cls: the first image's alone", "incomplete", "dout[:, 0].sum(axis=0)", "dout[0, 0]"),
    ("filled", "d_cls: over all the tokens too", "extra_term wrong_axis", "dout[:, 0].sum(axis=0)", "dout.sum(axis=(0, 1))"),
    ("filled", "d_cls: the last token's", "wrong_order wrong_variable", "dout[:, 0].sum(axis=0)", "dout[:, -1].sum(axis=0)"),
    ("filled", "d_tokens: all but the last token", "wrong_order", "dout[:, 1:]\n", "dout[:, :-1]\n"),
    ("filled", "d_pos: the class token's row is zero", "incomplete", "    d_cls = ", "        d_pos[:, 0] = 0\n    d_cls = "),
    ("filled", "all three divided by the batch", "scale", "return d_tokens, d_cls, d_pos", "d_pos = d_pos if d_pos is None else d_pos / batch\n    return d_tokens / batch, d_cls / batch, d_pos"),
    ("filled", "forward: the class token is 0", "missing_term incomplete", "seq[:, 0] = cls_token[0, 0]", "seq[:, 0] = 0 * cls_token[0, 0]"),
    ("filled", "forward: the class token only in the first image", "incomplete", "seq[:, 0] = cls_token[0, 0]", "seq[:, 0] = 0\n    seq[0, 0] = cls_token[0, 0]"),
    ("filled", "forward: positions added to the patches only", "missing_term", "seq = seq + pos_embed", "seq[:, 1:] = seq[:, 1:] + pos_embed[:, 1:]"),
    ("added_up", "g_cls: not added up", "incomplete", "g_cls += image[:1]", "g_cls[0] = image[:1]"),
    ("added_up", "g_pos: not added up", "incomplete", "g_pos += image\n", "g_pos[0] = image\n"),
    ("added_up", "g_cls: minus", "sign", "g_cls += image[:1]", "g_cls -= image[:1]"),
]  # fmt: skip
