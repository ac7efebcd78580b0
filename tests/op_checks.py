"""What every test of a pair asks: are its values and its gradients right?"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from tinyvit import check_backward

STORED = Path(__file__).parent / "golden" / "ops.npz"


class Case(NamedTuple):
    """Arguments for one call of a forward."""

    args: tuple
    kwargs: dict


def case(*args, **kwargs):
    """A Case, written as the call is written."""
    return Case(args, kwargs)


def assert_gradients(forward, backward, case):
    """Every element of every gradient agrees with central differences to 1e-7."""
    report = check_backward(forward, backward, case.args, kwargs=case.kwargs)
    assert report.ok and report.error < 1e-7, str(report)


def assert_like_pytorch(forward, backward, in_pytorch, case):
    """Values and gradients agree with PyTorch's autograd to 1e-10, in float64."""
    pytest.importorskip("torch")
    dout = random_dout(forward, case)
    compare(forward, backward, case, dout, *pytorch_results(in_pytorch, case, dout))


def assert_like_stored(forward, backward, key, case):
    """Values and gradients agree to 1e-10 with what PyTorch gave when `golden/make.py` was run."""
    with np.load(STORED, allow_pickle=False) as file:
        stored = {
            name.removeprefix(f"{key}/"): file[name]
            for name in file.files
            if name.startswith(f"{key}/")
        }
    assert stored, f"{STORED.name} has no {key}: run tests/golden/make.py"
    args = tuple(
        {name: stored.get(f"arg{i}.{name}", value) for name, value in arg.items()}
        if isinstance(arg, dict)
        else stored.get(f"arg{i}", arg)
        for i, arg in enumerate(case.args)
    )
    grads = [stored[f"grad{i}"] for i in range(sum(name.startswith("grad") for name in stored))]
    compare(forward, backward, Case(args, case.kwargs), stored["dout"], stored["out"], grads)


def compare(forward, backward, case, dout, out, grads):
    """Compare a pair with known values `out` and `grads`, the list of all gradients in order."""
    got, cache = forward(*case.args, **case.kwargs)
    np.testing.assert_allclose(got, out, rtol=1e-10, atol=1e-10)
    got = listed(backward(dout, cache))
    assert len(got) == len(grads)
    for i, (one, other) in enumerate(zip(got, grads, strict=True)):
        assert np.shape(one) == np.shape(other), f"gradient {i}"
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-10, err_msg=f"gradient {i}")


def random_dout(forward, case, seed=1):
    out, _ = forward(*case.args, **case.kwargs)
    return np.random.default_rng(seed).standard_normal(np.shape(out))


def listed(grads):
    """A backward's answer as a flat list; dicts laid open, None (no such input) left out."""
    if isinstance(grads, dict):
        grads = list(grads.values())
    if not isinstance(grads, (tuple, list)):
        return [] if grads is None else [grads]
    return [one for grad in grads for one in listed(grad)]


def pytorch_results(in_pytorch, case, dout):
    """Value and gradients of the same formula by PyTorch's autograd."""
    import torch

    torch.set_num_threads(1)  # small arrays: more threads only wait for each other
    leaves = []

    def tensor(arg):
        if isinstance(arg, dict):
            return {name: tensor(value) for name, value in arg.items()}
        if not isinstance(arg, np.ndarray):
            return arg
        value = torch.tensor(arg)
        if arg.dtype.kind == "f":
            leaves.append(value.requires_grad_())
        return value

    out = in_pytorch(*map(tensor, case.args), **case.kwargs)
    out.backward(torch.tensor(dout))
    return out.detach().numpy(), [leaf.grad.numpy() for leaf in leaves]
