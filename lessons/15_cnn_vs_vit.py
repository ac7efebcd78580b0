# %% [markdown]
# # 15 · CNN against ViT: what "a ViT needs data" means
#
# *40 minutes · needs lessons 2, 6 and 13 · 归纳偏置*
#
# A convolutional network (CNN) is built on two assumptions about images. A Vision Transformer makes
# fewer, and must learn them. We look at the assumptions in the numbers, and then measure what they
# are worth: with 50 images, with 1,438, and with 60,000. (The computing takes less than a minute on
# two cores.)

# %%
import json
from dataclasses import replace

import numpy as np

import tinyvit
from tinyvit import ViTConfig, ops, show, vit_forward
from tinyvit.augment import Augmentation
from tinyvit.data import load_dataset, normalize
from tinyvit.learning_curves import Plan, entrant, measure, summary
from tinyvit.lessons import figure, predict, shipped
from tinyvit.models.cnn import CNNConfig, cnn_forward, init_params
from tinyvit.params import count_params

# %% [markdown]
# ## The small CNN
#
# Twice: a convolution with 3 x 3 filters, ReLU, and pooling that keeps the largest of each 2 x 2
# square. Then one linear layer. *Said in many texts: "A MNIST CNN of two 3x3 convolutions with 5
# channels ends in 5 * 7 * 7 = 245 features."* Right, and here they are. (The image is one of the
# shipped digits, each pixel two wide and two high, with a margin: 28 x 28, as MNIST's are.)

# %%
digits = load_dataset("digits")
large = np.kron(digits.train_images[:1], np.ones((2, 2), "uint8"))
images = normalize(np.pad(large, ((0, 0), (0, 0), (6, 6), (6, 6))))
print(f"{images.shape = }")
cnn = CNNConfig.preset("mnist")
params = init_params(cnn, seed=0)
log_probs, cache = cnn_forward(images, params, cnn)
maps = {name: stage.shape[1:] for name, stage in cache["stages"].items()}
predict("28 -> 14 -> 7, 5 channels: how many features?", maps["features"][0])
vit = ViTConfig.preset("mnist")
vit_params = tinyvit.init_params(vit, seed=0)
print(f"parameters: CNN {count_params(params):,}", end="")
print(f", ViT {count_params(vit_params):,}")
maps.pop("logits")
figure(show.tensors({"image": images.shape[1:]} | maps), "15_cnn")

# %% [markdown]
# ## Assumption 1: what belongs together is close together
#
# Which pixels can one number of a feature map see? Its gradient tells: `dout` is 1 at that number,
# 0 elsewhere, and `dimages` is not 0 at the pixels it depends on. The same for one feature of one
# token after a single attention layer.

# %%
rng = np.random.default_rng(0)
x = images.astype(float)  # (1, 1, 28, 28)
weight = rng.standard_normal((1, 1, 3, 3))  # (1, 1, 3, 3), one filter
once, cache1 = ops.conv2d_forward(x, weight, None, padding=1)
twice, cache2 = ops.conv2d_forward(once, weight, None, padding=1)
dout = np.zeros((1, 1, 28, 28))  # (1, 1, 28, 28)
dout[0, 0, 17, 10] = 1
see1, *_ = ops.conv2d_backward(dout, cache1)
see2, *_ = ops.conv2d_backward(ops.conv2d_backward(dout, cache2)[0], cache1)
count1, count2 = int((see1 != 0).sum()), int((see2 != 0).sum())
predict("two 3x3 convolutions: how many pixels are seen?", count2)
print(f"one convolution sees {count1}, two see {count2} of {x.size}")

# %%
patches, patch_cache = ops.patchify_forward(x, 7)  # (1, 16, 49)
qkv = rng.standard_normal((147, 49)) / 7  # (147, 49)
proj = rng.standard_normal((49, 49)) / 7  # (49, 49)
_, cache = ops.attention_forward(patches, qkv, None, proj, None, 7)
dtokens = np.zeros((1, 16, 49))  # (1, 16, 49)
dtokens[0, 9, 0] = 1  # the token in row 2, column 1
dpatches, *_ = ops.attention_backward(dtokens, cache)
see3 = ops.patchify_backward(dpatches, patch_cache)  # (1, 1, 28, 28)
print(f"one attention layer sees {(see3 != 0).sum()} of {x.size}")
seen = {"one convolution": see1, "two": see2, "one attention layer": see3}
seen = {name: (see[0, 0] != 0) * 1.0 for name, see in seen.items()}
names = {"rows": "row", "columns": "column", "unit": "1: seen"}
drawing = show.heatmaps(seen, numbers=False, **names)
figure(drawing, "15_reach")

# %% [markdown]
# A convolution learns from neighbours; what is far apart meets only after many layers. The
# attention layer reaches every pixel at once, and has to find out which of them matter. Such an
# assumption, made before any data is seen, is called an *inductive bias*. This one is *locality*.
#
# ## Assumption 2: a thing is the same thing elsewhere
#
# A filter has the same weights at every place. So if the image moves, the map moves with it and is
# otherwise the same:
#
#     f(g(x)) = g(f(x))         g: move by one pixel,  f: the convolution
#
# That is *translation equivariance*. Both sides, computed:

# %%
of_moved, _ = ops.conv2d_forward(
    np.roll(x, 1, axis=3), weight, None, padding=1
)
moved = np.roll(once, 1, axis=3)  # (1, 1, 28, 28), g(f(x))
change = abs(of_moved - moved).max(axis=(0, 1, 2))  # (28,), a column each
inside = change[2:-1]  # (25,)
answer = "not at all" if inside.max() < 1e-12 else f"{inside.max():.0e}"
predict("do the two sides differ, away from the border?", answer)
columns = [int(i) for i in np.flatnonzero(change > 1e-12)]
print(f"largest number in the map: {abs(moved).max():.1f}")
print(f"they differ in the columns {columns}: the border")

# %% [markdown]
# And a Vision Transformer? We move the image by a whole patch (7 pixels) and by one pixel, and
# compare tokens that show the same thing: after the embedding of the patches, and after one block.

# %%
_, cache = vit_forward(images, vit_params, vit)
for pixels in (7, 1):
    moved = np.roll(images, pixels, axis=3)
    _, moved_cache = vit_forward(moved, vit_params, vit)
    for name in ("patch_embed", "blocks.0"):
        a = moved_cache["stages"][name][0, -16:].reshape(4, 4, 96)
        b = cache["stages"][name][0, -16:].reshape(4, 4, 96)
        b = np.roll(b, pixels // 7, axis=1)
        change = abs(a - b).max() / abs(b).max()
        print(f"moved by {pixels}, {name:11}: changes by {change:.0%}")

# %% [markdown]
# *Said in many texts: "CNNs have two inductive biases, locality and translation equivariance
# f(g(x)) = g(f(x)); ViT lacks them."* Mostly right. ViT keeps a little of both: a patch is local,
# and all patches share their embedding, so a move by a whole patch only moves the tokens. Then
# positions are added (lesson 3) and nothing is equivariant any more.
#
# *Said too: "The CNN gives every position the same weight, so it ignores where things are."* Half
# right. The weights are the same, but the network as a whole does see positions, in two ways.

# %%
grey = np.ones((1, 1, 28, 28))  # (1, 1, 28, 28), the same everywhere
flat, _ = ops.conv2d_forward(grey, weight, None, padding=1)
kinds = np.unique(flat.round(9))  # (9,)
predict("one grey everywhere: how many different outputs?", len(kinds))

# %%
moved = np.roll(images, 4, axis=3)  # (1, 1, 28, 28)
moved_probs, moved_cache = cnn_forward(moved, params, cnn)
log_probs, cache = cnn_forward(images, params, cnn)
before = cache["stages"]["pool2"]  # (1, 5, 7, 7)
after = moved_cache["stages"]["pool2"]  # (1, 5, 7, 7)
mean = abs(after.mean(axis=(2, 3)) - before.mean(axis=(2, 3))).max()
print("the digit moved by 4 pixels; the largest change")
print(f"  of a number of a map:          {abs(after - before).max():.2f}")
print(f"  of a map's mean over places:   {mean:.2f}")
change = abs(moved_probs - log_probs).max()
print(f"  of the log-probabilities:      {change:.2f}")

# %% [markdown]
# * **Padding**: outside the image are zeros. Four corners, four edges and the inside each give
#   another output, so a filter can tell where the border is.
# * **The linear layer** at the end has a weight for each of the 245 features, and a feature is a
#   channel *at a place*. Were the maps averaged over all places first, a move would change nearly
#   nothing.
#
# The gradient check of the convolution, on odd sizes:

# %%
args = [rng.standard_normal(s) for s in ((2, 3, 6, 5), (4, 3, 3, 2), (4,))]
print(tinyvit.check_backward(ops.conv2d_forward, ops.conv2d_backward, args))

# %% [markdown]
# ## Measured here: 50 to 1,438 images
#
# Now the data. Three models learn from a part of the digits and are tested on all test images: the
# small CNN, a CNN with 16 channels instead of 5, and a ViT (of two blocks, to be quick). The rest
# is the same for all: 250 steps of 32 images, no augmentation, three seeds. A seed chooses the
# images, their order and the first weights. This takes less than a minute on two cores.

# %%
entrants = {
    "CNN": entrant("cnn", "digits"),
    "ViT": entrant("vit", "digits", depth=2),
    "wide CNN": entrant("cnn", "digits", channels=16),
}
for name, someone in entrants.items():
    print(f"{name:8} {someone.parameters:7,} parameters")
sizes = 50, 150, 500, len(digits.train_images)
plan = Plan(sizes, steps=250, batch_size=32, warmup_steps=25)

# %%
names = {"xlabel": "training images", "ylabel": "test images read [%]"}
rows = []
for row in measure(entrants, digits, plan):
    rows.append(row)
    if len(rows) % 12 == 0:  # a seed is done
        n, means, spreads = summary(rows)
        style = {"errors": spreads, "points": True, "logx": True}
        drawing = show.lines(n, means, **style, **names)
        drawing.axes[0].set_xticks(sizes, sizes)
        figure(drawing, "15_here")

# %%
fewest = max(means, key=lambda name: means[name][0])
predict("50 images: which of the three reads most?", fewest)
print("mean and standard deviation over the seeds [%]")
print("images ", *(f"{name:>12}" for name in means))
for i, size in enumerate(sizes):
    cells = (f"{means[k][i]:6.1f} ± {spreads[k][i]:3.1f}" for k in means)
    print(f"{size:6} ", *cells)

# %% [markdown]
# With 50 images even the small CNN is ahead, on average, of a ViT of over a hundred times its
# parameters: its assumptions are worth more than what 50 images can teach. (But their error bars
# overlap, and where they do, do not trust the order. MNIST will tell, below.) With 500 it is
# behind: 490 parameters are soon full. The wide CNN has the same assumptions and more room, and
# here the ViT does not overtake it. So such a comparison mixes two things: what a model assumes,
# and how much it can hold.
#
# Can the assumption be taught? Augmentation (lesson 13) shows each image moved by up to one pixel.
# Again with 50 images:

# %%
moved = replace(plan, sizes=(50,), augmentation=Augmentation(shift=1.0))
two = {name: entrants[name] for name in ("ViT", "CNN")}
_, taught, errors = summary(measure(two, digits, moved))
gain = taught["ViT"][0] - means["ViT"][0]
question = "50 images, moved about: does the ViT read more, or fewer?"
predict(question, "more" if gain > 0 else "fewer")
for name in two:
    print(f"{name}: {means[name][0]:.1f} ± {spreads[name][0]:.1f}", end="")
    print(f" -> {taught[name][0]:.1f} ± {errors[name][0]:.1f}")

# %% [markdown]
# The ViT has learned from moved images something of what the CNN has by its build. The CNN had it
# already, and gains nothing.
#
# ## Measured before: MNIST, 100 to 60,000 images
#
# The same with 28 x 28 pixels, a ViT of four blocks and more steps takes longer. It was measured by
#
#     python -m tinyvit.learning_curves --dataset mnist
#
# and the result ships with the lessons. Every training had the same number of steps, whether it had
# 100 images or 60,000.

# %%
path = shipped("models/learning_curves.json")
shelf = json.loads(path.read_text("utf-8"))
plan, counts = shelf["settings"]["plan"], shelf["settings"]["entrants"]
print(f"{shelf['machine']}, {shelf['date']}")
print(f"{plan['steps']} steps of {plan['batch_size']} images, ", end="")
print("not augmented" if not plan["augmentation"]["shift"] else "moved")
for name, someone in counts.items():
    print(f"{name:8} {someone['parameters']:7,} parameters", end="")
    print(f", learning rate {someone['lr']}")
n, means, spreads = summary(shelf["rows"])
print(f"mean and standard deviation over {len(plan['seeds'])} seeds [%]")
print("images ", *(f"{name:>12}" for name in means))
for i, size in enumerate(n["ViT"]):
    cells = (f"{means[k][i]:6.2f} ± {spreads[k][i]:4.2f}" for k in means)
    print(f"{size:6} ", *cells)

# %% [markdown]
# Drawn as what is *misread*, on a scale that goes by factors, so that the small numbers at the
# right are seen too. Lower is better.

# %%
misread = {name: 100 - mean for name, mean in means.items()}
names = {"xlabel": "training images", "ylabel": "test images misread [%]"}
style = {"errors": spreads, "points": True, "logx": True, "logy": True}
drawing = show.lines(n, misread, **style, **names)
drawing.axes[0].set_xticks(n["ViT"], n["ViT"])
drawing.axes[0].set_yticks((1, 3, 10, 30), (1, 3, 10, 30))
figure(drawing, "15_mnist")

# %% [markdown]
# With few images the small CNN is ahead of the ViT, and by much. In the table each line brings them
# closer, and with all 60,000 images they meet. The wide CNN stays ahead of both: on MNIST, in this
# many steps, the ViT does not overtake it.
#
# *Said in many texts: "With little data the CNN is better, with much data ViT overtakes."* Right at
# the scale where it was measured: ResNets (large CNNs) are ahead when both kinds are pre-trained on
# ImageNet-1k, 1.3 million images; ViTs are ahead with JFT-300M, 303 million (Dosovitskiy et al.
# 2021, arXiv 2010.11929, sections 4.1 and 4.3, figures 3 and 4). On our small scale we see the
# first half, and a ViT that comes up with a small CNN. That ViTs overtake *every* CNN here, we do
# not see.
#
# What this measurement does not say: each model has the learning rate of its own recipe, not the
# best one for each size; and all stop after the same number of steps, which for 60,000 images is
# less than two times through them. `tinyvit train --dataset mnist`, and with `--model cnn`, train
# for longer: the README says, under "Measured", what comes of it.
#
# **What to keep.** A CNN is told that images are local and that places are alike; a ViT has to
# learn it. With little data being told is better. Data, or augmentation, can teach it. And compare
# models with error bars, of more than one size.
#
# Next: `16_devices`, where the same code runs on other hardware.
