# %% [markdown]
# # 16 · Devices: one code, two devices, and where the time goes
#
# *30 minutes · needs lessons 6, 11 and 12; no GPU · 多头自注意力*
#
# The pairs run on a processor (CPU) with NumPy and on a graphics card (GPU) with CuPy, and not a
# line of them differs. We see how, measure where the time goes, what one call costs, and what
# threads and faster pairs change: the time, not the numbers.

# %%
import time

import numpy as np

import tinyvit
from tinyvit import ViTConfig, ops, show, to_device, to_numpy
from tinyvit.backend import require_device
from tinyvit.errors import InputError
from tinyvit.examples import on_gpu, op_examples
from tinyvit.kernels import cpu
from tinyvit.lessons import figure, predict
from tinyvit.optim import adamw, clip
from tinyvit.params import flatten
from tinyvit.train import Trainer
from tinyvit.workers import Workers, granted_cores

# %% [markdown]
# ## Which device is here?

# %%
try:
    require_device("gpu")
    device = "gpu"
    print("a GPU is here: the next cells use it")
except InputError:  # its text says what is missing
    device = "cpu"
    print("no GPU here: the same lines run on NumPy")
cores = granted_cores()
print(f"{cores} cores of a CPU")

# %% [markdown]
# ## The whole switch
#
# CuPy is a library with NumPy's functions, on a card. So a pair asks who made its array, and calls
# that library's functions:
#
#     xp = get_array_module(x)                  numpy, or cupy if x lies on a card
#     exps = xp.exp(x - x.max(axis=-1, keepdims=True))
#
# `to_device` and `to_numpy` move arrays; everything between them stays where it is.

# %%
rng = np.random.default_rng(0)
config = ViTConfig.preset("mnist")
params = tinyvit.init_params(config, seed=0)
images = rng.standard_normal((32, 1, 28, 28)).astype("float32")
x = to_device(images, device)  # (32, 1, 28, 28)
there = to_device(params, device)
module = tinyvit.get_array_module(x).__name__
predict("whose functions will this model call?", module)
logits, cache = tinyvit.vit_forward(x, there, config)  # (32, 10)
here, _ = tinyvit.vit_forward(images, params, config)  # (32, 10)
difference = abs(to_numpy(logits) - here).max()
print(f"{logits.shape = }, made by {type(logits).__module__}")
print(f"differs from NumPy by at most {difference:.0e}")

# %% [markdown]
# The gradient check of a pair, on the device that is here. It compares with derivatives taken on
# the same device, so it checks what runs there.

# %%
example = op_examples()["attention"]
if device == "gpu":
    example = on_gpu(example)
pair = example.forward, example.backward
report = tinyvit.check_backward(*pair, example.args, kwargs=example.kwargs)
print(report)

# %% [markdown]
# ## Where the time goes
#
# We time the pairs of one block on the CPU: for 32 images of the small MNIST model, and for one
# photograph in ViT-S/16. First what they are called with, random numbers of the right shapes:


# %%
def calls_of(config, B):
    N, D, M = config.num_patches + 1, config.embed_dim, config.hidden_dim
    h = config.num_heads
    shapes = [(B, N, D), (D,), (B, h, N, N), (B, N, M), (M,)]
    shapes += [(3 * D, D), (3 * D,), (D, D), (M, D), (D, M)]
    arrays = [0.1 * rng.standard_normal(s, "float32") for s in shapes]
    x, gain, scores, wide, bias, qkv, qkv_bias, proj, fc1, fc2 = arrays
    calls = {"layernorm": (x, gain, gain)}
    calls |= {"attention": (x, qkv, qkv_bias, proj, gain, h)}
    calls |= {"softmax": (scores,), "mlp": (x, fc1, bias, fc2, gain)}
    return calls | {"gelu": (wide,)}


small = calls_of(config, 32)
large = calls_of(ViTConfig.preset("vit_small_patch16_224"), 1)
shape = large["softmax"][0].shape
predict("ViT-S/16, 1 image: the shape of the scores?", shape)

# %% [markdown]
# A time is the least of several, because other programs only ever make it longer. `Workers(1)`
# keeps the work on one core: NumPy's matrix products would take all.


# %%
def least(function, *args, runs=7):
    """The shortest of several runs [ms]."""
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        function(*args)
        times.append(time.perf_counter() - start)
    return 1000 * min(times)


def of_pair(pairs, name, args):
    """Forward and backward [ms]."""
    forward = getattr(pairs, f"{name}_forward")
    out, cache = forward(*args)
    backward = getattr(pairs, f"{name}_backward")
    return least(forward, *args), least(backward, out, cache)


one_core = Workers(1)


# %%
canvas = show.blank_figure(11, 4.6)
titles = {"MNIST model, 32 images": small, "ViT-S/16, 1 image": large}
places = canvas.subplots(1, 2)
for axes, (title, calls) in zip(places, titles.items(), strict=True):
    bars = {}
    times = one_core.map(lambda call: of_pair(ops, *call), calls.items())
    for name, (there, back) in zip(calls, times, strict=True):
        label = f"its {name}" if name in ("softmax", "gelu") else name
        bars |= {f"{label}, forward": there, f"{label}, backward": back}
    show.bars(bars, title=title, numbers="{:.1f} ms", axes=axes)
    share = bars["its gelu, forward"] / bars["mlp, forward"]
    print(f"{title:22}: GELU is {share:.0%} of the MLP's forward")
figure(canvas, "16_pairs")

# %% [markdown]
# Attention and the MLP are most of it: they hold the matrix products. But look at GELU: it
# multiplies no matrices, and still takes its share of the MLP's time. Its formula is some twenty
# simple operations, and each of them walks through the whole array in memory.
#
# ## Faster pairs, the same numbers
#
# `tinyvit.kernels.cpu` holds pairs of the same names, arguments and results, which work in place
# and walk less. (The matrix products are the same in both.) Nobody has to read them to understand a
# ViT. But they must be right:

# %%
print("largest difference, of the largest number   faster by")
for name, args in small.items():
    book, fast = (getattr(pairs, f"{name}_forward") for pairs in (ops, cpu))
    (out, cache), (fast_out, fast_cache) = book(*args), fast(*args)
    dx = getattr(ops, f"{name}_backward")(out, cache)
    fast_dx = getattr(cpu, f"{name}_backward")(out, fast_cache)
    if isinstance(dx, tuple):
        dx, fast_dx = dx[0], fast_dx[0]
    both = [(ops, name, args), (cpu, name, args)]
    slow, fast = one_core.map(lambda call: sum(of_pair(*call)), both)
    out_error = abs(fast_out - out).max() / abs(out).max()
    dx_error = abs(fast_dx - dx).max() / abs(dx).max()
    print(f"{name:10} out {out_error:.0e}, dx {dx_error:.0e}", end="")
    print(f"{slow / fast:19.1f}")

# %% [markdown]
# Differences of 1e-7 to 1e-6 are float32's rounding. And the gradient check, in float64:

# %%
args = [rng.standard_normal(shape) for shape in ((2, 5, 12), (12,), (12,))]
pair = cpu.layernorm_forward, cpu.layernorm_backward
print(tinyvit.check_backward(*pair, args))

# %% [markdown]
# ## Threads: a batch in parts
#
# The loss is a mean over the batch. So its gradient is the mean of the gradients of the halves, and
# each core of the CPU can take a part through the whole model by itself:


# %%
def gradient(images, labels):
    """Of the mean loss, as one vector."""
    logits, cache = tinyvit.vit_forward(images, params, config)
    _, loss_cache = ops.cross_entropy_forward(logits, labels)
    dlogits = ops.cross_entropy_backward(1.0, loss_cache)
    _, grads = tinyvit.vit_backward(dlogits, cache)
    return flatten(grads)[0]


labels = rng.integers(0, 10, 32)  # (32,)
whole = gradient(images, labels)  # (306826,)
halves = (
    gradient(images[:16], labels[:16]),
    gradient(images[16:], labels[16:]),
)
error = abs((halves[0] + halves[1]) / 2 - whole).max() / abs(whole).max()
predict("mean of the halves against the whole?", f"the same, to {error:.0e}")

# %%
start, _ = flatten(params)  # (306826,)


def by_the_book():
    clipped, _ = clip(gradient(images, labels), 1.0)
    adamw(start, clipped, 0 * start, 0 * start, step=1, lr=1e-3, decay=0)


(book,) = one_core.map(least, [by_the_book])
steps = {"the textbook, threads: 1": book}
for threads in dict.fromkeys((1, cores)):
    trainer = Trainer(config, params, threads=threads)
    name = f"fast pairs, threads: {threads}"
    steps[name] = least(trainer.step, images, labels)
fastest = min(steps, key=steps.get)
predict("a training step: which of these is fastest here?", fastest)
drawing = show.bars(steps, title="a step, 32 images", numbers="{:.0f} ms")
figure(drawing, "16_steps")

# %% [markdown]
# ## What a call costs
#
# Every call has a price, whatever it works on: Python looks the function up, the library looks at
# shapes and types, memory is found. We add two arrays of other sizes:

# %%
n = 4 ** np.arange(12)  # (12,) 1 to 4 million
microseconds = []
for size in n:
    a = to_device(np.ones(size, "float32"), device)
    calls = 200 if size < 10000 else 2

    def add_often(a=a, calls=calls):
        for _ in range(calls):
            a + a
        to_numpy(a[:1])  # a card works on by itself: wait for it

    microseconds.append(1000 * least(add_often) / calls)
ratio = microseconds[3] / microseconds[0]
predict("64 numbers take how many times as long as 1?", f"{ratio:.1f} times")
print(f"{n[0]:9,} number:  {microseconds[0]:7.2f} us")
print(f"{n[-1]:9,} numbers: {microseconds[-1]:7.0f} us")

# %%
work = np.array(n) * microseconds[-1] / n[-1]  # (12,)
curves = {
    "measured": np.array(microseconds),
    "in proportion to the numbers": work,
}
names = {"xlabel": "numbers in the array", "ylabel": "time of a call [us]"}
drawing = show.lines(n, curves, points=True, logx=True, logy=True, **names)
figure(drawing, "16_call")

# %% [markdown]
# On the left nearly all of the time is the price of the call: the curve is flat. A card has the
# same curve, only worse: its work is done much faster, and the price is higher, some 10 us for each
# *launch* of a function on the card. A training step of the textbook, with CuPy, is 811 launches:

# %%
launches, price = 811, 10
print(f"{launches} launches x {price} us = {launches * price / 1000:.1f} ms")
print(f"120 launches x {price} us = {120 * price / 1000:.1f} ms")
print("recorded as a graph: 1 launch a step")
if device == "gpu":
    trainer = Trainer(config, params, device="gpu")
    for _ in range(2):  # the second step is recorded
        trainer.step(images, labels)
    count = trainer.launches or "not known: it is emulated"
    print(f"launches in the graph of this model: {count}")

# %% [markdown]
# So the card would wait for the host most of the time. Two remedies, both in
# `tinyvit.kernels.cuda`:
#
# * **Fusing.** One function does what several did: LayerNorm's mean, variance, division, gain and
#   shift in one launch, reading its array once. 811 launches become 120.
# * **A CUDA graph.** A step is the same list of launches each time. The list is recorded once;
#   after that the host says "again", one word a step, and the card goes through the list by itself.
#
# The numbers 811, 120 and 10 us are the project's own, for the model that it calls case A: see the
# README, "On a GPU". `pytest tests/test_cuda_training.py -k launches` counts the launches again.
#
# **What to keep.** One code serves both devices, because a pair asks its array where it lives. Time
# goes into matrix products, into walking through memory, and into calls; what is faster must give
# the same numbers, and the gradient check holds for it too.
#
# That was the last lesson. Next: write the pairs yourself. `tinyvit exercise` has one for each, and
# says what is wrong with yours. Then `tinyvit train`, on digits of your own making.
