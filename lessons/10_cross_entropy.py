# %% [markdown]
# # 10 · Cross-entropy: how surprised is the model?
#
# *20 minutes · needs lesson 5 · 交叉熵 cross-entropy*
#
# At the end of the model stand K numbers for each image, the logits: one a class. Training needs
# one number that says how wrong they are, and its gradient, where every backward pass begins. We
# compute both, soften the targets, and see why the computer must not follow the formula to the
# letter.

# %%
import numpy as np

import tinyvit
from tinyvit import show
from tinyvit.lessons import figure, predict
from tinyvit.ops import (
    cross_entropy_backward,
    cross_entropy_forward,
    log_softmax_backward,
    log_softmax_forward,
    softmax_forward,
)

# %% [markdown]
# ## From logits to a loss
#
#     p    = softmax(logits)         shares: what the model believes (lesson 5)
#     loss = -log p[label]           its surprise when it is told the label
#
# `log` is the natural logarithm, and so the unit is called *nat* (with the logarithm to base 2 it
# would be the bit). A model that was sure and right, p = 1, is not surprised: 0 nats.

# %%
logits = np.array([[2.0, 1.0, -1.0]])  # (1, 3), one image, three classes
p, _ = softmax_forward(logits)  # (1, 3)
print("class   logit      p    loss if this is the label")
for k in range(3):
    loss, _ = cross_entropy_forward(logits, np.array([k]))
    line = f"{k:5} {logits[0, k]:7.1f} {p[0, k]:6.3f}"
    print(f"{line} {-np.log(p[0, k]):8.3f} nats, cross_entropy {loss:.3f}")

# %%
surest = np.linspace(0.005, 1, 400)  # (400,)
text = {"xlabel": "p of the true class", "ylabel": "loss [nats]"}
text["title"] = "loss = -log p"
figure(show.lines(surest, {"": -np.log(surest)}, **text), "10_loss")
for share in (0.99, 0.5, 0.1, 0.01, 0.0001):
    print(f"p = {share:<6}  loss {-np.log(share):5.2f} nats")

# %% [markdown]
# ## Knowing nothing
#
# A model that gives all K classes the same share has p = 1/K, and its loss is `log K`. That is the
# number at which training should begin. A larger loss is worse than knowing nothing: wrong and sure
# of it.

# %%
loss, _ = cross_entropy_forward(np.zeros((1, 10)), np.array([3]))
predict("10 classes, all logits 0: the loss in nats?", f"{loss:.2f}")
for K in (2, 3, 10, 1000):
    loss, _ = cross_entropy_forward(np.zeros((1, K)), np.array([1]))
    print(f"{K:4} classes: loss {loss:.2f}, log K = {np.log(K):.2f}")
sure = np.zeros((1, 10))  # (1, 10)
sure[0, 7] = 12
loss, _ = cross_entropy_forward(sure, np.array([3]))
print(f"sure of class 7, but it is 3: loss {loss:.2f}")

# %% [markdown]
# Read backwards: with a loss L, a model is as unsure as one that wavers between `exp(L)` classes
# that are all equally likely.
#
# ## Backward: p - y
#
# Write the label as a row `y` of zeros with a single 1. Over a batch of B images the loss is the
# mean, so each image has a B-th part in it:
#
#     loss    = -1/B * sum(y * log p)              dlogits = (p - y) / B
#
# What the model said, less what is true.

# %%
rng = np.random.default_rng(0)
logits = rng.normal(0, 1.5, (4, 3))  # (4, 3)
labels = np.array([0, 1, 2, 0])  # (4,)
p, _ = softmax_forward(logits)  # (4, 3)
y = np.eye(3)[labels]  # (4, 3)
loss, cache = cross_entropy_forward(logits, labels)
dlogits = cross_entropy_backward(1.0, cache)  # (4, 3)
signs = ", ".join("-" if value < 0 else "+" for value in dlogits[0])
predict("image 0 has label 0: the signs of its three gradients?", signs)
tables = {"p": p, "y": y, "dlogits * B = p - y": 4 * dlogits}
figure(show.heatmaps(tables, rows="image", columns="class"), "10_gradient")
print(
    f"dlogits and (p - y) / B differ by {abs(dlogits - (p - y) / 4).max():g}"
)
print("sum of each row of dlogits:", dlogits.sum(axis=-1).round(15) + 0.0)

# %% [markdown]
# Training goes *against* the gradient. The true class has a minus: its logit is pushed up. All
# others have a plus and are pushed down, each as hard as the model believed in it. A row sums to 0:
# what is given to one class is taken from the others. An image that is nearly right pushes little;
# one that is wrong and sure pushes most.
#
# Nothing but logits, and 200 steps of that:

# %%
moving, losses = logits.copy(), []
for _ in range(200):
    loss, cache = cross_entropy_forward(moving, labels)
    losses.append(loss)
    moving = moving - 0.5 * cross_entropy_backward(1.0, cache)
print(f"loss {losses[0]:.3f} before, {losses[-1]:.3f} after 200 steps")
print("p of the true class before:", p[range(4), labels].round(2))
after, _ = softmax_forward(moving)  # (4, 3)
print("                     after:", after[range(4), labels].round(2))

# %% [markdown]
# **The B-th part.** The mean over the batch makes the size of the gradient independent of the
# batch: the same image four times over gives the same loss, and each copy a quarter of the
# gradient.

# %%
again, cache_of_4 = cross_entropy_forward(
    logits[:1].repeat(4, 0), labels[:1].repeat(4)
)
single, cache_of_1 = cross_entropy_forward(logits[:1], labels[:1])
print(f"loss of one image {single:.4f}, of four copies {again:.4f}")
print("one image      ", cross_entropy_backward(1.0, cache_of_1)[0].round(4))
print("one of 4 copies", cross_entropy_backward(1.0, cache_of_4)[0].round(4))

# %% [markdown]
# ## Label smoothing
#
# `-log p` reaches 0 only at p = 1, and softmax gives p = 1 only for an infinite logit: the push
# never ends. Label smoothing asks for less. It takes a share of the target from the true class and
# spreads it over all K (Szegedy et al., arXiv 1512.00567, section 7):
#
#     target = (1 - s) * y + s / K               loss = -1/B * sum(target * log p)
#
#     dlogits = (p - target) / B
#
# We give class 3 of 10 an ever larger logit, all others 0.

# %%
rise = np.linspace(0, 12, 121)  # (121,)
raised = np.zeros((121, 10))  # (121, 10), one row a logit
raised[:, 3] = rise
label = np.array([3])  # (1,)
curves, slopes, targets = {}, {}, {}
for s in (0.0, 0.1):
    rows = [cross_entropy_forward(row[None], label, s) for row in raised]
    curves[f"smoothing {s}"] = [loss for loss, _ in rows]
    back = [cross_entropy_backward(1.0, cache)[0, 3] for _, cache in rows]
    slopes[f"smoothing {s}"] = back
    target = (1 - s) * np.eye(10)[3] + s / 10  # (10,)
    targets[f"smoothing {s}"] = target

# %%
canvas = show.blank_figure(11, 4.4)
panels = canvas.subplots(1, 3)
for axes, (name, target) in zip(panels, targets.items(), strict=False):
    bars = {f"{k}": share for k, share in enumerate(target)}
    show.bars(bars, title=f"target (10,)\n{name}", axes=axes)
    axes.set_ylabel("class", fontsize=show.TEXT)
    axes.set_xlim(0, 1.3)
text = {"xlabel": "logit of the true class", "title": "loss [nats]"}
show.lines(rise, curves, axes=panels[2], **text)
figure(canvas, "10_smoothing")

# %%
for name, losses in curves.items():
    at = rise[np.argmin(losses)]
    print(f"{name}: least loss {min(losses):.3f}, at logit {at:.1f}")
for name, slope in slopes.items():
    signs = ["-" if slope[i] < 0 else "+" for i in (20, 40, 60, 80)]
    print(f"{name}: sign of its gradient at 2, 4, 6, 8: {' '.join(signs)}")

# %% [markdown]
# Without smoothing the least loss is at the end of the curve, and the gradient stays negative:
# more, more. With it the gradient changes its sign where p equals the target, at a gap of
# `log(0.91 / 0.01) = 4.51`; and the loss does not go to 0 any more. So losses with and without
# smoothing cannot be compared.
#
# ## Overflow
#
# Now large logits. The formula as it stands, `log(softmax)` with `exp(logits)`, breaks down in
# three places: `exp(1000)` is infinity, infinity / infinity is not a number (nan), and `log(0)` is
# minus infinity. `log_softmax_forward` never leaves the logarithm:
#
#     shifted = logits - the largest logit
#     log p   = shifted - log(sum(exp(shifted)))

# %%
large = np.array([[1000.0, 0.0, -1000.0]])  # (1, 3)
quiet = {"over": "ignore", "invalid": "ignore", "divide": "ignore"}
with np.errstate(**quiet):  # we want to see what happens
    naive = np.log(np.exp(large) / np.exp(large).sum())  # (1, 3)
    stable = np.log(softmax_forward(large)[0])  # (1, 3)
log_p, _ = log_softmax_forward(large)  # (1, 3)
print("logits                   ", large[0])
print("log(exp / sum)           ", naive[0])
print("log(softmax_forward)     ", stable[0])
print("log_softmax_forward      ", log_p[0] + 0.0)
loss, cache = cross_entropy_forward(large, np.array([1]))
print(f"loss of label 1: {loss:.0f} nats, ", end="")
print("dlogits", cross_entropy_backward(1.0, cache)[0])

# %% [markdown]
# A stable softmax is not enough: the share of class 1 is too small for the computer, becomes 0, and
# its logarithm is lost. The loss of 1000 nats is right, and so is the gradient.
#
# *Said in many texts: "log_softmax + NLL is cross-entropy". Right.* NLL, the negative
# log-likelihood, takes the label's entry of `log p` with a minus. We go both ways, there and back:

# %%
K, B = 10, 64
logits = rng.normal(0, 3, (B, K))  # (64, 10)
labels = rng.integers(0, K, B)  # (64,)
log_p, log_cache = log_softmax_forward(logits)  # (64, 10)
nll = -log_p[np.arange(B), labels].mean()
dlog_p = np.zeros((B, K))  # (64, 10)
dlog_p[np.arange(B), labels] = -1 / B
in_two = log_softmax_backward(dlog_p, log_cache)  # (64, 10)
loss, cache = cross_entropy_forward(logits, labels)
in_one = cross_entropy_backward(1.0, cache)  # (64, 10)
print(f"log_softmax + NLL {nll:.12f}")
print(f"cross_entropy     {loss:.12f}")
print(f"their gradients differ by up to {abs(in_two - in_one).max():.0e}")

# %% [markdown]
# One pair, fused: the two backwards in a row give `p - y`, and computing them in one avoids what
# lies between.
#
# ## The gradient check
#
# The labels are whole numbers: there is nothing to differentiate. With and without smoothing:

# %%
args = rng.standard_normal((5, 7)), rng.integers(0, 7, 5)
for s in (0.0, 0.1):
    report = tinyvit.check_backward(
        cross_entropy_forward,
        cross_entropy_backward,
        args,
        kwargs={"label_smoothing": s},
    )
    print(f"label smoothing {s}\n{report}")

# %% [markdown]
# Two easy mistakes: the B-th part forgotten, and `y - p` for `p - y`.


# %%
def without_mean(dloss, cache):
    return 5 * cross_entropy_backward(dloss, cache)


def turned_round(dloss, cache):
    return -cross_entropy_backward(dloss, cache)


for wrong in (without_mean, turned_round):
    report = tinyvit.check_backward(cross_entropy_forward, wrong, args)
    print(f"{wrong.__name__}\n{report}")

# %% [markdown]
# The first looks harmless: the direction is right, only the length is not. But that length now
# changes with the size of the batch. The second trains the model to be wrong.
#
# **What to keep.** The loss is the surprise at the true label, in nats; `log K` is the loss of
# knowing nothing. Its gradient is `(p - y) / B`. Label smoothing moves the target, so that the push
# ends. And the logarithm of a softmax is computed in one piece.
#
# Write it yourself: `tinyvit exercise start cross_entropy`.
#
# Next: `11_gradcheck`: what the check does that all lessons have used so far.
