"""Stages: the Vision Transformer once more, as a list of its smallest steps that have a name.

Each is a forward/backward pair: the textbook's, or one of the small ones at the end of this
file, which `ops/attention.py`, `ops/block.py` and `vit.py` do in passing. Dropouts are left out.
"""

from collections.abc import Callable
from dataclasses import dataclass

from . import ops
from .backend import get_array_module


@dataclass(frozen=True)
class Pair:
    """A forward with its backward, and how they are written.

    forward : (*inputs, *weights, *settings) -> out, cache
    backward : (*douts, cache) -> gradients of inputs and weights, in their order
    there, back : the formulas; {x} is the first input, {y} the output, {s} the first setting
    """

    forward: Callable
    backward: Callable
    there: str
    back: str


@dataclass(frozen=True)
class Step:
    """One stage: which pair, from which arrays to which.

    name : such as blocks.0.attn.scores
    pair : Pair
    takes, gives : names of the arrays that go in and come out; a new "x" takes the old one's place
    weights : names of its parameters; one that a model does not have is None to the pair
    settings : further arguments of the forward
    """

    name: str
    pair: Pair
    takes: tuple
    gives: tuple
    weights: tuple = ()
    settings: tuple = ()

    def multiply_adds(self, inputs, out):
        """Multiply-adds of its matrix product, where it is one: each result is a sum so long."""
        return out.size * inputs[self.takes[0]].shape[-1] if self.pair in PRODUCTS else 0

    def formula(self, missing=()):
        """The forward's formula, without the weights that are missing."""
        formula = self._fill(self.pair.there)
        for word in map(_last_word, missing):
            formula = formula.replace(f" + {word}", "")
        return formula

    def formula_back(self, missing=(), adds_to=()):
        """The backward's formulas; of an input that fed others too, the gradient adds."""
        formulas = self._fill(self.pair.back).split("; ")
        left_out = tuple(f"d{word} = " for word in map(_last_word, missing))
        formulas = [formula for formula in formulas if not formula.startswith(left_out)]
        for name in adds_to:
            formulas = [formula.replace(f"d{name} = ", f"d{name} += ") for formula in formulas]
        return "; ".join(formulas)

    def _fill(self, text):
        setting = self.settings[0] if self.settings else ""
        return text.format(x=self.takes[0], y=self.gives[0], s=setting)


def steps(config):
    """Every stage of a Vision Transformer, in order.

    config : ViTConfig

    Yields a `Step` each: the first takes "images", the last gives "logits".
    """
    yield _step("patchify", PATCHIFY, "images", "patches", settings=(config.patch_size,))
    weights = ("patch_embed.proj.weight", "patch_embed.proj.bias")
    yield Step("patch_embed", LINEAR, ("patches",), ("tokens",), weights)
    if config.distilled:
        yield Step("dist_token", PREPEND, ("tokens",), ("tokens",), ("dist_token",))
    if config.class_token:
        yield Step("embed", EMBED, ("tokens",), ("x",), ("cls_token", "pos_embed"))
    else:
        yield Step("embed", POSITIONS, ("tokens",), ("x",), ("pos_embed",))
    for i in range(config.depth):
        for norm, branch in (("norm1", _attention), ("norm2", _mlp)):
            if config.norm == "pre":
                yield _step(
                    f"blocks.{i}.{norm}", LAYERNORM, "x", "normed", "weight bias", (config.eps,)
                )
            source = "normed" if config.norm == "pre" else "x"
            yield from branch(f"blocks.{i}", source, config)
            if config.norm == "post":
                yield _step(f"blocks.{i}.{norm}", LAYERNORM, "x", "x", "weight bias", (config.eps,))
    yield _step("norm", LAYERNORM, "x", "normed", "weight bias", (config.eps,))
    if config.distilled:
        yield _step("pool", TWO_TOKENS, "normed", "pooled pooled_dist")
        yield _step("head", LINEAR, "pooled", "logits", "weight bias")
        yield _step("head_dist", LINEAR, "pooled_dist", "logits_dist", "weight bias")
        yield _step("mean", MEAN_OF_TWO, "logits logits_dist", "logits")
        return
    pools = {"token": CLASS_TOKEN, "avg": MEAN if config.class_token else MEAN_OF_ALL}
    yield _step("pool", pools[config.global_pool], "normed", "pooled")
    yield _step("head", LINEAR, "pooled", "logits", "weight bias")


def _attention(block, source, config):
    name = f"{block}.attn"
    yield _step(f"{name}.qkv", LINEAR, source, "qkv", "weight bias")
    yield _step(f"{name}.split", SPLIT, "qkv", "q k v", settings=(config.num_heads,))
    yield _step(f"{name}.scores", SCORES, "q k", "scores")
    yield _step(f"{name}.softmax", SOFTMAX, "scores", "attn")
    yield _step(f"{name}.context", CONTEXT, "attn v", "context")
    yield _step(f"{name}.merge", MERGE, "context", "merged")
    yield _step(f"{name}.proj", LINEAR, "merged", "branch", "weight bias")
    yield _step(f"{name}.add", ADD, "x branch", "x")


def _mlp(block, source, config):
    name = f"{block}.mlp"
    activation, settings = ACTIVATIONS[config.activation]
    yield _step(f"{name}.fc1", LINEAR, source, "hidden", "weight bias")
    yield _step(f"{name}.act", activation, "hidden", "active", settings=settings)
    yield _step(f"{name}.fc2", LINEAR, "active", "branch", "weight bias")
    yield _step(f"{name}.add", ADD, "x branch", "x")


def _step(name, pair, takes, gives, weights="", settings=()):
    weights = tuple(f"{name}.{weight}" for weight in weights.split())
    return Step(name, pair, tuple(takes.split()), tuple(gives.split()), weights, settings)


def _last_word(name):
    return name.rpartition(".")[2]


def prepend_forward(tokens, dist_token):
    """Put the distillation token in front: (B, N, D) -> (B, 1+N, D)."""
    return ops.embed_forward(tokens, dist_token, None)


def prepend_backward(dout, cache):
    """Of the tokens and of the one in front."""
    return ops.embed_backward(dout, cache)[:2]


def positions_forward(tokens, pos_embed):
    """Add the positions where no token is put in front; None adds none."""
    return tokens if pos_embed is None else tokens + pos_embed, ()


def positions_backward(dout, cache):
    """All images share the positions, so their gradients add up."""
    return dout, dout.sum(axis=0, keepdims=True)  # forward: tokens + pos_embed


def split_forward(qkv, num_heads):
    """Cut the rows of qkv into q, k and v of every head: (B, N, 3D) -> three (B, h, N, d)."""
    B, N, D = qkv.shape
    qkv = qkv.reshape(B, N, 3, num_heads, D // 3 // num_heads)
    return qkv.transpose(2, 0, 3, 1, 4), ()  # (B, N, 3, h, d) -> (3, B, h, N, d)


def split_backward(dq, dk, dv, cache):
    """Put the three side by side again."""
    B, h, N, d = dq.shape
    dqkv = get_array_module(dq).stack([dq, dk, dv])  # forward: q, k, v = qkv
    dqkv = dqkv.transpose(1, 3, 0, 2, 4)  # (3, B, h, N, d) -> (B, N, 3, h, d)
    return dqkv.reshape(B, N, 3 * h * d)


def scores_forward(q, k):
    """How much each token looks for each other one: (B, h, N, d) twice -> (B, h, N, N)."""
    scale = q.shape[-1] ** -0.5
    return (q @ k.swapaxes(-1, -2)) * scale, (q, k)


def scores_backward(dscores, cache):
    """Both factors of the product."""
    q, k = cache
    dscores = dscores * q.shape[-1] ** -0.5  # forward: scores = (q @ k.T) * scale
    dq = dscores @ k  # forward: scores = q @ k.T
    dk = dscores.swapaxes(-1, -2) @ q  # forward: scores = q @ k.T
    return dq, dk


def context_forward(attn, v):
    """What each token gathers: (B, h, N, N) and (B, h, N, d) -> (B, h, N, d)."""
    return attn @ v, (attn, v)


def context_backward(dcontext, cache):
    """Both factors of the product."""
    attn, v = cache
    dattn = dcontext @ v.swapaxes(-1, -2)  # forward: context = attn @ v
    dv = attn.swapaxes(-1, -2) @ dcontext  # forward: context = attn @ v
    return dattn, dv


def merge_forward(context):
    """Lay the heads side by side: (B, h, N, d) -> (B, N, D)."""
    B, h, N, d = context.shape
    return context.transpose(0, 2, 1, 3).reshape(B, N, h * d), h


def merge_backward(dmerged, h):
    """Cut them apart again."""
    B, N, D = dmerged.shape
    return dmerged.reshape(B, N, h, D // h).transpose(0, 2, 1, 3)  # forward: reshape(B, N, D)


def add_forward(x, branch):
    """The residual connection."""
    return x + branch, ()


def add_backward(dout, cache):
    """A sum passes its gradient on to both."""
    return dout, dout  # forward: x + branch


def class_token_forward(x):
    """The first token stands for the image: (B, N+1, D) -> (B, D)."""
    return x[:, 0], x.shape


def class_token_backward(dout, shape):
    """The other tokens were not looked at."""
    dx = get_array_module(dout).zeros(shape, dout.dtype)
    dx[:, 0] = dout  # forward: x[:, 0]
    return dx


def mean_forward(x):
    """The mean of the patch tokens stands for the image: (B, N+1, D) -> (B, D)."""
    return x[:, 1:].mean(axis=1), x.shape


def mean_backward(dout, shape):
    """Each patch token had its share; the class token had none."""
    dx = get_array_module(dout).zeros(shape, dout.dtype)
    dx[:, 1:] = dout[:, None] / (shape[1] - 1)  # forward: x[:, 1:].mean(axis=1)
    return dx


def mean_of_all_forward(x):
    """The mean of all tokens, where they are all patches: (B, N, D) -> (B, D)."""
    return x.mean(axis=1), x.shape


def mean_of_all_backward(dout, shape):
    """Each token had its share."""
    dx = get_array_module(dout).zeros(shape, dout.dtype)
    dx[:] = dout[:, None] / shape[1]  # forward: x.mean(axis=1)
    return dx


def two_tokens_forward(x):
    """Class and distillation token both stand for the image: (B, N+2, D) -> two (B, D)."""
    return (x[:, 0], x[:, 1]), x.shape


def two_tokens_backward(dpooled, dpooled_dist, shape):
    """The other tokens were not looked at."""
    dx = get_array_module(dpooled).zeros(shape, dpooled.dtype)
    dx[:, 0] = dpooled  # forward: x[:, 0]
    dx[:, 1] = dpooled_dist  # forward: x[:, 1]
    return dx


def mean_of_two_forward(logits, logits_dist):
    """The mean of what the two heads say."""
    return (logits + logits_dist) / 2, ()


def mean_of_two_backward(dout, cache):
    """Each had half a share."""
    return dout / 2, dout / 2  # forward: (logits + logits_dist) / 2


PATCHIFY = Pair(
    *(ops.patchify_forward, ops.patchify_backward),
    *("patchify({x}, {s})", "d{x} = each patch back in its place"),
)
LINEAR = Pair(
    *(ops.linear_forward, ops.linear_backward),
    "{x} @ weight.T + bias",
    "d{x} = d{y} @ weight; dweight = d{y}.T @ {x}; dbias = sum(d{y})",
)
EMBED = Pair(
    *(ops.embed_forward, ops.embed_backward),
    "[cls_token, {x}] + pos_embed",
    "d{x} = d{y}[:, 1:]; dcls_token = sum(d{y}[:, 0]); dpos_embed = sum(d{y})",
)
PREPEND = Pair(
    *(prepend_forward, prepend_backward),
    *("[dist_token, {x}]", "ddist_token = sum(d{y}[:, 0]); d{x} = d{y}[:, 1:]"),
)
POSITIONS = Pair(
    *(positions_forward, positions_backward),
    *("{x} + pos_embed", "d{x} = d{y}; dpos_embed = sum(d{y})"),
)
LAYERNORM = Pair(
    *(ops.layernorm_forward, ops.layernorm_backward),
    "({x} - mean) / std * weight + bias",
    "dxhat = d{y} * weight; d{x} = (dxhat - mean(dxhat) - xhat * mean(dxhat * xhat)) / std; "
    "dweight = sum(d{y} * xhat); dbias = sum(d{y})",
)
SPLIT = Pair(
    split_forward, split_backward, "q, k, v of {s} heads", "dqkv = dq, dk, dv side by side"
)
SCORES = Pair(
    *(scores_forward, scores_backward),
    "q @ k.T / sqrt(d)",
    "dq = dscores @ k / sqrt(d); dk = dscores.T @ q / sqrt(d)",
)
SOFTMAX = Pair(
    *(ops.softmax_forward, ops.softmax_backward),
    "softmax(scores)",
    "dscores = attn * (dattn - sum(dattn * attn))",
)
CONTEXT = Pair(
    *(context_forward, context_backward),
    *("attn @ v", "dattn = dcontext @ v.T; dv = attn.T @ dcontext"),
)
MERGE = Pair(
    *(merge_forward, merge_backward),
    *("heads side by side", "dcontext = dmerged cut into heads"),
)
GELU = Pair(
    *(ops.gelu_forward, ops.gelu_backward),
    *("gelu(hidden)", "dhidden = dactive * (gate + hidden * dgate)"),
)
RELU = Pair(
    *(ops.relu_forward, ops.relu_backward),
    *("max(hidden, 0)", "dhidden = dactive * (hidden > 0)"),
)
ADD = Pair(add_forward, add_backward, "x + branch", "dx = dx; dbranch = dx")
CLASS_TOKEN = Pair(
    *(class_token_forward, class_token_backward),
    *("{x}[:, 0]", "d{x} = 0; d{x}[:, 0] = d{y}"),
)
MEAN = Pair(
    *(mean_forward, mean_backward),
    *("{x}[:, 1:].mean(axis=1)", "d{x} = 0; d{x}[:, 1:] = d{y} / N"),
)
MEAN_OF_ALL = Pair(
    *(mean_of_all_forward, mean_of_all_backward),
    *("{x}.mean(axis=1)", "d{x} = d{y} / N"),
)
TWO_TOKENS = Pair(
    *(two_tokens_forward, two_tokens_backward),
    "{x}[:, 0], {x}[:, 1]",
    "d{x} = 0; d{x}[:, 0] = dpooled; d{x}[:, 1] = dpooled_dist",
)
MEAN_OF_TWO = Pair(
    *(mean_of_two_forward, mean_of_two_backward),
    *("({x} + logits_dist) / 2", "dlogits_dist = d{y} / 2; d{x} = d{y} / 2"),
)
PRODUCTS = (LINEAR, SCORES, CONTEXT)
ACTIVATIONS = {"gelu": (GELU, ("none",)), "gelu_tanh": (GELU, ("tanh",)), "relu": (RELU, ())}
