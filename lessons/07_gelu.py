# %% [markdown]
# # 7 · GELU: a gate for single numbers
#
# *20 minutes · needs lesson 2 · 激活函数 activation function*
#
# Linear layers alone cannot build much. Between two of them stands a function that bends: the
# activation. We look at the one of the Vision Transformer, GELU, at its form with tanh, at the
# older ReLU, and at what each of them lets through on the way back.

# %%
import numpy as np

import tinyvit
from tinyvit import ViTConfig, init_params, show, vit_forward
from tinyvit.lessons import figure, predict
from tinyvit.ops import (
    gelu_backward,
    gelu_forward,
    linear_backward,
    linear_forward,
    relu_backward,
    relu_forward,
)

# %% [markdown]
# ## Why bend at all?
#
# Two linear layers in a row are one linear layer: `(x @ A.T) @ B.T = x @ (B @ A).T`. However many
# are stacked, a straight line stays a straight line. One bend between them, and that is over.

# %%
rng = np.random.default_rng(0)
x = rng.standard_normal((2, 5, 12))  # (2, 5, 12)
A = rng.standard_normal((7, 12))  # (7, 12)
B = rng.standard_normal((12, 7))  # (12, 7)
hidden, _ = linear_forward(x, A, None)  # (2, 5, 7)
two, _ = linear_forward(hidden, B, None)  # (2, 5, 12)
one, _ = linear_forward(x, B @ A, None)  # (2, 5, 12)
bent, _ = linear_forward(gelu_forward(hidden)[0], B, None)  # (2, 5, 12)
print(
    f"two layers against one:     differ by up to {abs(two - one).max():.0e}"
)
print(
    f"with GELU between, against: differ by up to {abs(bent - one).max():.0f}"
)

# %% [markdown]
# ## Forward
#
#     ReLU   out = max(x, 0)
#     GELU   out = x * Phi(x)               Phi(x) = (1 + erf(x / sqrt(2))) / 2
#     tanh   out = x * (1 + tanh(u)) / 2    u = sqrt(2 / pi) * (x + 0.044715 x³)
#
# `Phi(x)` is a share between 0 and 1: how many numbers drawn from the bell curve are smaller than
# `x`. It is the gate: GELU lets that share of `x` through. ReLU's gate knows only 0 and 1. The
# third line is nearly GELU, with a gate made of tanh (Hendrycks and Gimpel, arXiv 1606.08415,
# section 2).

# %%
x = np.array([-4.0, -2.0, -0.75, -0.1, 0.0, 0.1, 0.75, 2.0, 4.0])  # (9,)
relu, _ = relu_forward(x)  # (9,)
gelu, cache = gelu_forward(x)  # (9,)
tanh, _ = gelu_forward(x, approximate="tanh")  # (9,)
signs = [
    "-" if out < 0 else "+" if out > 0 else "0" for out in (relu[1], gelu[1])
]
predict("x = -2: the signs of ReLU's and of GELU's output?", ", ".join(signs))
print("     x    ReLU      GELU      tanh   gate Phi")
for row in zip(x, relu, gelu, tanh, cache[1], strict=True):
    print("{:6.2f} {:7.2f} {:9.5f} {:9.5f} {:9.5f}".format(*row))

# %% [markdown]
# ## Backward
#
# GELU is a product, `x * gate(x)`, and a product has two terms:
#
#     dx = dout * (gate + x * dgate)    exact: dgate = exp(-x^2 / 2) / sqrt(2 pi)
#
# `gate`: what would be right if the gate stood still. `x * dgate`: moving `x` moves the gate too.
# With `dout` = 1 for every number, `dx` is the slope of the curve. (Here ones are good for
# something: each number goes its own way, nothing is mixed. In lesson 5 they hid a mistake.)

# %%
grid = np.linspace(-4, 4, 8001)  # (8001,)
ones = np.ones_like(grid)  # (8001,)
curves, slopes = {}, {}
for name in ("GELU", "GELU, tanh form", "ReLU"):
    if name == "ReLU":
        curves[name], cache = relu_forward(grid)
        slopes[name] = relu_backward(ones, cache)
    else:
        form = "tanh" if "tanh" in name else "none"
        curves[name], cache = gelu_forward(grid, form)
        slopes[name] = gelu_backward(ones, cache)
slope = slopes["GELU"]  # (8001,)
at = [slope[np.searchsorted(grid, x)] for x in (-2, -0.3, 1)]
question = "dout is positive. The sign of dx at x = -2, -0.3, 1 with GELU?"
predict(question, ", ".join("-" if value < 0 else "+" for value in at))

# %%
canvas = show.blank_figure(11, 4.6)
left, right = canvas.subplots(1, 2)
show.lines(grid, curves, xlabel="x", title=f"out {grid.shape}", axes=left)
show.lines(
    grid,
    slopes,
    xlabel="x",
    title=f"slope: dx where dout = 1 {grid.shape}",
    axes=right,
)
figure(canvas, "07_gelu")
lowest, steepest = grid[curves["GELU"].argmin()], grid[slope.argmax()]
print(f"GELU is lowest at x = {lowest:.2f}: {curves['GELU'].min():.3f}")
print(f"its slope is largest at x = {steepest:.2f}: {slope.max():.3f}")
print(f"         and least at x = {-steepest:.2f}: {slope.min():.3f}")

# %% [markdown]
# Three things to see. GELU has no corner at 0. Its slope goes above 1. And left of its lowest point
# the slope is **negative**: there, more `x` means less `out`, and the gradient changes its sign.
#
# ## What dies
#
# ReLU's slope at `x < 0` is 0: not small, but 0. Take one unit, `hidden = x @ weight.T + bias`,
# with a bias so low that `hidden` is negative for every token. Nothing comes back, the weights get
# no gradient, so they do not change, and as long as the tokens stay as they are, the unit is silent
# for good. That is a *dead* ReLU.

# %%
tokens = rng.standard_normal((1, 197, 64))  # (1, 197, 64)
weight = rng.standard_normal((1, 64)) / 8  # (1, 64), one unit
dout = rng.standard_normal((1, 197, 1))  # (1, 197, 1)
print("bias  hidden > 0   length of dweight:   ReLU      GELU")
for bias in (0.0, -2.0, -4.0, -8.0):
    hidden, cache = linear_forward(tokens, weight, np.array([bias]))
    drelu = relu_backward(dout, relu_forward(hidden)[1])
    dgelu = gelu_backward(dout, gelu_forward(hidden)[1])
    lengths = [
        np.linalg.norm(linear_backward(d, cache)[1]) for d in (drelu, dgelu)
    ]
    share = (hidden > 0).mean()
    print(
        f"{bias:4.0f}  {share:10.0%}  {lengths[0]:23.1e}  {lengths[1]:8.1e}"
    )

# %% [markdown]
# GELU is not free of this, only softer: its slope is not exactly 0 here, but it fades as fast as
# the bell curve. A unit that is pushed far to the left learns so slowly that it is as good as dead.
#
# ## How far is the tanh form from the exact one?

# %%
wide = np.linspace(-6, 6, 12_001)  # (12001,)
exact, exact_cache = gelu_forward(wide)  # (12001,)
quick, quick_cache = gelu_forward(wide, "tanh")  # (12001,)
gap = abs(quick - exact)  # (12001,)
dexact = gelu_backward(np.ones_like(wide), exact_cache)  # (12001,)
dquick = gelu_backward(np.ones_like(wide), quick_cache)  # (12001,)
dgap = abs(dquick - dexact)  # (12001,)
print(f"out:   up to {gap.max():.2e}, at |x| = {abs(wide[gap.argmax()]):.2f}")
print(
    f"slope: up to {dgap.max():.2e}, at |x| = {abs(wide[dgap.argmax()]):.2f}"
)
curves = {"out": 1e3 * (quick - exact), "slope": 1e3 * (dquick - dexact)}
text = {"xlabel": "x", "ylabel": "tanh less exact form [thousandths]"}
figure(show.lines(wide, curves, **text), "07_gap")

# %% [markdown]
# That is little, and far more than rounding. Both forms are in use: the ViT authors' code calls
# `nn.gelu`, whose default in Flax is the tanh form (google-research/vision_transformer,
# `vit_jax/models_vit.py`; Flax's reference); PyTorch's `nn.GELU`, which timm takes, is exact unless
# told otherwise. With the same weights the two give slightly different logits:

# %%
images = rng.standard_normal((8, 1, 8, 8))  # (8, 1, 8, 8)
exact_vit = ViTConfig.preset("digits", depth=12)
quick_vit = ViTConfig.preset("digits", depth=12, activation="gelu_tanh")
params = init_params(exact_vit, dtype="float64")
logits, _ = vit_forward(images, params, exact_vit)  # (8, 10)
others, _ = vit_forward(images, params, quick_vit)  # (8, 10)
print(f"logits of size {logits.std():.2f} change by up to ", end="")
print(f"{abs(others - logits).max():.0e} through {exact_vit.depth} blocks")

# %% [markdown]
# ## The gradient check
#
# All three backwards, on small odd shapes:

# %%
x = 2 * rng.standard_normal((2, 5, 3))  # (2, 5, 3)
tanh_form = {"approximate": "tanh"}
print("ReLU")
print(tinyvit.check_backward(relu_forward, relu_backward, (x,)))
print("GELU")
print(tinyvit.check_backward(gelu_forward, gelu_backward, (x,)))
print("GELU, tanh form")
print(
    tinyvit.check_backward(
        gelu_forward, gelu_backward, (x,), kwargs=tanh_form
    )
)

# %% [markdown]
# And an easy mistake: the forward in the exact form, the backward of the tanh form. In the picture
# above the two curves lie on each other, so who would notice? The check does, if it is strict.


# %%
def mixed_backward(dout, cache):
    x, gate, _ = cache
    return gelu_backward(dout, (x, gate, "tanh"))


report = tinyvit.check_backward(gelu_forward, mixed_backward, (x,))
print(report)
loose = tinyvit.check_backward(
    gelu_forward, mixed_backward, (x,), tolerance=1e-2
)
predict("the same check, tolerance 1e-2 instead of 1e-7: ok?", loose.ok)

# %% [markdown]
# A tolerance of a hundredth finds nothing. The right ones above agree far better than 1e-7, so
# there is no reason to ask for less.
#
# ## The formula that you may know
#
# *Said in many texts: "FFN(x) = max(0, xW1 + b1)W2 + b2". Half right.* This is the feed-forward
# network of the 2017 Transformer (Vaswani et al., arXiv 1706.03762, equation 2), and `max(0, ...)`
# is ReLU. ViT's has the same two layers with a GELU between them (Dosovitskiy et al., arXiv
# 2010.11929, section 3.1). How much of the result does that change, with the same weights?

# %%
x = rng.standard_normal((1, 197, 64))  # (1, 197, 64)
W1 = rng.standard_normal((64, 256)) / 8  # (64, 256)
W2 = rng.standard_normal((256, 64)) / 16  # (256, 64)
b1 = rng.standard_normal(256) / 8  # (256,)
b2 = rng.standard_normal(64) / 8  # (64,)
ffn = np.maximum(0, x @ W1 + b1) @ W2 + b2  # (1, 197, 64)
of_vit = gelu_forward(x @ W1 + b1)[0] @ W2 + b2  # (1, 197, 64)
change = np.linalg.norm(of_vit - ffn) / np.linalg.norm(ffn)
print(
    f"GELU instead of ReLU changes the output by {change:.0%} of its length"
)

# %% [markdown]
# **What to keep.** GELU lets the share `Phi(x)` of `x` through. Its backward has two terms, for the
# gate moves with `x`; its slope is negative left of -0.75 and rises above 1 on the right. ReLU's
# gradient at negative numbers is exactly 0. Forward and backward must be of the same form.
#
# Write it yourself: `tinyvit exercise start gelu`.
#
# Next: `08_mlp`, where GELU stands between two linear layers: 768 -> 3072 -> 768.
