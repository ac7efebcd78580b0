"""Embed: put the class token in front and add the positions."""

from ..backend import get_array_module


def embed_forward(tokens, cls_token, pos_embed):
    """Prepend the class token to each row of tokens, then add the position embeddings.

        out = [cls_token; tokens] + pos_embed

    tokens : (B, N, D) the projected patches
    cls_token : (1, 1, D) learned, the same for every image
    pos_embed : (1, N+1, D) one row a position, the class token's first; None adds no positions

    Returns
        out : (B, N+1, D)
        cache : what `embed_backward` needs

    Source: Dosovitskiy et al. 2021 (arXiv 2010.11929), equation 1.
    """
    xp = get_array_module(tokens)
    B, _, D = tokens.shape
    out = xp.concatenate([xp.broadcast_to(cls_token, (B, 1, D)), tokens], axis=1)
    if pos_embed is not None:
        out = out + pos_embed
    return out, (pos_embed is not None,)


def embed_backward(dout, cache):
    """Gradients of the embedding.

    dout : (B, N+1, D) gradient of the loss with respect to out
    cache : from `embed_forward`

    Returns
        dtokens : (B, N, D)
        dcls_token : (1, 1, D)
        dpos_embed : (1, N+1, D), or None if there were no positions

    Derivation: adding and joining only pass gradients on. The class token and the position table
    are shared by the B images of the batch, and what is shared adds up its gradients.
    """
    (has_positions,) = cache
    dtokens = dout[:, 1:]  # forward: concatenate([cls_token, tokens])
    dcls_token = dout[:, :1].sum(
        axis=0, keepdims=True
    )  # forward: broadcast_to(cls_token, (B, 1, D))
    dpos_embed = dout.sum(axis=0, keepdims=True) if has_positions else None  # forward: + pos_embed
    return dtokens, dcls_token, dpos_embed
