# %% [markdown]
# # 14 · What it learned: filters, positions, distances, where it looks
#
# *40 minutes · needs lessons 3, 6 and 13 · 位置编码 position embedding, 分类标记 class token*
#
# Nobody told the model what an edge is, which patches are neighbours, or where to look. We open a
# trained one and see what it found out. Each picture gets a measurement beside it, and each
# measurement something to compare with: the same model before training, an even share, plain ink.
# A picture alone is easily believed.

# %%
import numpy as np

import tinyvit
from tinyvit import show
from tinyvit.data import load_dataset, normalize
from tinyvit.errors import InputError
from tinyvit.lessons import figure, predict, shipped
from tinyvit.looking import attention_distance, attention_rollout
from tinyvit.ops import patchify_backward, patchify_forward, softmax_forward
from tinyvit.picture import lay_down
from tinyvit.train import Trainer

# %% [markdown]
# ## The model
#
# It comes with the lessons, and was made by one command:
#
#     tinyvit train --dataset mnist --patch-size 4 --embed-dim 64 --depth 6
#                   --epochs 10
#
# With `--seed 0`, which is the default, it began with the values that `init_params(config, seed=0)`
# gives: so we have the model before training, too.

# %%
params, config = tinyvit.load_checkpoint(shipped("models/mnist.safetensors"))
start = tinyvit.init_params(config, seed=0)
count = sum(value.size for value in params.values())
side = config.img_size // config.patch_size
print(f"{count:,} parameters")
print(f"{config.depth} blocks, {config.num_heads} heads in each")
print(f"{side} x {side} = {side * side} patches of 4 x 4 pixels, 64 features")

# %% [markdown]
# ## The images
#
# MNIST's test images, where its files are on this machine already: in the folder that
# `TINYVIT_DATA` names, or in `data/mnist`. (`tinyvit.data.load_dataset("mnist")` fetches them
# there, 11 MB.) If not: the small digits that come with tinyvit, by other people, laid down as
# MNIST's are. The model has never seen such digits, and is less often right.

# %%
try:
    dataset = load_dataset("mnist", download=False)
    pixels = normalize(dataset.test_images[:200])  # (200, 1, 28, 28)
except InputError:
    dataset = load_dataset("digits")
    pixels = lay_down(dataset.test_images[:200])  # (200, 1, 28, 28)
labels = dataset.test_labels[:200]  # (200,)
print(f"images: {dataset.name}, {pixels.shape}")
logits, cache = tinyvit.vit_forward(pixels, params, config)
_, start_cache = tinyvit.vit_forward(pixels[:50], start, config)
stages = cache["stages"]
answers = logits.argmax(axis=1)  # (200,)
print(f"right: {(answers == labels).mean():.1%} of these {len(labels)}")

# %% [markdown]
# ## Patch filters
#
# Each of the 64 features of a patch is its product with 16 weights: a filter of 4 x 4. The filters
# began as noise. Many texts show beautiful trained filters; let us look at ours, and measure two
# things:
#
# * how much of them is still the start. We fit `after = factor * start + added`: the factor is
#   what is left of the start, and `added` is what training put on top;
# * how alike neighbouring weights of a filter are: a correlation. In noise it is near 0.


# %%
def added_by_training(name):
    before, after = start[name], params[name]
    factor = (after * before).sum() / (before * before).sum()
    added = after - factor * before
    share = np.linalg.norm(added) / np.linalg.norm(after)
    print(f"{name}: {factor:.2f} times the start, plus what was added")
    print(f"  its size is {share:.0%} of the size of the whole")
    return added


def neighbours_alike(filters):
    across = filters[..., :-1].ravel(), filters[..., 1:].ravel()
    down = filters[..., :-1, :].ravel(), filters[..., 1:, :].ravel()
    return np.mean([np.corrcoef(*pair)[0, 1] for pair in (across, down)])


# %%
name = "patch_embed.proj.weight"
added = added_by_training(name)[:, 0]  # (64, 4, 4)
before = start[name][:, 0]  # (64, 4, 4)
after = params[name][:, 0]  # (64, 4, 4)
filters = {"before": before, "after": after, "added": added}
for title, them in filters.items():
    print(f"neighbours in a filter, {title:6} {neighbours_alike(them):+.2f}")
rank = np.linalg.matrix_rank(before.reshape(64, 16))
print(f"independent filters among the random 64: {rank}, pixels: 16")
drawn = {"after training": after, "added by training, times 5": 5 * added}
grids = {title: them.reshape(8, 8, 4, 4) for title, them in drawn.items()}
figure(show.tiles(grids, unit="weight"), "14_filters")

# %% [markdown]
# After training the filters still look like noise. They can afford it: the random filters keep
# all 16 pixels of a patch, and the blocks can work with that. But what training *added* is no
# noise: neighbouring weights go together, as in strokes and edges. (In a large ViT, training
# reaches further: the paper draws the principal components of ViT-L/32's filters, and these are
# smooth. arXiv 2010.11929, section 4.5 and figure 7, left.)

# %% [markdown]
# ## Positions
#
# `pos_embed` gives each place 64 numbers. Nobody said which places are neighbours. If the model
# has found out, neighbours have similar rows: a large cosine. In the paper's figure 7 (centre)
# they have. In its authors' code (google-research/vision_transformer) the table starts near zero,
# with a spread of 0.02. Ours starts with random numbers of spread 0.5 (`init_params` says why),
# so we look at the whole table, and at what training added.


# %%
def cosines(table):
    unit = table / np.linalg.norm(table, axis=-1, keepdims=True)
    return unit @ unit.T


whole = cosines(params["pos_embed"][0, 1:])  # (49, 49)
added = cosines(added_by_training("pos_embed")[0, 1:])  # (49, 49)
row, column = np.divmod(np.arange(49), 7)  # (49,)
apart = np.hypot(row[:, None] - row, column[:, None] - column)  # (49, 49)
noise = cosines(start["pos_embed"][0, 1:])  # (49, 49)
print("cosine of two places     neighbours   2 apart   5 apart")
for title, table in (("start", noise), ("whole", whole), ("added", added)):
    means = [table[apart == distance].mean() for distance in (1, 2, 5)]
    means = np.round(means, 2) + 0.0  # (3,)
    print(f"  {title:20}{means[0]:13.2f}{means[1]:10.2f}{means[2]:10.2f}")

# %%
grids = {"the whole table": whole, "added by training": added}
grids = {title: m.reshape(7, 7, 7, 7) for title, m in grids.items()}
words = {"rows": "row of the patch", "columns": "column of the patch"}
words |= {"unit": "cosine", "limits": (-0.6, 0.6)}
figure(show.tiles(grids, **words), "14_positions")

# %% [markdown]
# Each small map belongs to one place and shows its cosine with all 49 places. In the whole table a
# place is like itself, and little more is to be seen. In what training added, neighbours are alike,
# and places far above or below are opposite. The model found out which places are near, from
# nothing but the labels of digits.

# %% [markdown]
# ## How far heads look
#
# *Said in many texts: "self-attention relates every patch to every other, at any distance;
# attention distance by layer shows heads that stay local."* The first half is right (lesson 6).
# The second half is a finding about one model: ViT-L/16 has heads in its low layers that stay
# local beside others that look at most of the image, and the distance grows with depth (arXiv
# 2010.11929, section 4.5 and appendix D.7). Is it so in ours? For each head: the mean distance
# between the asking and the looked-at patch, weighted by attention.

# %%
layers = range(config.depth)
names = [f"blocks.{i}.attn" for i in layers]
trained = [stages[name] for name in names]
untrained = [start_cache["stages"][name] for name in names]
both = trained + untrained
distances = [attention_distance(attn, (side, side), 4) for attn in both]
after, before = np.array(distances).reshape(2, 6, 4)  # (6, 4)
even = np.full((1, 1, 50, 50), 1 / 50)  # (1, 1, 50, 50)
level = attention_distance(even, (side, side), 4)[0]
print(f"all patches evenly: {level:.1f} pixels")
print("block   heads, from near to far [pixels]")
for i in layers:
    print(f"{i:5}   {np.sort(after[i]).round(1)}")

# %% [markdown]
# To see that the measure would find a local head, we make one: its attention falls off with the
# square of the distance.

# %%
local = even.copy()  # (1, 1, 50, 50)
local[0, 0, 1:, 1:], _ = softmax_forward(-(apart**2))
near = attention_distance(local, (side, side), 4)[0]
levels = {f"evenly: {level:.1f}": level, f"a local head: {near:.1f}": near}
groups = {"after training": after, "before": before}
words = {"xlabel": "block", "ylabel": "mean distance [pixels]"}
figure(show.dots(layers, groups, levels=levels, **words), "14_distance")
farthest = int(after.mean(axis=1).argmax())
print(f"nearest head {after.min():.1f}, farthest {after.max():.1f} pixels")
print(f"the block that looks farthest on average: {farthest}")

# %% [markdown]
# Training drew the heads nearer, by little. (The mean is over all asking patches, and most of these
# hold no ink.) No head of this model is local, not even in its first blocks, and the distance does
# not grow with depth. So local heads are nothing that every ViT learns. Raghu et al. 2021 (arXiv
# 2108.08810, figure 4) see the same in large models: with less training data, the lower layers do
# not learn to look locally.

# %% [markdown]
# ## Where it looks: rollout
#
# The class token of the last block looks at *tokens*, and these have looked around themselves,
# five times. Attention rollout follows the way back to the patches: the matrices of all blocks,
# multiplied, each with half of the identity for the residual connection.
#
#     A_l     = 0.5 * (mean of attn_l over its heads) + 0.5 * I
#     rollout = A_6 @ ... @ A_2 @ A_1
#
# (Abnar and Zuidema 2020, arXiv 2005.00928; the ViT paper draws its figure 6 so, appendix D.8.)

# %%
rollout = attention_rollout(trained)  # (200, 50, 50)
total = round(float(rollout[0, 0].sum()), 4)
predict("what does each row of the rollout sum to?", total)
by_rollout = rollout[:, 0, 1:]  # (200, 49)
by_last = trained[-1].mean(axis=1)[:, 0, 1:]  # (200, 49)
print(f"{rollout.shape = }; of the class token's row: {by_rollout.shape}")

# %% [markdown]
# ## The other way: the gradient
#
# Backward knows more than attention does: values, MLPs, everything. `vit_backward` goes on to the
# pixels: `dimages` tells how the score of the answer moves with each pixel. We take eight images,
# one of each digit from 0 to 7. The gradient check, along two random directions in one of them:

# %%
first = np.unique(labels, return_index=True)[1]  # (10,)
eight = first[:8]  # (8,)
logits8, cache8 = tinyvit.vit_forward(pixels[eight], params, config)
dlogits = np.eye(10, dtype="float32")[answers[eight]]  # (8, 10)
dimages, _ = tinyvit.vit_backward(dlogits, cache8)  # (8, 1, 28, 28)
predict("dlogits is (8, 10): what is the shape of dimages?", dimages.shape)
slopes, _ = patchify_forward(dimages, 4)  # (8, 49, 16)
by_gradient = abs(slopes).sum(axis=-1)  # (8, 49)

# %%
double = {name: value.astype("float64") for name, value in params.items()}


def forward(images):
    return tinyvit.vit_forward(images, double, config)


def backward(dlogits, cache):
    return tinyvit.vit_backward(dlogits, cache)[0]


one = pixels[:1]  # (1, 1, 28, 28)
print(tinyvit.check_backward(forward, backward, [one], directions=2))

# %%
maps = {"last block": by_last[eight], "rollout": by_rollout[eight]}
maps["gradient"] = by_gradient
maps = {title: m.reshape(8, 7, 7) for title, m in maps.items()}
drawn = show.maps_below(pixels[eight], maps, labels[eight], answers[eight])
figure(drawn, "14_rollout")

# %% [markdown]
# ## Is the picture true?
#
# Rollout lies on the strokes, and that looks right. But is it what the model needs? We hide the
# patches that a map names first (they become background) and ask the model again. If the map is
# right, few hidden patches should do much harm. To compare: patches with the most ink, which
# takes no model at all, and random patches that hold ink.

# %%
patches = stages["patches"]  # (200, 49, 16)
ink = (patches + 1).mean(axis=-1)  # (200, 49)
rng = np.random.default_rng(0)
by_chance = (ink > 0.1) * (1 + rng.random(ink.shape))  # (200, 49)
predict_all = Trainer(config, params).predict  # the fast forward


def right_without(score, hidden):
    kept = patches.copy()
    worst = np.argsort(-score, axis=1)[:, :hidden]
    np.put_along_axis(kept, worst[..., None], -1, axis=1)
    images = patchify_backward(kept, cache["patchify"])
    return (predict_all(images).argmax(axis=1) == labels).mean()


# %%
orders = {"rollout": by_rollout, "last block": by_last}
orders |= {"most ink": ink, "random, with ink": by_chance}
hidden = (0, 3, 6, 9)
curves = {}
print("right, with hidden patches:" + "".join(f"{k:7}" for k in hidden))
for title, order in orders.items():
    curves[title] = [100 * right_without(order, k) for k in hidden]
    print(f"  {title:25}" + "".join(f"{y:6.0f}%" for y in curves[title]))
words = {"xlabel": "hidden patches, of 49", "ylabel": "right [%]"}
figure(show.lines(hidden, curves, points=True, **words), "14_hidden")
alike = np.corrcoef(by_rollout.ravel(), ink.ravel())[0, 1]
print(f"rollout and ink over all patches: correlation {alike:.2f}")

# %% [markdown]
# Hiding what rollout names harms more than hiding random strokes. But plain ink harms about as
# much, and ink knows nothing of the model. The two maps are nearly the same. **So this rollout
# shows little more than where the strokes are.** A map that looks right is not yet an
# explanation: compare it with something simple.

# %% [markdown]
# ## The class token, or the mean of the patches?
#
# *Said in many texts: "the class token's output is the image's representation; mean pooling of
# the patch tokens is the alternative." Right:* both can be trained, with other learning rates
# (ViT paper, appendix D.3, figure 9). `ViTConfig(global_pool="avg")` is the other one. Ours was
# trained on the class token. What is in the two? We test both, block by block, by a simple rule:
# an image belongs to the class whose centre is nearest. Centres from the first 100 images, tested
# on the other 100.


# %%
def nearest_centre(features):
    known, asked = features[:100], features[100:]
    centres = [known[labels[:100] == c].mean(axis=0) for c in range(10)]
    distance = ((asked[:, None] - np.array(centres)) ** 2).sum(axis=-1)
    return 100 * (distance.argmin(axis=1) == labels[100:]).mean()


steps = ["embed", *(f"blocks.{i}" for i in layers)]
token = [nearest_centre(stages[name][:, 0]) for name in steps]
average = [nearest_centre(stages[name][:, 1:].mean(axis=1)) for name in steps]
plain = nearest_centre(pixels.reshape(200, -1))
question = "before the first block: how often is the class token right?"
predict(question, f"{token[0]:.0f}%")
print("after       class token   mean of patches")
for name, a, b in zip(steps, token, average, strict=True):
    print(f"{name:10}{a:12.0f}%{b:15.0f}%")
print(f"the pixels themselves: {plain:.0f}%")

# %%
curves = {"class token": token, "mean of patch tokens": average}
curves["pixels"] = [plain] * len(steps)
words = {"xlabel": "blocks passed", "ylabel": "right by nearest centre [%]"}
figure(show.lines(range(7), curves, points=True, **words), "14_tokens")

# %% [markdown]
# Before the first block the class token is the same for every image: it can only guess. Block by
# block it gathers the image. The mean of the patch tokens gains, too, though nobody asked them
# for the class: they serve the class token. At the end the class token, which was trained for it,
# is ahead.
#
# **What to keep.** Look at what training added, not only at what is there. Compare every picture
# with the untrained model and with something simple. And what holds for one ViT, local heads for
# example, need not hold for another: measure.
#
# A large ViT that others have trained shows more than this small one does. With a file of its weights
# (the project's README says where they are), `tinyvit predict vit.npz photo.jpg --save seen.png` draws
# the last attention and the rollout over your own photograph.
#
# Next: `15_cnn_vs_vit`, the same data for a model to which locality is built in.
