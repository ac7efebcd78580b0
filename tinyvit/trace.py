"""Trace: one batch through a Vision Transformer and back, stage by stage, each one measured."""

import json
from dataclasses import asdict, dataclass, field
from math import prod
from time import perf_counter

import numpy as np

from .backend import get_array_module
from .config import ViTConfig
from .errors import InputError
from .stages import steps
from .vit import positions, require_images

COUNTED = (
    "multiply-adds: of matrix products (linear layers, q @ k.T, attn @ v), of the whole batch; "
    "FLOPs are twice as many. Not counted: biases, LayerNorm, softmax, activations, additions.",
    "kept: bytes of what backward needs, each array once, at the first stage that keeps it. "
    "Not counted: the parameters, the images.",
    "time: of this one run, on this machine; nothing ran before it to warm up.",
)


@dataclass(frozen=True)
class Stage:
    """One stage of the way there or of the way back.

    name : such as blocks.0.attn.scores
    direction : "forward" or "backward"
    operation : the formula, in the words of the code; "; " between several
    inputs, outputs : dict name -> shape, of the data alone
    weights : dict name -> shape, of the parameters that are read; on the way back, of those whose
        gradients are made
    multiply_adds : of matrix products
    kept : what backward will need of this stage [bytes]
    seconds : measured
    """

    name: str
    direction: str
    operation: str
    inputs: dict
    outputs: dict
    weights: dict
    multiply_adds: int
    kept: int
    seconds: float

    @property
    def params(self):
        """Parameters that are read; 0 on the way back."""
        return self._numbers if self.direction == "forward" else 0

    @property
    def gradients(self):
        """Gradients of parameters that are made; 0 on the way there."""
        return self._numbers if self.direction == "backward" else 0

    @property
    def flops(self):
        """Floating-point operations of matrix products: a multiply-add is two."""
        return 2 * self.multiply_adds

    @property
    def _numbers(self):
        return sum(map(prod, self.weights.values()))

    def to_dict(self):
        """Everything as numbers, words and shapes."""
        words = asdict(self)
        return words | {name: getattr(self, name) for name in ("params", "gradients", "flops")}


@dataclass(frozen=True, eq=False)
class Trace:
    """What `trace` found: `str(trace)` is a table of 80 columns, `to_json()` is every stage.

    config : ViTConfig
    stages : every `Stage` in order, those of the way back after those of the way there
    logits : (B, K)
    dimages : (B, C, H, W); with grads, None where the way back was not asked for
    grads : dict name -> array, names, shapes and order of params
    """

    config: ViTConfig
    stages: tuple
    logits: object = field(repr=False)
    dimages: object = field(default=None, repr=False)
    grads: dict | None = field(default=None, repr=False)

    @property
    def counted(self):
        """What is counted and what is not, a sentence each."""
        return COUNTED

    @property
    def directions(self):
        """("forward",) or ("forward", "backward")."""
        return tuple(dict.fromkeys(stage.direction for stage in self.stages))

    def stage(self, name, direction="forward"):
        """The stage of that name; raises InputError where there is none."""
        for stage in self.stages:
            if (stage.name, stage.direction) == (name, direction):
                return stage
        raise InputError(f"no stage {name!r} {direction}: .stages lists them all")

    def part(self, name="", direction="forward"):
        """The stages of a part, added up to one: part("blocks.0.attn"); part() is all of them.

        Raises InputError where there are none.
        """
        stages = [s for s in self.stages if s.direction == direction and is_in(s.name, name)]
        if not stages:
            raise InputError(f"no stage in {name!r} {direction}: .stages lists them all")
        if len(stages) == 1:
            return stages[0]
        return Stage(
            name=name or "all",
            direction=direction,
            operation=f"{len(stages)} stages",
            inputs=stages[0].inputs,
            outputs=stages[-1].outputs,
            weights={key: shape for stage in stages for key, shape in stage.weights.items()},
            multiply_adds=sum(stage.multiply_adds for stage in stages),
            kept=sum(stage.kept for stage in stages),
            seconds=sum(stage.seconds for stage in stages),
        )

    def to_dict(self):
        """Everything but the arrays, as numbers, words and shapes."""
        names = ("params", "gradients", "multiply_adds", "flops", "kept", "seconds")
        parts = {direction: self.part("", direction) for direction in self.directions}
        return {
            "config": asdict(self.config),
            "batch": len(self.logits),
            "dtype": str(self.logits.dtype),
            "counted": self.counted,
            "totals": {
                direction: {name: getattr(part, name) for name in names}
                for direction, part in parts.items()
            },
            "stages": [stage.to_dict() for stage in self.stages],
        }

    def to_json(self):
        """The same as text."""
        return json.dumps(self.to_dict(), indent=2)

    def __str__(self):
        from .trace_table import as_text

        return as_text(self)


def is_in(name, part):
    """Whether a stage belongs to a part: blocks.1.norm1 to blocks.1, but blocks.10.norm1 not."""
    return not part or name == part or name.startswith(f"{part}.")


def trace(images, params, config, *, dlogits=None, backward=True):
    """Walk a batch through a Vision Transformer and back, and note every stage.

    The results are those of `vit_forward` and `vit_backward`, and like these without `rng`:
    nothing is dropped.

    images : (B, C, H, W) float, on the CPU (a GPU answers before it is done: times say little)
    params : dict of arrays, names and shapes as `init_params(config)` gives them
    config : ViTConfig
    dlogits : (B, K) gradient to go back with; None takes random normal numbers
    backward : whether to go back at all

    Returns a `Trace`.
    Raises InputError when the configuration is not a ViT's, ValueError when the images are not of
    the configured shape.
    """
    if not isinstance(config, ViTConfig):
        raise InputError(f"trace walks through a ViT, and {type(config).__name__} is not a ViT's")
    require_images(images, config)
    walk = _Walk(images, params, config)
    logits = walk.there()
    if not backward:
        return Trace(config, tuple(walk.stages), logits)
    if dlogits is None:
        random = np.random.default_rng(0).standard_normal(logits.shape)
        dlogits = get_array_module(logits).asarray(random.astype(logits.dtype))
    dimages, grads = walk.back(dlogits)
    return Trace(config, tuple(walk.stages), logits, dimages, grads)


class _Walk:
    """The way there and the way back over the same steps; `stages` grows."""

    def __init__(self, images, params, config):
        self.images, self.params = images, params
        self.weights = params | {"pos_embed": positions(params, config)}  # a parameter, or fixed
        self.steps, self.caches, self.stages = list(steps(config)), [], []

    def there(self):
        """Forward; returns the logits."""
        arrays = {"images": self.images}
        counted = {id(_owner(array)) for array in (self.images, *self.weights.values())}
        for step in self.steps:
            inputs = {name: arrays[name] for name in step.takes}
            weights = [_as_matrix(self.weights.get(name)) for name in step.weights]
            start = perf_counter()
            out, cache = step.pair.forward(*inputs.values(), *weights, *step.settings)
            seconds = perf_counter() - start

            outputs = dict(zip(step.gives, out if len(step.gives) > 1 else [out], strict=True))
            arrays |= outputs
            self.caches.append(cache)
            owners = {id(owner): owner for owner in map(_owner, _arrays_in(cache))}
            kept = sum(owner.nbytes for key, owner in owners.items() if key not in counted)
            counted |= owners.keys()
            missing = [name for name in step.weights if self.weights.get(name) is None]
            products = step.multiply_adds(inputs, out)
            formula = step.formula(missing)
            self._note(step, "forward", formula, inputs, outputs, products, kept, seconds)
        return arrays["logits"]

    def back(self, dlogits):
        """Backward, the last step first; returns dimages and the gradients of params."""
        gradients, grads = {"logits": dlogits}, {}
        products = {stage.name: 2 * stage.multiply_adds for stage in self.stages}
        for step in reversed(self.steps):
            douts = {f"d{name}": gradients.pop(name) for name in step.gives}
            forks = [name for name in step.takes if name in gradients]
            start = perf_counter()
            found = step.pair.backward(*douts.values(), self.caches.pop())
            found = found if isinstance(found, tuple) else (found,)
            found = dict(zip(step.takes + step.weights, found, strict=True))
            for name in forks:
                found[name] = gradients[name] + found[name]  # it fed both
            seconds = perf_counter() - start

            gradients |= {name: found[name] for name in step.takes}
            for name in self.params.keys() & step.weights:
                grads[name] = found[name].reshape(self.params[name].shape)
            missing = [name for name in step.weights if name not in self.params]
            formula = step.formula_back(missing, forks)
            dinputs = {f"d{name}": found[name] for name in step.takes}
            madds = products[step.name]
            self._note(step, "backward", formula, douts, dinputs, madds, 0, seconds)
        return gradients["images"], {name: grads[name] for name in self.params}

    def _note(self, step, direction, formula, inputs, outputs, multiply_adds, kept, seconds):
        weights = {n: self.params[n].shape for n in step.weights if n in self.params}
        shapes = [{name: a.shape for name, a in arrays.items()} for arrays in (inputs, outputs)]
        self.stages.append(
            Stage(step.name, direction, formula, *shapes, weights, multiply_adds, kept, seconds)
        )


def _as_matrix(weight):
    """A weight as the linear layer wants it: (D, C, P, P) -> (D, C*P*P)."""
    return weight.reshape(len(weight), -1) if weight is not None and weight.ndim == 4 else weight


def _arrays_in(cache):
    if isinstance(cache, (tuple, list)):
        return [array for one in cache for array in _arrays_in(one)]
    return [cache] if hasattr(cache, "nbytes") else []


def _owner(array):
    """The array that owns the memory that this one is a window into."""
    while getattr(array, "base", None) is not None:
        array = array.base
    return array
