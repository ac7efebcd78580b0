# %% [markdown]
# # 0 · A tour: one photograph through a Vision Transformer, and back
#
# *25 minutes · needs some Python, no other lesson · 图像块 patch · 词元 token · 反向传播 backpropagation*
#
# A Vision Transformer (ViT) reads an image and gives a score to each class: dog, teapot, uniform
# ... We send one photograph through **ViT-B/16** and look at what lies on the way: the arrays, how
# large they are, what they cost. Then we walk the way back, on which such a model learns. Each stop
# is a lesson of its own later. Here it is enough to look.
#
# (ViT-B/16 is "ViT-Base" with patches of 16 x 16 pixels: Dosovitskiy et al. 2021, arXiv 2010.11929,
# table 1.)

# %%
import numpy as np

import tinyvit
from tinyvit import show
from tinyvit.examples import model_example
from tinyvit.lessons import figure, predict
from tinyvit.ops import cross_entropy_backward, cross_entropy_forward

# %% [markdown]
# ## The model
#
# A model is two things: a walk through some formulas, and the numbers in these formulas, its
# **parameters**. Training finds good parameters. Ours are random: *nothing has been trained*, so
# the answer at the end will mean nothing. Every shape and every cost is that of the trained model.

# %%
config = tinyvit.ViTConfig.preset("vit_base_patch16_224")
params = tinyvit.init_params(config, seed=0)
for name in ("patch_embed.proj.weight", "blocks.0.attn.qkv.weight"):
    print(f"{name:24} {params[name].shape}")
count = sum(array.size for array in params.values())
print(f"{len(params)} arrays like these hold {count:,} parameters,")
print(f"4 bytes each: {4 * count / 1e6:.0f} MB")

# %% [markdown]
# ## From pixels to tokens
#
# The photograph is an array of 3 colours x 224 x 224 pixels. In front stands one more axis: images
# come in batches, and ours is a batch of one. A Transformer reads a list of vectors, called
# **tokens**, so the photograph is cut into **patches** of 16 x 16 pixels.

# %%
images = show.photograph(224)  # (1, 3, 224, 224)
side = 224 // 16
predict("224 x 224 pixels, 16 x 16 a patch: how many patches?", side * side)
predict("how many numbers is one patch, in 3 colours?", 3 * 16 * 16)
figure(
    show.pictures({"images[0]": images[0]}, grid=16, height=4),
    "00_photograph",
)

# %% [markdown]
# *Said in many texts: "A 224x224 image in 16x16 patches is 196 tokens of 768 numbers, with the
# class token 197 x 768."* Right. But 768 is two things here: the numbers of a patch (3 · 16 · 16),
# and the width of the model, which is the numbers that it keeps for each token. That they are equal
# is a coincidence of this model, as the table shows.

# %%
print("patch size  tokens  numbers a patch  ->  width of the model")
for name, P in (("base", 16), ("base", 32), ("tiny", 16), ("large", 16)):
    preset = f"vit_{name}_patch16_224"
    other = tinyvit.ViTConfig.preset(preset, patch_size=P)
    numbers = other.in_chans * P * P
    tokens = f"{other.num_patches} + 1"
    print(
        f"{P:10} {tokens:>8} {numbers:15}  -> {other.embed_dim:5}  ({name})"
    )

# %% [markdown]
# ## All the way
#
# One line runs the model. Then we ask which of the 1000 classes got the highest score. Nothing was
# trained, so any class might have come out.

# %%
logits, cache = tinyvit.vit_forward(images, params, config)  # (1, 1000)
print(f"{logits.shape = }, best class: {logits.argmax()}")
attn = cache["stages"]["blocks.0.attn"]  # (1, 12, 197, 197)
print(f"{attn.shape = }: 12 heads, each a table of 197 x 197 shares")
print(f"a row of it sums to {attn[0, 0, 0].sum():.4f}")

# %% [markdown]
# `tinyvit.trace` takes the same walk in small steps and notes every one of them. The way back needs
# to know what is wanted of the scores: that is the loss, and we come to it below.

# %%
labels = np.array([652])  # (1,), the class that we call right
loss, loss_cache = cross_entropy_forward(logits, labels)
dlogits = cross_entropy_backward(1.0, loss_cache)  # (1, 1000)
trace = tinyvit.trace(images, params, config, dlogits=dlogits)
print(f"the same scores: {np.array_equal(trace.logits, logits)}")
there = trace.part()  # all stages of the way there, added up
print(f"{there.operation}, from {images.shape} to {trace.logits.shape}")
figure(show.data_path(trace, image=images[0]), "00_path")

# %% [markdown]
# This is the whole model, and every block in the picture is drawn to one scale. Read it line by
# line.
#
# * **patchify, patch_embed, embed.** 196 patches of 768 numbers; each becomes a token of 768
#   numbers; the class token is put in front, which will answer for the whole image, and each token
#   is told its place: 197 x 768.
# * **The residual stream**, the thick line: these 197 x 768 numbers go down through 12 blocks that
#   are built alike. No block replaces them. Each reads them, and adds to them, twice.
# * **Attention**, where tokens meet. From each token three vectors are made, q, k and v, and cut
#   into 12 heads of 64. `scores` compares each of 197 tokens with each of 197; `softmax` makes
#   shares of that; `context` mixes the v's by these shares.
# * **MLP**, where each token is alone: 768 numbers become 3072, pass a bend (`act`), and become
#   768.
# * **norm, pool, head.** The class token alone is read: 768 numbers become 1000 scores.

# %%
attention = "qkv", "split", "scores", "context", "merge"
names = ["patchify", "patch_embed", "embed"]
names += [f"blocks.0.attn.{word}" for word in attention]
names += ["blocks.0.mlp.fc1", "blocks.0.mlp.fc2", "head"]
for stage in map(trace.stage, names):
    times = f"{len(stage.outputs)} x " if len(stage.outputs) > 1 else ""
    shape = next(iter(stage.outputs.values()))
    print(f"{stage.name:21} {stage.operation:31} {times}{shape}")

# %% [markdown]
# ## What it costs
#
# Three costs, each for another reason:
#
# * **parameters** must be stored and learned;
# * **multiply-adds** are the arithmetic: out = out + a · b, in a matrix product. FLOPs are twice as
#   many, for a multiply-add is two operations. (Many tables say FLOPs and mean multiply-adds:
#   torchvision's page on `vit_b_16`, this model, has "GFLOPS 17.56". Compare with what comes.)
# * **bytes kept**: the arrays that must not be forgotten, as the way back will need them.
#
# First each stage is put to a part of the model.

# %%
parts = {
    "embedding": "patchify patch_embed embed",
    "norms": "norm1 norm2 norm",
    "qkv, proj": "qkv proj",
    "q @ k.T, attn @ v": "split scores softmax context merge",
    "MLP": "fc1 act fc2",
    "add, pool, head": "add pool head",
}
costs = "params", "multiply_adds", "kept"
sums = {part: dict.fromkeys(costs, 0) for part in parts}
for stage in (s for s in trace.stages if s.direction == "forward"):
    word = stage.name.rpartition(".")[2]
    part = next(p for p in parts if word in parts[p].split())
    for cost in costs:
        sums[part][cost] += getattr(stage, cost)

# %%
canvas = show.blank_figure(11, 3.6)
panels = {
    "params": ("parameters [millions]", 1e6),
    "multiply_adds": ("multiply-adds [billions]", 1e9),
    "kept": ("bytes kept [MB]", 1e6),
}
for axes, what in zip(canvas.subplots(1, 3), panels, strict=True):
    title, unit = panels[what]
    values = {part: sums[part][what] / unit for part in parts}
    show.bars(values, title=title, axes=axes)
    axes.set_yticklabels(parts if what == "params" else [])
most = max(sums, key=lambda part: sums[part]["multiply_adds"])
predict("in which part are most of the multiply-adds?", most)
figure(canvas, "00_costs")

# %% [markdown]
# The sums. What is counted as a multiply-add are the matrix products: the linear layers, and also
# `q @ k.T` and `attn @ v`, which some counters forget. These two hold no parameter at all, and they
# alone grow with the *square* of the number of tokens. With 197 tokens that is little. With a
# larger image it is not:

# %%
print(f"{there.params:,} parameters, {there.kept / 1e6:.0f} MB kept")
print(f"{there.multiply_adds / 1e9:.2f} G multiply-adds")
print("image  tokens  linear layers [G]  q @ k.T, attn @ v [G]")
D, M, depth = config.embed_dim, config.hidden_dim, config.depth
for pixels in (224, 384, 1024, 2048):
    N = (pixels // 16) ** 2 + 1
    linear = depth * N * (4 * D * D + 2 * D * M) / 1e9
    pairs = depth * 2 * N * N * D / 1e9
    print(f"{pixels:5} {N:7} {linear:18.1f} {pairs:22.1f}")

# %% [markdown]
# ## The loss
#
# Now say what we wanted. `softmax` makes 1000 probabilities of the 1000 scores; the **loss** is how
# surprised the model is by the right class: -log of its probability, in nats. Without any knowledge
# that is about log(1000) = 6.9.
#
# The way back begins with one question: if this score were a little higher, how would the loss
# change? That is `dlogits`, a **gradient**: one number for each score.

# %%
print(f"loss {loss:.2f} nats, log(1000) = {np.log(1000):.2f}")
sign = "+" if dlogits[0, 652] > 0 else "-"
predict("gradient of the right class's score: + or -?", sign)
others = np.delete(dlogits[0], 652)  # (999,)
print(f"right class {dlogits[0, 652]:.4f}, others up to {others.max():.4f}")
print(f"all others are above 0: {bool((others > 0).all())}")

# %% [markdown]
# Minus at the right class: a higher score there lowers the loss. Plus at all the others.
#
# ## The way back
#
# The same question is now asked of every array on the way, the last one first. Each stage knows
# only its own formula, and turns the gradient of its output into the gradient of its input. Where
# it has parameters, it makes their gradients, too.

# %%
back = trace.part("", "backward")
ratio = back.multiply_adds / there.multiply_adds
predict(
    "multiply-adds of the way back, divided by those of the way there", ratio
)
figure(show.data_path(trace, direction="backward"), "00_way_back")

# %% [markdown]
# Compare the two pictures. Every gradient has the shape of its array. A matrix product on the way
# there becomes two on the way back, one for the data and one for the weights: that is the factor 2.
# And where the stream was *read* on the way there (a dot), the gradients now *add* (a plus), and
# the other way round.

# %%
scores = trace.stage("blocks.0.attn.scores")
dscores = trace.stage("blocks.0.attn.scores", "backward")
print(f"there: {scores.operation}\nback:  {dscores.operation}")
print(f"{back.gradients:,} gradients, one for each parameter")
print(f"{there.seconds:.2f} s there, {back.seconds:.2f} s back")
dimages = trace.dimages  # (1, 3, 224, 224)
print(f"{dimages.shape = }: how each pixel moves the loss")
size = abs(dimages[0]).sum(axis=0)  # (224, 224)
by_patch = size.reshape(14, 16, 14, 16).mean(axis=(1, 3))  # (14, 14)
figure(
    show.looks(images[0], {"patches that move the loss": by_patch}),
    "00_pixels",
)

# %% [markdown]
# (The model knows nothing, so the map means nothing either. With a trained model it shows what the
# answer depends on.)
#
# ## Does it point the right way?
#
# A gradient is a promise: change all parameters by `-step * gradient`, and the loss falls by
# `step * sum(gradient²)`, if the step is small. We choose the step so that 0.05 nats are promised.

# %%
square = sum(float((g * g).sum()) for g in trace.grads.values())
step = 0.05 / square
moved = {name: p - step * trace.grads[name] for name, p in params.items()}
new_logits, _ = tinyvit.vit_forward(images, moved, config)  # (1, 1000)
new_loss, _ = cross_entropy_forward(new_logits, labels)
predict("the loss, before and after that step", f"{loss:.4f}, {new_loss:.4f}")
print(f"promised: -0.0500, found: {new_loss - loss:.4f}")

# %% [markdown]
# One such step for many images, again and again: that is training.
#
# ## The gradient check
#
# That was one direction in a space of 86 million. The strict check moves one number at a time, and
# compares. For ViT-B/16 that would take two forward passes for each parameter:

# %%
days = 2 * count * there.seconds / 86400
print(f"number by number, at {there.seconds:.1f} s a pass: {days:,.0f} days")
example = model_example("vit")
small, small_params, small_config = example.args
print(f"a small ViT: {small.shape = }, {small_config.depth} blocks")
report = tinyvit.check_backward(
    tinyvit.vit_forward, tinyvit.vit_backward, example.args, directions=2
)
for gradient in report.gradients[:5]:
    print(f"{gradient.name:24} {gradient.error:.0e}")
print(f"{len(report.gradients)} gradients, worst error {report.error:.0e}")

# %% [markdown]
# So a small model of the same code is checked, in double precision, and each of its arrays along
# two random directions. A wrong gradient would have to be right along both by chance. Errors below
# 1e-7 are right. Lesson 11 is about this check.
#
# **What to keep.** An image becomes a list of tokens. Twelve blocks read the stream and add to it:
# attention lets tokens exchange, the MLP works on each alone. At the end one token is turned into
# scores. The way back visits the same stages from the last to the first, with arrays of the same
# shapes, and gives every parameter its gradient at twice the cost. Everything is matrix products
# and a few formulas that fit a page. The next lessons write each of them down.
#
# Next: `01_patchify`, where the photograph is cut.
