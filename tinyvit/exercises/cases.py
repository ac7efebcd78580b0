"""The calls that an exercise is checked with: odd sizes, every variant, large and small douts."""

from dataclasses import dataclass, field, replace
from inspect import signature

import numpy as np

from ..config import ViTConfig
from ..params import init_params
from .textbook import textbook_functions

MAIN = {"B": 3, "N": 5, "h": 2, "D": 14, "M": 11, "K": 9, "C": 2, "P": 3, "I": 8, "O": 7}
OTHER = {"B": 2, "N": 4, "h": 3, "D": 15, "M": 6, "K": 7, "C": 3, "P": 2, "I": 5, "O": 11}
SQUARE = {"B": 4, "N": 4, "h": 2, "D": 8, "M": 8, "K": 4, "C": 1, "P": 2, "I": 6, "O": 6}
SMALLEST = {"B": 1, "N": 2, "h": 1, "D": 3, "M": 2, "K": 2, "C": 1, "P": 1, "I": 1, "O": 2}


@dataclass(frozen=True)
class Case:
    """One call of a forward, or of a function that is an exercise by itself.

    variant : of the arguments, for a message: "with bias=None"; "" for the plain ones
    args, kwargs : a whole number for `rng` is the seed of a generator
    dout_scale : size of the dout that backward is given
    required : False where a difference is worth a remark only
    probe : looked at only when a mistake was not recognised: does the error vanish here?
    remark : what else is special about it: "for a single image"
    """

    variant: str
    args: tuple
    kwargs: dict = field(default_factory=dict)
    dout_scale: float = 1.0
    required: bool = True
    probe: bool = False
    remark: str = ""

    @property
    def label(self):
        """All that is special about it."""
        return ", ".join(filter(None, (self.variant, self.remark)))

    def arguments(self):
        """Fresh copies of args and kwargs: a student's function may do to them what it likes."""
        args = tuple(_copy(arg) for arg in self.args)
        kwargs = {name: _copy(value) for name, value in self.kwargs.items()}
        if "rng" in kwargs:
            kwargs["rng"] = np.random.default_rng(kwargs["rng"])
        return args, kwargs

    def dout(self, out):
        """The gradient that backward is given: random, so that no mistake cancels."""
        dout = np.random.default_rng(1).standard_normal(np.shape(out)) * self.dout_scale
        return dout.astype(np.asarray(out).dtype) if np.ndim(out) else float(dout)


def cases_of(stem):
    """Every call that the pair of a stem is checked with, the plain one first."""
    build = BUILDERS[stem]
    main = build(MAIN, 0)
    cases = [
        *main,
        *(replace(case, dout_scale=1e3) for case in build(OTHER, 1)),
        *(replace(case, dout_scale=1e-3) for case in build(SQUARE, 2)),
        *(replace(case, remark="for a single image") for case in build(SMALLEST, 3)),
    ]
    cases += EXTRA.get(stem, lambda: [])()
    cases.append(_in_float32(main[0]))
    for letter, label in (("B", "a single image"), ("N", "a single token"), ("h", "a single head")):
        probe = build(MAIN | {letter: 1}, 0)[0]
        cases.append(replace(probe, remark=f"there is {label}", probe=True))
    return [*cases, *_with_plain_parameters(stem, main[0])]


def _with_plain_parameters(stem, case):
    """The same call with each parameter all ones, or all zeros."""
    first, *_ = textbook_functions(stem).values()
    for i, (name, arg) in enumerate(zip(signature(first).parameters, case.args, strict=False)):
        if i and isinstance(arg, np.ndarray) and arg.dtype.kind == "f":
            for plain, words in ((np.ones_like, "all ones"), (np.zeros_like, "0")):
                args = (*case.args[:i], plain(arg), *case.args[i + 1 :])
                yield replace(case, args=args, remark=f"{name} is {words}", probe=True)


def _in_float32(case):
    args = tuple(_mapped(arg, lambda a: a.astype(np.float32)) for arg in case.args)
    return replace(case, remark="for float32", args=args, required=False)


def _patchify(s, seed):
    images = _random(seed)((s["B"], s["C"], 2 * s["P"], 3 * s["P"]))
    return [Case("", (images, s["P"]))]


def _linear(s, seed):
    n = _random(seed)
    x, weight, bias = n((s["B"], s["N"], s["I"])), n((s["O"], s["I"])), n(s["O"])
    return [Case("", (x, weight, bias)), Case("with bias=None", (x, weight, None))]


def _embed(s, seed):
    n = _random(seed)
    tokens, cls_token = n((s["B"], s["N"], s["D"])), n((1, 1, s["D"]))
    positions = n((1, s["N"] + 1, s["D"]))
    none = Case("with pos_embed=None", (tokens, cls_token, None))
    return [Case("", (tokens, cls_token, positions)), none]


def _layernorm(s, seed):
    n = _random(seed)
    x, weight, bias = n((s["B"], s["N"], s["D"])) * 2 + 1, n(s["D"]), n(s["D"])
    return [Case("", (x, weight, bias)), Case("with eps=0.5", (x, weight, bias, 0.5))]


def _softmax(s, seed):
    return [Case("", (_random(seed)((s["B"], s["h"], s["N"], s["K"])),))]


def _attention(s, seed):
    n, D = _random(seed), s["D"]
    x, qkv, proj = n((s["B"], s["N"], D)), 0.5 * n((3 * D, D)), n((D, D))
    with_bias = Case("", (x, qkv, n(3 * D), proj, n(D), s["h"]))
    return [with_bias, Case("with both biases None", (x, qkv, None, proj, None, s["h"]))]


def _elementwise(s, seed):
    return [Case("", (_random(seed)((s["B"], s["N"], s["M"])),))]


def _gelu(s, seed):
    (x,) = _elementwise(s, seed)[0].args
    return [Case("", (x,)), Case('with approximate="tanh"', (x, "tanh"))]


def _mlp(s, seed):
    n, D, M = _random(seed), s["D"], s["M"]
    args = n((s["B"], s["N"], D)), n((M, D)) * 0.5, n(M), n((D, M)), n(D)
    others = [
        Case(f'with activation="{name}"', args, {"activation": name})
        for name in ("gelu_tanh", "relu")
    ]
    return [Case("", args), *others]


def _block(s, seed):
    n, D = _random(seed), s["D"]
    x = n((s["B"], s["N"], D))
    config = ViTConfig(embed_dim=D, num_heads=s["h"], depth=1, mlp_ratio=s["M"] / D, img_size=16)
    params = {
        name.removeprefix("blocks.0."): value + 0.4 * n(value.shape)
        for name, value in init_params(config, dtype="float64").items()
        if name.startswith("blocks.0.")
    }
    return [
        Case("", (x, params, s["h"])),
        Case('with norm="post"', (x, params, s["h"]), {"norm": "post"}),
        Case('with activation="relu"', (x, params, s["h"]), {"activation": "relu"}),
    ]


def _cross_entropy(s, seed):
    rng = np.random.default_rng(seed)
    rows = s["B"] + 2 if s["B"] > 1 else 1
    logits, labels = rng.standard_normal((rows, s["K"])), rng.integers(0, s["K"], rows)
    smoothed = Case("with label_smoothing=0.1", (logits, labels, 0.1))
    return [Case("", (logits, labels)), smoothed]


def _dropout(s, seed):
    x = _random(seed)((s["B"] + 2, s["N"], s["D"]))
    return [Case("", (x, 0.3), {"rng": 5}), Case("with rng=None (evaluation)", (x, 0.3))]


def _vit(s, seed):
    side = s["P"] * (3 if s["N"] > 2 else 1)
    config = ViTConfig(
        **{"img_size": side, "patch_size": s["P"], "in_chans": s["C"], "num_classes": s["K"]},
        **{"embed_dim": s["h"] * 3, "num_heads": s["h"], "depth": 2},
        mlp_ratio=s["M"] / (s["h"] * 3),
    )
    images = _random(seed)((s["B"], s["C"], side, side))
    post = {"norm": "post", "activation": "relu", "eps": 1e-3}
    cases = [Case("", (images, _perturbed(config, seed), config))]
    for label, changes, required in (
        ('with global_pool="avg"', {"global_pool": "avg"}, True),
        ('with norm="post", activation="relu", eps=0.001', post, True),
        ('with pos_embed="none"', {"pos_embed": "none"}, False),
    ):
        other = replace(config, **changes)
        case = Case(label, (images, _perturbed(other, seed), other), required=required)
        cases.append(case)
    return cases


def _perturbed(config, seed):
    n = _random(seed + 10)
    params = init_params(config, seed, "float64")
    return {name: value + 0.4 * n(value.shape) for name, value in params.items()}


def _adamw(s, seed):
    n = _random(seed)
    size = s["D"]
    params, grads, m, v = n(size), n(size), 0.1 * n(size), 0.1 * n(size) ** 2
    zeros, numbers = np.zeros(size), {"lr": 0.013, "decay": 0.07, "eps": 1e-3}
    others = {"step": 7, "lr": 0.02, "decay": 0.3, "beta1": 0.8, "beta2": 0.95, "eps": 1e-3}
    return [
        Case("", (params, grads, m, v), {"step": 5, **numbers}),
        Case("in the first step", (params, grads, zeros, zeros), {"step": 1, **numbers}),
        Case("with other betas", (params, grads, m, v), others),
        Case("with decay=0", (params, grads, m, v), {**others, "decay": 0.0}),
    ]


BUILDERS = {
    **{"patchify": _patchify, "linear": _linear, "embed": _embed, "layernorm": _layernorm},
    **{"softmax": _softmax, "log_softmax": _softmax, "attention": _attention, "gelu": _gelu},
    **{"relu": _elementwise, "mlp": _mlp, "block": _block, "cross_entropy": _cross_entropy},
    **{"dropout": _dropout, "drop_path": _dropout, "vit": _vit, "adamw": _adamw},
}


def _layernorm_extra():
    n = _random(4)
    args = n((5, 14)), n(14), n(14)
    still = n((2, 3, 6))
    still[0, 1] = 0.5
    return [
        Case("", args, required=False, remark="for x of shape (5, 14)"),
        Case("", (still, n(6), n(6)), remark="for a token whose features are all equal"),
    ]


def _linear_extra():
    n = _random(4)
    args = n((5, 8)), n((7, 8)), n(7)
    return [Case("", args, required=False, remark="for x of shape (5, 8)")]


def _softmax_extra():
    n = _random(4)
    large, flat = (1000 * n((2, 3, 4, 5)),), (n((5, 8)),)
    return [
        Case("", large, required=False, remark="for scores of size 1000"),
        Case("", flat, required=False, remark="for x of shape (5, 8)"),
    ]


def _cross_entropy_extra():
    logits = 1000 * _random(4)((3, 5))
    args = logits, np.array([0, 4, 2])
    return [Case("", args, required=False, remark="for logits of size 1000")]


EXTRA = {
    **{"layernorm": _layernorm_extra, "linear": _linear_extra, "softmax": _softmax_extra},
    **{"log_softmax": _softmax_extra, "cross_entropy": _cross_entropy_extra},
}


def _random(seed):
    return np.random.default_rng(seed).standard_normal


def _copy(value):
    return _mapped(value, np.copy)


def _mapped(value, change):
    """Change the float arrays of an argument, those in a dict too."""
    if isinstance(value, dict):
        return {name: _mapped(one, change) for name, one in value.items()}
    if isinstance(value, np.ndarray):
        return change(value) if value.dtype.kind == "f" else value.copy()
    return value
