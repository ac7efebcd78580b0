"""Embed: the class token in front, the positions added."""

import numpy as np
import pytest
from op_checks import assert_gradients, assert_like_pytorch, assert_like_stored, case

from tinyvit.ops import embed_backward as backward
from tinyvit.ops import embed_forward as forward

n = np.random.default_rng(0).standard_normal

CASES = {
    "learned": case(n((2, 5, 3)), n((1, 1, 3)), n((1, 6, 3))),
    "no positions": case(n((3, 2, 4)), n((1, 1, 4)), None),
    "one patch": case(n((4, 1, 2)), n((1, 1, 2)), n((1, 2, 2))),
}


def in_pytorch(tokens, cls_token, pos_embed):
    import torch

    x = torch.cat([cls_token.expand(len(tokens), 1, -1), tokens], dim=1)
    return x if pos_embed is None else x + pos_embed


@pytest.mark.parametrize("name", CASES)
def test_gradients(name):
    assert_gradients(forward, backward, CASES[name])


@pytest.mark.parametrize("name", CASES)
def test_like_pytorch(name):
    assert_like_pytorch(forward, backward, in_pytorch, CASES[name])


@pytest.mark.parametrize("name", CASES)
def test_like_stored(name):
    assert_like_stored(forward, backward, f"embed/{name}", CASES[name])


def test_by_hand():
    tokens = np.array([[[1.0, 2.0]], [[3.0, 4.0]]])
    cls_token, pos_embed = np.array([[[10.0, 20.0]]]), np.array([[[0.1, 0.2], [0.3, 0.4]]])
    out, _ = forward(tokens, cls_token, pos_embed)
    np.testing.assert_allclose(out[0], [[10.1, 20.2], [1.3, 2.4]], rtol=1e-15)
    np.testing.assert_allclose(out[1], [[10.1, 20.2], [3.3, 4.4]], rtol=1e-15)


def test_what_the_batch_shares_adds_its_gradients():
    dout = n((3, 6, 2))
    _, cache = forward(n((3, 5, 2)), n((1, 1, 2)), n((1, 6, 2)))
    dtokens, dcls_token, dpos_embed = backward(dout, cache)
    assert np.array_equal(dtokens, dout[:, 1:])
    np.testing.assert_allclose(dcls_token[0, 0], dout[0, 0] + dout[1, 0] + dout[2, 0], rtol=1e-14)
    np.testing.assert_allclose(dpos_embed[0], dout[0] + dout[1] + dout[2], rtol=1e-14)


def test_without_positions():
    tokens = n((2, 3, 4))
    out, cache = forward(tokens, n((1, 1, 4)), None)
    assert np.array_equal(out[:, 1:], tokens)
    assert backward(out, cache)[2] is None
