# %% [markdown]
# # 13 · Training: from guessing to reading digits
#
# *30 minutes · needs lessons 10 to 12 · 反向传播*
#
# A Vision Transformer with random numbers in it guesses. We take one training step by hand, see the
# loss fall, and then let 1,438 handwritten digits teach the model while we watch. Then we read the
# curves, break the training on purpose, and look at what is still wrong. (The computing takes less
# than a minute on two cores.)

# %%
from dataclasses import replace

import numpy as np

import tinyvit
from tinyvit import show, vit_backward, vit_forward
from tinyvit.augment import augment
from tinyvit.batches import Batches
from tinyvit.data import load_dataset
from tinyvit.evaluate import evaluate
from tinyvit.lessons import figure, predict
from tinyvit.models import get_model
from tinyvit.ops import cross_entropy_backward, cross_entropy_forward
from tinyvit.optim import adamw, clip, decay_vector
from tinyvit.params import count_params, flatten, unflatten
from tinyvit.train import Trainer

# %% [markdown]
# ## The data
#
# Real digits of 8 x 8 pixels. The model learns from the training images. The test images are shown
# to it only to ask: does it read digits, or has it learned the training images by heart?

# %%
data = load_dataset("digits")
train_images = data.train_images  # (1438, 1, 8, 8), 0 to 255
test_images = data.test_images  # (359, 1, 8, 8)
print(f"{train_images.shape = }, {data.train_labels.shape = }")
print(f"{test_images.shape = }, {data.test_labels.shape = }")
recipe = get_model("vit").recipes["default"]["digits"]
recipe = replace(recipe, epochs=50, label_smoothing=0.0, ema_decay=0.0)
rng = np.random.default_rng(0)
first = train_images[:1].repeat(6, axis=0)  # (6, 1, 8, 8), one digit
moved = augment(first, rng, recipe.augmentation)  # (6, 1, 8, 8)
views = {f"moved, {i}": moved[i] for i in range(1, 6)}
views = {f"a {data.train_labels[0]}": train_images[0]} | views
figure(show.pictures(views, per_line=6, height=1.65), "13_images")

# %% [markdown]
# To the right, the same digit moved by up to one pixel, each time another way: *augmentation*. A
# moved 0 is a 0; the model never sees quite the same picture twice, and has less to learn by heart.
#
# ## One step by hand
#
# A batch of 64 images, the model of lesson 12 in its small form, and the loss of lesson 10.

# %%
config = tinyvit.ViTConfig.preset("digits")
params = tinyvit.init_params(config, seed=0)
batches = Batches(
    train_images, data.train_labels, 64, recipe.augmentation, seed=0
)
images, labels = batches[0]  # (64, 1, 8, 8), (64,)
print(f"{images.shape = }, {labels.shape = }")
print(f"{count_params(params):,} parameters")
logits, cache = vit_forward(images, params, config)  # (64, 10)
loss, loss_cache = cross_entropy_forward(logits, labels)
right = (logits.argmax(axis=-1) == labels).mean()
predict("the share of right answers, before any training?", f"{right:.0%}")
predict("10 classes, nothing known: the loss?", f"log 10 = {np.log(10):.2f}")
print(f"{logits.shape = }, loss {loss:.2f}")

# %% [markdown]
# A model that gives each class 1/10 has a loss of log 10 = 2.30. This one is worse than that: its
# random logits differ, so it has opinions, and they are wrong. Being sure and wrong costs most.
#
# Now back: the gradient of every parameter, in one long vector. Two things happen to it before it
# is used. It is *clipped*: if its norm is above 1, it is shortened to 1, so that a single strange
# batch cannot throw the model far. And AdamW divides it, number by number, by its usual size.

# %%
dlogits = cross_entropy_backward(1.0, loss_cache)  # (64, 10)
dimages, grads = vit_backward(dlogits, cache)  # (64, 1, 8, 8)
flat, _ = flatten(params)  # (136138,)
gradient, _ = flatten(grads)  # (136138,)
print(f"{flat.shape = }, {gradient.shape = }")
clipped, norm = clip(gradient, recipe.clip_norm)
print(f"norm {norm:.1f}, after clipping {np.linalg.norm(clipped):.1f}")
m, v = np.zeros_like(flat), np.zeros_like(flat)
decay = decay_vector(params, recipe.weight_decay)
new, m, v = adamw(flat, clipped, m, v, step=1, lr=1e-4, decay=decay)
moves = abs(new - flat)  # (136138,)
print(f"parameters moved by {np.median(moves):.1e} (median)")

# %% [markdown]
# At its first step AdamW moves nearly every parameter by the learning rate, here 1e-4: it divides
# the gradient by its own size, and the sign is left. Does it help? For a small change the gradient
# foretells the loss:
#
#     change of the loss = sum(gradient * change of the parameters)

# %%
shapes = {name: value.shape for name, value in params.items()}
foretold = float((gradient * (new - flat)).sum())
sign = "falls" if foretold < 0 else "rises"
predict("the loss of this batch now: falls or rises?", sign)
for share in (0.01, 0.1, 1.0, 10.0):
    there = flat + np.float32(share) * (new - flat)
    logits, _ = vit_forward(images, unflatten(there, shapes), config)
    after, _ = cross_entropy_forward(logits, labels)
    print(f"{share:5} of the step: loss {loss:.4f} -> {after:.4f}", end="")
    print(f", change {after - loss:+.4f}, foretold {share * foretold:+.4f}")

# %% [markdown]
# The loss falls. For small steps by just what the gradient foretells; for long ones by less, as the
# loss is curved, and that is why the learning rate must not be too high. On a small model (2
# images, 5 tokens, 3 heads of 4) the check of lesson 11 says it too: the gradient is right.

# %%
small = tinyvit.ViTConfig(
    **{"img_size": 4, "patch_size": 2, "in_chans": 1, "num_classes": 7},
    **{"embed_dim": 12, "num_heads": 3, "depth": 2, "mlp_ratio": 2.0},
)
x = rng.standard_normal((2, 1, 4, 4))  # (2, 1, 4, 4)
args = x, tinyvit.init_params(small, 0, "float64"), small
report = tinyvit.check_backward(vit_forward, vit_backward, args, directions=2)
count = len(report.gradients)
print(f"{count} gradients, largest relative error {report.error:.0e}")
print(f"all right: {report.ok}")

# %% [markdown]
# ## Many steps: the Trainer
#
# Forward, loss, backward, clip, AdamW, on the next batch, again and again: `trainer.step` is these
# five, with the fast pairs on all cores. Its first step is ours:

# %%
trainer = Trainer(config, params, lr=1e-4)
trainer_loss, correct = trainer.step(images, labels)
after, _ = flatten(trainer.params)
print(f"loss: by hand {loss:.6f}, trainer {trainer_loss:.6f}")
change = abs(after - new).mean() / abs(new - flat).mean()
print(f"the step differs by {change:.0e} of its length: rounding")

# %% [markdown]
# How long should a step be? Early on the gradient points somewhere else after each step, so the
# learning rate rises slowly (*warm-up*); at the end small steps settle (half a *cosine*, down to
# 0).

# %%
per_epoch = batches.steps_per_epoch
total = recipe.epochs * per_epoch
trainer = Trainer(
    config,
    params,
    lr=recipe.lr,
    weight_decay=recipe.weight_decay,
    warmup_steps=round(recipe.warmup_epochs * per_epoch),
    total_steps=total,
)
print(f"{per_epoch} steps an epoch, {recipe.epochs} epochs: {total} steps")
rates = np.array([trainer.learning_rate(i) for i in range(total)])
epochs = np.arange(total) / per_epoch
names = {"xlabel": "epoch", "ylabel": "learning rate"}
figure(show.lines(epochs, {"": rates}, **names), "13_rate")

# %% [markdown]
# ## Watch it learn
#
# An *epoch* is once through the training images, in a new order. After each one the test images are
# read; the picture below changes every few epochs.

# %%
rows, results = [], []
for step in range(total):
    images, labels = batches[step]
    loss, correct = trainer.step(images, labels)
    results.append((loss, correct / len(labels)))
    if (step + 1) % per_epoch:
        continue
    test = evaluate(test_images, data.test_labels, trainer.predict)
    loss, share = np.mean(results[-per_epoch:], axis=0)
    row = {"epoch": (step + 1) // per_epoch, "train_loss": loss}
    row |= {"train_accuracy": share, "test_accuracy": test.accuracy}
    rows.append(row)
    if row["epoch"] % 5 == 0:
        figure(show.curves(rows), "13_curves")
print(f"test: {test.errors} of {len(test.labels)} wrong")

# %% [markdown]
# ## Reading the curves
#
# * The loss starts near log 10 = 2.30, where a model is that knows nothing, and falls.
# * Early, the test accuracy is above the training accuracy. That is no miracle: the training images
#   are moved about, which makes them harder, and they were read *during* the epoch, by a model that
#   was worse than at its end.
# * Later the training accuracy is ahead. What was learned by heart helps on training images alone.
# * Both shake while the learning rate is high and calm down as it falls.

# %%
early = [r["epoch"] for r in rows if r["train_accuracy"] < r["test_accuracy"]]
by_90 = next(r["epoch"] for r in rows if r["test_accuracy"] > 0.9)
seen = evaluate(train_images, data.train_labels, trainer.predict)
print(f"loss: log 10 = {np.log(10):.2f}, epoch 1 {rows[0]['train_loss']:.2f}")
print(f"      epoch {len(rows)} {rows[-1]['train_loss']:.3f}")
print(f"90 % of the test images are read after epoch {by_90}")
print(f"test above train in {len(early)} epochs, the last: {max(early)}")
print(f"in the end, not moved: train {seen.accuracy:.2%}", end="")
print(f", test {test.accuracy:.2%}")

# %% [markdown]
# ## A learning rate that is too high
#
# The same model, 66 steps (three epochs), with steps of other lengths:

# %%
curves = {}
for lr in (1e-4, 2e-3, 1e-1):
    short = Trainer(config, params, lr=lr, warmup_steps=22)
    steps = [short.step(*batches[step])[0] for step in range(66)]
    curves[f"lr {lr:g}"] = np.array(steps).reshape(22, 3).mean(axis=1)
    print(f"lr {lr:6g}: loss {steps[0]:.2f} -> {np.mean(steps[-9:]):.2f}")
curves["log 10: knowing nothing"] = np.full(22, np.log(10))
names = {"xlabel": "step", "ylabel": "loss of the batch [nats]"}
drawing = show.lines(np.arange(1, 66, 3), curves, **names)
figure(drawing, "13_too_high")

# %% [markdown]
# Too low: it learns, slowly. Too high: each step jumps over what it aims for, and the loss ends
# where a model is that knows nothing. No error is raised: clipping and AdamW keep the numbers
# finite. So look at the curve: a loss that stays near log K, or above, is the sign.
#
# ## What is still wrong
#
# The test images with the highest loss, the hardest first. Would you read them?

# %%
drawing = show.hardest(test_images, data.test_labels, test.logits, count=6)
figure(drawing, "13_hardest")

# %% [markdown]
# ## By one command
#
#     tinyvit train                       the digits, with the whole recipe
#     tinyvit train --dataset mnist       60,000 digits of 28 x 28, a larger model
#
# The whole recipe has more epochs and two things that we left out: label smoothing (lesson 10), and
# a running average of the weights, which is what is tested and kept. A run leaves its curves, its
# hardest images and a confusion matrix in a folder. MNIST is downloaded if it is not there; how
# long it takes and how many it reads is in the README, under "Measured".
#
# **What to keep.** A step is forward, loss, backward, clip, AdamW. Before training, know what
# knowing nothing costs (log K); after it, compare training and test images. Nearly every broken
# training shows in the first few dozen steps of the curve.
#
# Write it yourself: `tinyvit exercise start adamw`.
#
# Next: `14_what_it_learned`, where we open the trained model.
