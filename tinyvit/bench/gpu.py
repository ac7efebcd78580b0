"""Who is timed on the card."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """One contestant.

    label : its name in tables and pictures
    package : what has to be installed
    start : Case -> Contestant; imports the package
    """

    label: str
    package: str
    start: Callable


def _tinyvit(case):
    from .tinyvit_gpu import TinyvitGPU

    return TinyvitGPU(case)


def _pytorch(case):
    from .torch_gpu import TorchGPU

    return TorchGPU(case)


def _compile(case):
    from .torch_gpu import TorchGPU

    return TorchGPU(case, compiled=True)


def _jax(case):
    from .jax_gpu import JaxGPU

    return JaxGPU(case)


CONTESTANTS = {
    "tinyvit": Entry("tinyvit", "cupy", _tinyvit),
    "pytorch": Entry("PyTorch eager", "torch", _pytorch),
    "compile": Entry("torch.compile", "torch", _compile),
    "jax": Entry("JAX jit", "jax", _jax),
}
EAGER, COMPILED = "pytorch", ("compile", "jax")
