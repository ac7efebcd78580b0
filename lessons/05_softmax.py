# %% [markdown]
# # 5 · Softmax: scores become shares
#
# *20 minutes · needs lesson 4 · softmax 函数, 反向传播 backpropagation*
#
# Attention and the classifier both end in the same step: a row of scores, any numbers at all, becomes
# a row of shares, positive and of sum 1. We look at how it can overflow, at its temperature, at its
# gradient, and at a check of that gradient which finds nothing.

# %%
import numpy as np

import tinyvit
from tinyvit import show
from tinyvit.gradcheck import Call, numerical_gradient
from tinyvit.lessons import figure, predict
from tinyvit.ops import softmax_backward, softmax_forward

# %% [markdown]
# ## Forward
#
#     out_i = exp(x_i) / sum_j exp(x_j)
#
# `exp` makes every score positive, the division makes the sum 1. A score that is larger by 1 gets a
# share that is 2.718 times as large: **differences of scores become ratios of shares.**

# %%
x = np.array([2.0, 1.0, 0.5, 0.0, -1.0])  # (5,)
out, _ = softmax_forward(x)  # (5,)
print("scores", x)
print("shares", out.round(3), " sum", out.sum().round(6))
print(
    f"first / second share {out[0] / out[1]:.3f}, exp(2 - 1) {np.exp(1):.3f}"
)
more, _ = softmax_forward(x + 100)  # (5,)
answer = "no" if np.allclose(more, out) else "yes"
predict("add 100 to every score: do the shares change?", answer)

# %% [markdown]
# ## Overflow, and its cure
#
# Only differences count. That saves us, for `exp` grows so fast that the numbers of a computer end
# early: `exp(1000)` is stored as infinity, and infinity / infinity is not a number (nan). In float32,
# in which models run, the end comes even sooner.

# %%
large = np.array([1000.0, 999.0, 998.0])  # (3,)
with np.errstate(
    over="ignore", invalid="ignore"
):  # no warnings: we want to see what happens
    exps = np.exp(large)  # (3,)
    formula = exps / exps.sum()  # (3,)
print("exp(scores)         ", exps)
print("the formula as it is", formula)
for dtype in ("float32", "float64"):
    print(f"{dtype}: exp overflows above {np.log(np.finfo(dtype).max):.1f}")

# %% [markdown]
# The cure: subtract the row's largest score first. The shares are the same, the largest exponent is
# now 0, and every `exp` lies between 0 and 1. `softmax_forward` does this.

# %%
shifted = np.exp(large - large.max())  # (3,)
cured, _ = softmax_forward(large)  # (3,)
print("exp(scores - largest)", shifted.round(4))
print("softmax_forward      ", cured.round(4))
same, _ = softmax_forward(np.array([2.0, 1.0, 0.0]))  # (3,)
print("of scores 2, 1, 0    ", same.round(4))

# %% [markdown]
# ## Temperature
#
# Divide all scores by a number T before the softmax. A small T makes large differences: the first
# takes all. A large T makes small differences: all get nearly the same. T is called the temperature,
# after the same formula in physics, where heat brings disorder.

# %%
canvas = show.blank_figure(11, 3.4)
for T, axes in zip((0.25, 1, 4), canvas.subplots(1, 3), strict=True):
    shares, _ = softmax_forward(x / T)  # (5,)
    named = dict(zip(("2", "1", "0.5", "0", "-1"), shares, strict=True))
    show.bars(named, title=f"T = {T:g}", numbers="{:.2f}", axes=axes)
    axes.set_xlabel("share", fontsize=show.TEXT)
    axes.set_xlim(0, 1.25)
    print(f"T = {T:<4g} shares {shares.round(3)}")
canvas.axes[0].set_ylabel("score", fontsize=show.TEXT)
figure(canvas, "05_temperature")

# %% [markdown]
# ## The Jacobian
#
# How does each share move when one score moves? With `s` for the shares, the answers make a square
# table, the Jacobian:
#
#     J[i, j] = d s_j / d x_i = s_j (1[i = j] - s_i)          J = diag(s) - s sT
#
# `1[i = j]` is 1 on the diagonal, else 0. A score that rises lifts its own share and takes from all
# others.

# %%
s = out  # (5,)
J = np.diag(s) - np.outer(s, s)  # (5, 5)
signs = ", ".join("+" if entry > 0 else "-" for entry in J[0])
question = "score 0 rises: which shares rise (+), which fall (-)?"
predict(question, signs)
sums = J.sum(axis=1)  # (5,)
answer = f"0 (to rounding: {abs(sums).max():.0e})"
predict("what do the changes of all five shares sum to?", answer)

# %%
tables = {}
for T in (4, 1, 0.25):
    shares, _ = softmax_forward(x / T)  # (5,)
    tables[f"J at T = {T}"] = np.diag(shares) - np.outer(shares, shares)
names = {"rows": "score that moves", "columns": "share"}
figure(show.heatmaps(tables, **names), "05_jacobian")

# %% [markdown]
# The first row of each table: score 0 moves. At T = 0.25 score 0 has nearly everything, and nearly
# nothing moves any more: each entry is a product, `s_j (1 - s_j)` or `-s_i s_j`, and all of these are
# near 0 when one share is near 1. Such a softmax is called *saturated*. Lesson 6 needs this.
#
# ## Backward
#
# `dout` tells how the loss changes with each share. The chain rule multiplies it by the Jacobian.
# The table is never built: for a row of K shares, K numbers do the work of K times K.
#
#     dx = J @ dout  =  out * (dout - sum_j dout_j out_j)

# %%
rng = np.random.default_rng(0)
dout = rng.standard_normal(5)  # (5,)
_, cache = softmax_forward(x)
dx = softmax_backward(dout, cache)  # (5,)
product = J @ dout  # (5,); J is symmetric: dout @ J is the same
print("J @ dout        ", product.round(4))
print("softmax_backward", dx.round(4))
print(f"largest difference {abs(product - dx).max():.0e}")
print(f"sum of dx {dx.sum():.0e}")

# %% [markdown]
# The sum of `dx` is 0: adding the same to every score changes nothing, so the gradient must not ask
# for it. And the gradient of a saturated softmax dies:

# %%
for T in (4, 1, 0.25, 0.05):
    shares, cache_T = softmax_forward(x / T)  # (5,)
    size = abs(softmax_backward(dout, cache_T)).max()
    line = f"largest share {shares.max():.4f}   largest gradient {size:.1e}"
    print(f"T = {T:<4}  {line}")

# %% [markdown]
# ## The gradient check
#
# Every `dout` in these lessons is random, in the check too:

# %%
scores = rng.standard_normal((2, 3, 5, 4))  # (2, 3, 5, 4)
print(tinyvit.check_backward(softmax_forward, softmax_backward, [scores]))

# %% [markdown]
# ## Why an all-ones dout teaches nothing
#
# It seems natural to take the sum of all outputs as the loss: then `dout` is all ones. But the
# shares of a row always sum to 1. This loss is a constant, and its true gradient is 0. Here are
# three wrong backwards:
#
# * no gradient: zeros, whatever `dout` is;
# * plain mean: the mean of `dout`, where its mean weighted by the shares belongs;
# * diagonal only: each share as if it had nothing to do with the others.


# %%
def no_gradient(dout, cache):
    return 0 * dout


def plain_mean(dout, cache):
    return cache[0] * (dout - dout.mean(axis=-1, keepdims=True))


def diagonal_only(dout, cache):
    return dout * cache[0] * (1 - cache[0])


# %% [markdown]
# Each is compared with the numerical gradient: every score is moved a little, and the loss is looked
# at. Once with a `dout` of ones, once with a random one.

# %%
_, cache = softmax_forward(scores)
call = Call(softmax_forward, [scores], {})
ones = np.ones(scores.shape)  # (2, 3, 5, 4)
dout = rng.standard_normal(scores.shape)  # (2, 3, 5, 4)
truths = [numerical_gradient(call, scores, d) for d in (ones, dout)]
print(f"{'largest error':18}{'dout = ones':>14}{'dout random':>14}")
for backward in (softmax_backward, no_gradient, plain_mean, diagonal_only):
    errors = [
        abs(backward(d, cache) - truth).max()
        for d, truth in zip((ones, dout), truths, strict=True)
    ]
    print(f"{backward.__name__:18}{errors[0]:14.0e}{errors[1]:14.0e}")

# %% [markdown]
# With ones, two of the three wrong backwards pass as if they were right. One of them returns nothing
# but zeros. With a random `dout` all three are found. LayerNorm has the same trap, as its outputs
# also sum to a constant: with `weight` 1 and `bias` 0 their sum over a token is 0.

# %%
report = tinyvit.check_backward(softmax_forward, plain_mean, [scores])
predict("does check_backward call the plain mean ok?", report.ok)
print(report)

# %% [markdown]
# **What to keep.** Softmax turns differences of scores into ratios of shares. Subtract the largest
# score first. Its gradient only shifts shares from one to another, and dies when one has them all.
# Check gradients with a random `dout`.
#
# Write it yourself: `tinyvit exercise start softmax`.
#
# Next: `06_attention`, where each token's shares say at whom it looks.
