"""Writes ops.npz: inputs, values and gradients of every case in tests/ops, by PyTorch in float64.

    python tests/golden/make.py

Needed only when a case is new or changed; the tests read the file, with or without PyTorch.
"""

import sys
from importlib import import_module
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent), str(HERE.parent / "ops")]

from op_checks import STORED, pytorch_results, random_dout  # noqa: E402


def arrays_of(case):
    """Name and value of each array among a case's arguments."""
    for i, arg in enumerate(case.args):
        if isinstance(arg, np.ndarray):
            yield f"arg{i}", arg
        elif isinstance(arg, dict):
            yield from ((f"arg{i}.{name}", value) for name, value in arg.items())


def main():
    stored = {}
    for path in sorted((HERE.parent / "ops").glob("test_*.py")):
        stem = path.stem.removeprefix("test_")
        module = import_module(path.stem)
        if not hasattr(module, "CASES"):
            continue
        for name, case in module.CASES.items():
            dout = random_dout(module.forward, case)
            out, grads = pytorch_results(module.in_pytorch, case, dout)
            values = dict(arrays_of(case)) | {"dout": dout, "out": out}
            values |= {f"grad{i}": grad for i, grad in enumerate(grads)}
            stored |= {f"{stem}/{name}/{key}": value for key, value in values.items()}
    np.savez(STORED, **stored)
    print(f"{STORED}: {len(stored)} arrays, {STORED.stat().st_size} bytes")


if __name__ == "__main__":
    main()
