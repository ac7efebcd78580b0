"""Small models and short runs, for the tests of training and of the command line."""

import json
import os
import subprocess
import sys
import types
from pathlib import Path

import numpy as np

from tinyvit import ViTConfig
from tinyvit.checkpoint import read_safetensors
from tinyvit.models import MODELS

REPO = Path(__file__).parents[1]
SMALL = {
    "vit": {"patch_size": 4, "embed_dim": 8, "num_heads": 2, "depth": 2},
    "cnn": {"channels": 3},
}
ODD = ViTConfig(
    **{"img_size": 12, "patch_size": 3, "in_chans": 2, "num_classes": 5},
    **{"embed_dim": 12, "depth": 3, "num_heads": 3, "mlp_ratio": 19 / 12},
)
SHAPE = "--patch-size 4 --embed-dim 8 --num-heads 2 --depth 1"
TINY = [*SHAPE.split(), "--threads", "1"]
NO_PICTURES = """
import sys, types
sys.modules["tinyvit.run_pictures"] = types.SimpleNamespace(draw_run=lambda *args: [])
"""


def draw_nothing(monkeypatch):
    """Let training leave no pictures, in this process: they are slow."""
    stub = types.SimpleNamespace(draw_run=lambda *args: [])
    monkeypatch.setitem(sys.modules, "tinyvit.run_pictures", stub)


def small_config(name, **overrides):
    """A small configuration of a registered model, for images of 8x8."""
    return MODELS[name].config_class.preset("digits", **(SMALL[name] | overrides))


def first_params(config, name, dtype="float64"):
    """Its first values, with biases that are not zero."""
    params = MODELS[name].init_params(config, 0, dtype)
    rng = np.random.default_rng(1)
    return {
        key: value + (0.1 * rng.standard_normal(value.shape)).astype(dtype)
        for key, value in params.items()
    }


def environment():
    """The environment of a process that imports tinyvit from here."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    return kept | {"PYTHONPATH": str(REPO), "COLUMNS": "100"}


def line(*words, code=None):
    """The words that start the command line as a process of its own.

    code : Python lines to run first; None runs `python -m tinyvit`
    """
    how = ["-m", "tinyvit"]
    if code is not None:
        as_module = "import runpy; runpy.run_module('tinyvit', run_name='__main__')"
        how = ["-c", f"{code}\n{as_module}"]
    return [sys.executable, *how, *map(str, words)]


def start(*words, cwd, code=None, **options):
    """Start the command line as a process of its own, `code` first."""
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | options
    return subprocess.Popen(line(*words, code=code), cwd=cwd, env=environment(), **options)


def tensors(path):
    """Names, types, shapes and bits of all tensors of a file."""
    arrays, _ = read_safetensors(path)
    return {name: (str(a.dtype), a.shape, a.tobytes()) for name, a in arrays.items()}


def rows(folder):
    """The lines of metrics.jsonl, without the seconds."""
    lines = Path(folder, "metrics.jsonl").read_text().splitlines()
    parsed = [json.loads(line) for line in lines]
    for row in parsed:
        assert row.pop("seconds") > 0
    return parsed


def tree(folder):
    """Every file and folder below a folder."""
    return sorted(str(path.relative_to(folder)) for path in Path(folder).rglob("*"))
