"""Embed: mistakes that are often made."""

from ..mistake import Mistake

_JOIN = "[xp.broadcast_to(cls_token, (B, 1, D)), tokens]"
_ADD = "out = out + pos_embed"
_DCLS = "dout[:, :1].sum("
_DPOS = "dout.sum(axis=0, keepdims=True)"

FORWARD = (
    Mistake(
        "wrong_order",
        _JOIN,
        "[tokens, xp.broadcast_to(cls_token, (B, 1, D))]",
        "the class token stands at the end: it goes before the patches, at position 0",
    ),
    Mistake(
        "missing_term",
        _ADD,
        "out = out",
        "pos_embed is missing: out = [cls_token; tokens] + pos_embed",
    ),
    Mistake(
        "wrong_order",
        _ADD,
        "out = xp.concatenate([out[:, :1], out[:, 1:] + pos_embed[:, :-1]], axis=1)",
        "positions are added before the class token is there: patch n takes row n, not n + 1",
    ),
    Mistake(
        "sign",
        _ADD,
        "out = out - pos_embed",
        "pos_embed is subtracted: it should be added",
    ),
    Mistake(
        "missing_term",
        _JOIN,
        "[xp.zeros((B, 1, D), tokens.dtype), tokens]",
        "the class token is missing: row 0 holds zeros where cls_token belongs",
    ),
    Mistake(
        "missing_term",
        _ADD,
        "out = xp.concatenate([out[:, :1], out[:, 1:] + pos_embed[:, 1:]], axis=1)",
        "the class token gets no position: row 0 of pos_embed is added to it",
    ),
    Mistake(
        "missing_term",
        _ADD,
        "out = xp.concatenate([out[:, :1] + pos_embed[:, :1], out[:, 1:]], axis=1)",
        "the patches get no positions: pos_embed is added to every token",
    ),
    Mistake(
        "incomplete",
        "xp.broadcast_to(cls_token, (B, 1, D))",
        "cls_token * (xp.arange(B) == 0)[:, None, None]",
        "only the first image has the class token: every image has the same one",
    ),
    Mistake(
        "wrong_factor",
        _ADD,
        "out = out * pos_embed",
        "pos_embed is multiplied: it should be added",
    ),
    Mistake(
        "extra_term",
        _JOIN,
        "[xp.broadcast_to(cls_token, (B, 1, D)), tokens + cls_token]",
        "cls_token is added to the patches too: it is only put in front of them",
    ),
    Mistake(
        "wrong_variable",
        _JOIN,
        "[tokens.mean(axis=1, keepdims=True), tokens]",
        "row 0 is the mean of the tokens: it should be the learned cls_token",
    ),
    Mistake(
        "wrong_factor",
        _ADD,
        "out = out * D**0.5 + pos_embed",
        "the tokens are multiplied by sqrt(D), as in the Transformer for text: not in ViT",
    ),
)

BACKWARD = (
    Mistake(
        "wrong_order",
        "dout[:, 1:]",
        "dout[:, :-1]",
        "dtokens is shifted by one: row 0 of dout belongs to the class token",
    ),
    Mistake(
        "scale",
        _DCLS,
        "dout[:, :1].mean(",
        "dcls_token is averaged over the batch: all images share cls_token, so they add up",
    ),
    Mistake(
        "scale",
        _DPOS,
        "dout.mean(axis=0, keepdims=True)",
        "dpos_embed is averaged over the batch: all images share pos_embed, so they add up",
    ),
    Mistake(
        "incomplete",
        _DCLS,
        "dout[-1:, :1].sum(",
        "only the last image is there: a loop over the batch must add with +=",
    ),
    Mistake(
        "incomplete",
        _DPOS,
        "dout[-1:]",
        "only the last image is there: a loop over the batch must add with +=",
    ),
    Mistake(
        "incomplete",
        _DCLS,
        "dout[:1, :1].sum(",
        "only the first image is there: all images share cls_token, so add them all up",
    ),
    Mistake(
        "incomplete",
        _DPOS,
        "dout[:1]",
        "only the first image is there: all images share pos_embed, so add them all up",
    ),
    Mistake(
        "wrong_axis",
        _DCLS,
        "dout.sum(axis=1, keepdims=True).sum(",
        "dout is added up over the tokens, too: only row 0 belongs to the class token",
    ),
    Mistake(
        "wrong_order",
        _DCLS,
        "dout[:, -1:].sum(",
        "the last row of dout is taken: the class token is row 0",
    ),
    Mistake(
        "wrong_order",
        _DCLS,
        "dout[:, 1:2].sum(",
        "row 1 of dout is taken, the first patch: the class token is row 0",
    ),
    Mistake(
        "extra_term",
        "dout[:, 1:]",
        "dout[:, 1:] + dout[:, :1]",
        "the class token's gradient is added to every patch: dtokens is dout without row 0",
    ),
)
