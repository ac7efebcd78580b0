# %% [markdown]
# # 11 · Gradient check: is this backward right?
#
# *20 minutes · needs lessons 2, 5 and 7 · 梯度检查*
#
# With a wrong backward nothing crashes: the model may even learn, only worse. So every backward is
# compared with a derivative that needs no derivation. We take that derivative, find its best
# step, see why it needs float64, and then catch four mistakes.

# %%
import numpy as np

import tinyvit
from tinyvit import show
from tinyvit.examples import model_example
from tinyvit.gradcheck import Call, numerical_gradient
from tinyvit.lessons import figure, predict
from tinyvit.ops import (
    gelu_backward,
    gelu_forward,
    linear_backward,
    linear_forward,
    softmax_backward,
    softmax_forward,
)
from tinyvit.params import count_params

# %% [markdown]
# ## One number, by hand
#
# A derivative says how fast `f` changes. So: change `x` by a little `h`, look how far `f` moved,
# divide by `h`. That is one-sided. Or step to both sides: that is central.
#
#     one-sided   (f(x + h) - f(x)) / h
#     central     (f(x + h) - f(x - h)) / 2h
#
# We take GELU (lesson 7) at one number.


# %%
def f(x):
    return gelu_forward(x)[0]


x = np.array([-1.5])  # (1,)
_, cache = gelu_forward(x)
slope = gelu_backward(np.ones(1), cache)  # (1,)
sign = "-" if slope[0] < 0 else "+"
predict("GELU's slope at -1.5: -, 0 or +?", f"{sign} ({slope[0]:.8f})")
print("     h      one-sided  (error)      central  (error)")
for h in (0.1, 0.01, 0.001):
    one = (f(x + h) - f(x)) / h  # (1,)
    two = (f(x + h) - f(x - h)) / (2 * h)  # (1,)
    errors = abs(one - slope)[0], abs(two - slope)[0]
    print(f"{h:6}  {one[0]:13.8f}  ({errors[0]:.0e})", end="")
    print(f"  {two[0]:11.8f}  ({errors[1]:.0e})")

# %% [markdown]
# Ten times smaller `h`: the one-sided error falls by ten, the central one by a hundred. Taylor's
# series says why. Both have cut something off:
#
#     f(x + h) = f + h f' + h²/2 f'' + h³/6 f''' + ...
#     f(x - h) = f - h f' + h²/2 f'' - h³/6 f''' + ...
#
#     one-sided = f' + h/2 f''  + ...
#     central   = f' + h²/6 f''' + ...        the two h²/2 f'' are gone
#
# So take `h` as small as can be? No.

# %% [markdown]
# ## The U: too large, too small
#
# A computer keeps 16 digits of `f` (in float64). If `h` is tiny, `f(x + h)` and `f(x - h)` agree in
# nearly all of them: the difference is made of the last, rounded digits, and dividing by a tiny `h`
# makes that rounding large. `eps` is the size of a rounding: 2.2e-16 of the number.
#
#     error of rounding  ~  eps |f| / h
#
# We measure at 1000 numbers, because the rounding of a single one is luck.

# %%
rng = np.random.default_rng(0)
x = rng.standard_normal(1000)  # (1000,)
_, cache = gelu_forward(x)
slope = gelu_backward(np.ones(1000), cache)  # (1000,)
h = 10.0 ** -np.arange(0, 13.5, 0.5)  # (27,)
one, two = np.empty(27), np.empty(27)
for i in range(27):
    ahead, back = f(x + h[i]), f(x - h[i])
    one[i] = abs((ahead - f(x)) / h[i] - slope).mean()
    two[i] = abs((ahead - back) / (2 * h[i]) - slope).mean()
best = h[two.argmin()]
predict("which h is best for the central difference?", f"{best:.0e}")
print(f"central:   error {two.min():.0e} at h = {best:.0e}")
print(f"one-sided: error {one.min():.0e} at h = {h[one.argmin()]:.0e}")

# %% [markdown]
# Over `h`, on two scales that go by factors of ten: right of the bottom the curves fall with `h`
# (slope 1) and with `h²` (slope 2), left of it they rise with `1/h`. The last three curves are not
# measured. They are the three formulas above, with GELU's own derivatives:
#
#     f'' = (2 - x²) phi(x)     f''' = (x³ - 4x) phi(x)     phi: the bell curve

# %%
phi = np.exp(-x * x / 2) / np.sqrt(2 * np.pi)  # (1000,)
second = abs((2 - x * x) * phi).mean()
third = abs((x**3 - 4 * x) * phi).mean()
eps = np.finfo(float).eps
theory = {
    "h/2 |f''|": (h[:19], h[:19] / 2 * second),
    "h²/6 |f'''|": (h[:12], h[:12] ** 2 / 6 * third),
    "eps |f| / h": (h[8:], eps * abs(f(x)).mean() / h[8:]),
}
places = {"one-sided": h, "central": h} | {k: v[0] for k, v in theory.items()}
errors = {"one-sided": one, "central": two}
errors |= {k: v[1] for k, v in theory.items()}
names = {"xlabel": "step h", "ylabel": "mean error of the derivative"}
figure(show.lines(places, errors, logx=True, logy=True, **names), "11_u")

# %% [markdown]
# At its best the central difference is hundreds of times better. The library takes central
# differences with `h = 1e-5`: near the bottom, and on the safe side of it.
#
# ## Why checks are done in float64
#
# Training runs in float32: 7 digits, `eps = 1.2e-7`. We draw the same curve in float32, and beside
# it a mistake that is made: forward with the exact GELU, backward with the derivative of its tanh
# form (lesson 7). The two forms are close together.

# %%
x32 = x.astype("float32")  # (1000,)
single = np.empty(27)  # (27,)
for i in range(27):
    step = np.float32(h[i])
    difference = f(x32 + step) - f(x32 - step)  # (1000,)
    single[i] = abs(difference / (2 * step) - slope).mean()
_, tanh_cache = gelu_forward(x, "tanh")
tanh_slope = gelu_backward(np.ones(1000), tanh_cache)  # (1000,)
mistake = abs(tanh_slope - slope).mean()
print(f"the mistake:                 {mistake:.0e}")
print(f"float32's error at h = 1e-5: {single[10]:.0e}")
print(f"float64's error at h = 1e-5: {two[10]:.0e}")
answer = "yes" if single[10] < mistake / 2 else "no, it drowns"
predict("does a float32 check at h = 1e-5 see it?", answer)

# %%
curves = {"central, float32": single, "central, float64": two}
curves |= {"a mistake: GELU's tanh form": np.full(27, mistake)}
names = {"xlabel": "step h", "ylabel": "mean error of the derivative"}
figure(show.lines(h, curves, logx=True, logy=True, **names), "11_float32")

# %% [markdown]
# On the left float32's curve is flat: there `x + h` is rounded to `x`, and the difference is 0. The
# dash-dotted line is the mistake. A float32 check must have a lower error than that, and has, for
# some steps `h`: but which, differs from layer to layer, and a tolerance that forgives float32 its
# rounding forgives small mistakes too. In float64 the room below the line is a million times
# larger. So a backward is checked in float64. It is the same code: what is right there is right in
# float32, up to rounding.

# %% [markdown]
# ## A whole layer
#
# With many inputs and many outputs, one number is needed that depends on all of them: the loss. We
# take `loss = sum(dout * out)` with a random `dout`, because its gradient with respect to `out` is
# that `dout`. Then move one input at a time.

# %%
x = rng.standard_normal((2, 5, 4))  # (2, 5, 4)
weight = rng.standard_normal((3, 4))  # (3, 4)
bias = rng.standard_normal(3)  # (3,)
out, cache = linear_forward(x, weight, bias)
dout = rng.standard_normal(out.shape)  # (2, 5, 3)
dx, dweight, dbias = linear_backward(dout, cache)
predict("x is (2, 5, 4), out (2, 5, 3); dweight's shape?", dweight.shape)
moved = weight.copy()  # (3, 4)
moved[1, 2] += 1e-5
above, _ = linear_forward(x, moved, bias)
moved[1, 2] -= 2e-5
below, _ = linear_forward(x, moved, bias)
print(f"moved by hand: {(dout * (above - below)).sum() / 2e-5:.10f}")
print(f"dweight[1, 2]: {dweight[1, 2]:.10f}")

# %% [markdown]
# `check_backward` does that for every number of every input, in float64, and compares:

# %%
args = x, weight, bias
print(tinyvit.check_backward(linear_forward, linear_backward, args))

# %% [markdown]
# How to read it:
#
# * **gradient**: its name, `d` and the input's name. All gradients in the order of the inputs.
# * **relative error**: the largest difference between backward and numerical derivative, divided by
#   the largest value in that gradient. So 1 means: as wrong as it is large.
# * **ok**: the error is below 1e-7, or within the rounding of the numerical derivative itself.
#
# Errors of 1e-10 are not mistakes: that is the bottom of the U. Mistakes are 1e-4, 0.1, 1 or more.

# %% [markdown]
# ## Mistake 1: a factor
#
# The bias is added to each of the 2 x 5 tokens, so its gradient is a sum over them. Somebody wrote
# the mean:


# %%
def mean_backward(dout, cache):
    dx, dweight, dbias = linear_backward(dout, cache)
    return dx, dweight, dout.mean(axis=(0, 1))  # should be sum


report = tinyvit.check_backward(linear_forward, mean_backward, args)
print(report)
wrong = report.gradients[2]
print(f"got / expected = {wrong.got / wrong.expected:.4f}")

# %% [markdown]
# The report names the gradient, the place of the largest difference, what the backward **got**
# there and what was **expected** (the numerical derivative). Below it stands what the mistake most
# likely is. To find that out, the checker makes hundreds of common mistakes in the textbook's
# formula, one after the other, until one of them gives just these numbers. Where none does, it
# says "not recognised", and you look yourself.
#
# Then the quotient is a clue: a plain number as 0.1 = 1 / (2 * 5) is a factor too few. A quotient
# of -1 is a sign, 2 or 0.5 a forgotten square or fork.
#
# ## Mistake 2: transposed
#
# With a square weight a transposed gradient has the right shape. Numbers tell, shapes do not:


# %%
def transposed_backward(dout, cache):
    dx, dweight, dbias = linear_backward(dout, cache)
    return dx, dweight.T, dbias  # rows.T @ drows


square = x, rng.standard_normal((4, 4)), np.zeros(4)
print(tinyvit.check_backward(linear_forward, transposed_backward, square))
out, cache = linear_forward(*square)
dout = rng.standard_normal(out.shape)  # (2, 5, 4)
_, got, _ = transposed_backward(dout, cache)
call = Call(linear_forward, square, {})
expected = numerical_gradient(call, square[1], dout)  # (4, 4)
print(f"got.T - expected: at most {abs(got.T - expected).max():.0e}")

# %% [markdown]
# `numerical_gradient` gives the whole expected array. Two pictures beside each other say more than
# one number: rows are columns there.

# %%
both = {"got": got, "expected": expected, "difference": got - expected}
drawing = show.heatmaps(both, rows="output", columns="input", digits=1)
figure(drawing, "11_transposed")

# %% [markdown]
# ## Mistake 3: a missing term
#
# GELU is a product, `x * gate(x)`, so its derivative has two terms. Somebody forgot the second:


# %%
def short_backward(dout, cache):
    x, gate, _ = cache
    return dout * gate  # + dout * x * dgate


print(tinyvit.check_backward(gelu_forward, short_backward, [x]))
out, cache = gelu_forward(x)
quotient = short_backward(1.0, cache) / gelu_backward(1.0, cache)
print(f"got / expected from {quotient.min():.2f} to {quotient.max():.2f}")

# %% [markdown]
# No common quotient this time: a term is missing that is different for each number. Then print
# `got - expected` at a few places and compare it with the terms of the formula.
#
# ## Mistake 4: why dout is random
#
# The rows of a softmax sum to 1, so `sum(out)` never changes. With a `dout` of ones the true
# gradient is 0, and a wrong backward that gives 0 as well looks right:


# %%
def lucky_backward(dout, cache):
    (out,) = cache
    mean = dout.mean(axis=-1, keepdims=True)  # should be weighted by out
    return out * (dout - mean)


scores = rng.standard_normal((2, 3, 5, 5))  # (2, 3, 5, 5)
out, cache = softmax_forward(scores)
true = softmax_backward(np.ones(out.shape), cache)  # (2, 3, 5, 5)
lucky = lucky_backward(np.ones(out.shape), cache)  # (2, 3, 5, 5)
print(f"dout of ones: true {abs(true).max():.0e}, ", end="")
print(f"lucky {abs(lucky).max():.0e}")
print(tinyvit.check_backward(softmax_forward, lucky_backward, [scores]))

# %% [markdown]
# ## A whole model: random directions
#
# Two forward passes for every single number are too many for a model. Instead move *all* numbers of
# an input at once, along a random direction `v`, and compare with the gradient along it:
#
#     (f(x + h v) - f(x - h v)) / 2h   =   sum(gradient * v)
#
# A wrong gradient would have to be wrong at right angles to a random direction to hide.

# %%
vit = model_example("vit")
images, params, config = vit.args
numbers = count_params(params) + images.size
predict(f"{numbers:,} numbers: how many forward passes?", f"{2 * numbers:,}")
report = tinyvit.check_backward(
    vit.forward, vit.backward, vit.args, directions=2
)
count = len(report.gradients)
print(f"two directions each: {count} gradients, {2 * 2 * count} passes")
print(f"largest relative error: {report.error:.0e}; all right: {report.ok}")

# %% [markdown]
# The price: directions say that a gradient is wrong, not where. Then check its layer alone, number
# by number, on a small input.
#
# **What to keep.** A central difference in float64 with `h` near 1e-5 gives 10 digits of any
# derivative: larger steps cut too much off, smaller ones drown in rounding. Check with a random
# `dout`, odd and unequal sizes, and read `got / expected`. `tinyvit gradcheck` does it for every
# pair of this project and for whole models; do it first with every backward you write yourself.
# Write this checker yourself: `tinyvit exercise start gradcheck`.
#
# Next: `12_vit`, where all the pairs become one model.
