"""Embed: other ways to write it."""

import numpy as np


def from_the_shared_sum(dout, cache):
    """The class token's gradient is the first row of the positions'."""
    (has_positions,) = cache
    total = dout.sum(axis=0, keepdims=True)
    dcls_token = total[:, :1]
    dtokens = dout[:, 1:]
    dpos_embed = total if has_positions else None
    return dtokens, dcls_token, dpos_embed


def in_two_parts(dout, cache):
    """The class token's part and the patches' part, each by itself."""
    (has_positions,) = cache
    dcls = dout[:, 0, :]
    dtokens = dout[:, 1:, :]
    dcls_token = dcls.sum(axis=0)[None, None]
    if not has_positions:
        return dtokens, dcls_token, None
    dpos_tokens = dtokens.sum(axis=0)[None]
    dpos_embed = np.concatenate([dcls_token, dpos_tokens], axis=1)
    return dtokens, dcls_token, dpos_embed


def filled_in_two_parts(tokens, cls_token, pos_embed):
    """Zeros, to which the parts are added."""
    B, N, D = tokens.shape
    out = np.zeros((B, N + 1, D))
    out[:, :1] = cls_token
    out[:, 1:] = tokens
    if pos_embed is not None:
        out = out + pos_embed
    return out, None


def positions_first(tokens, cls_token, pos_embed):
    """Each part gets its positions before they are joined."""
    B = len(tokens)
    cls = cls_token
    if pos_embed is not None:
        cls = cls_token + pos_embed[:, :1]
        tokens = tokens + pos_embed[:, 1:]
    cls = np.repeat(cls, B, axis=0)
    return np.concatenate([cls, tokens], axis=1), None


FORWARD = (filled_in_two_parts, positions_first)
BACKWARD = (from_the_shared_sum, in_two_parts)
