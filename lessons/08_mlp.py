# %% [markdown]
# # 8 · MLP: 768 -> 3072 -> 768, each token by itself
#
# *20 minutes · needs lessons 2 and 7 · 前馈网络 feed-forward network (MLP)*
#
# Attention carries numbers from token to token. Then each token goes through the MLP, alone: into a
# hidden layer four times as wide, through GELU, and back. Here lie most of a block's numbers. We
# walk it forward and backward, stage by stage, in the sizes of ViT-B/16.

# %%
import numpy as np

import tinyvit
from tinyvit import ViTConfig, init_params, show, vit_forward
from tinyvit.lessons import figure, predict
from tinyvit.ops import (
    gelu_backward,
    gelu_forward,
    layernorm_forward,
    linear_backward,
    linear_forward,
    mlp_backward,
    mlp_forward,
    relu_forward,
)

# %% [markdown]
# ## The tokens
#
# The photograph's 196 patches, projected and with positions, and the class token before them; then
# LayerNorm, as it stands before every MLP of a ViT. The weights are those a model starts with.

# %%
config = ViTConfig.preset("vit_base_patch16_224", depth=1)
params = init_params(config)
_, cache = vit_forward(show.photograph(), params, config)
tokens = cache["stages"]["embed"]  # (1, 197, 768)
ones = np.ones(768, "float32")  # (768,)
x, _ = layernorm_forward(tokens, ones, 0 * ones)  # (1, 197, 768)
fc1_weight = params["blocks.0.mlp.fc1.weight"]  # (3072, 768)
fc1_bias = params["blocks.0.mlp.fc1.bias"]  # (3072,)
fc2_weight = params["blocks.0.mlp.fc2.weight"]  # (768, 3072)
fc2_bias = params["blocks.0.mlp.fc2.bias"]  # (768,)
weights = fc1_weight, fc1_bias, fc2_weight, fc2_bias
print(f"{x.shape = }")
print(f"{fc1_weight.shape = }, {fc2_weight.shape = }")

# %% [markdown]
# ## Forward
#
#     hidden = x @ fc1_weight.T + fc1_bias             768 -> 3072
#     active = gelu(hidden)                            3072, each number by itself
#     out    = active @ fc2_weight.T + fc2_bias        3072 -> 768
#
# A row of `fc1_weight` is a pattern of 768 numbers: one hidden value says how much of it the token
# has. A column of `fc2_weight` is what is written into the token where that hidden value is large.

# %%
hidden, fc1_cache = linear_forward(x, fc1_weight, fc1_bias)  # (1, 197, 3072)
predict("x is (1, 197, 768): the shape of the hidden layer?", hidden.shape)
active, gelu_cache = gelu_forward(hidden)  # (1, 197, 3072)
out, fc2_cache = linear_forward(active, fc2_weight, fc2_bias)  # (1, 197, 768)
whole, cache = mlp_forward(x, *weights)  # (1, 197, 768)
print(f"{active.shape = }, {out.shape = }")
print(f"the three steps and mlp_forward differ by {abs(out - whole).max():g}")
blocks = {"x": x, "fc1_weight": fc1_weight, "hidden": hidden}
blocks |= {"fc2_weight": fc2_weight, "out": out}
figure(show.tensors(blocks, arrows=False), "08_mlp")

# %% [markdown]
# In the picture every number takes the same room: the weights hold far more of them than the
# tokens.
#
# ## Each token by itself
#
# We change one token and see which outputs change; then we change the order of all tokens.

# %%
rng = np.random.default_rng(0)
other = x.copy()  # (1, 197, 768)
other[0, 7] = rng.standard_normal(768)
changed = abs(mlp_forward(other, *weights)[0] - out).max(axis=-1)  # (1, 197)
count = int((changed > 1e-5).sum())
predict("token 7 changes: how many of the 197 outputs change?", count)
print(f"it is number {changed.argmax()}")
order = rng.permutation(197)  # (197,)
moved, _ = mlp_forward(x[:, order], *weights)  # (1, 197, 768)
gap = abs(moved - out[:, order]).max()
print(f"the tokens reordered: the outputs, reordered, differ by {gap:.0e}")

# %% [markdown]
# So the MLP cannot compare two patches: what a token knows of the others, attention has brought.
#
# ## Where a block's numbers are
#
# We count the parameters of one block of ViT-B/16, and the multiply-adds for one image: a weight is
# used once for each of the 197 tokens, and attention has two products without weights, `q @ k.T`
# and `attn @ v`, of 197 * 197 * 768 each.

# %%
N, D = 197, 768
parts = dict.fromkeys(("norm1", "attn", "norm2", "mlp"), 0)
work = dict.fromkeys(parts, 0)
for name, value in params.items():
    if name.startswith("blocks.0."):
        part = name.split(".")[2]
        parts[part] += value.size
        work[part] += N * value.size if value.ndim == 2 else 0
work["attn"] += 2 * N * N * D
total, steps = sum(parts.values()), sum(work.values())
print("part    parameters        multiply-adds")
for part in parts:
    print(f"{part:6} {parts[part]:11,} {parts[part] / total:5.1%}", end="")
    print(f" {work[part] / 1e6:10.1f} M {work[part] / steps:5.1%}")
print(f"block  {total:11,}        {steps / 1e6:10.1f} M")

# %% [markdown]
# Two thirds of the parameters are the MLP's: `fc1` and `fc2` are `2 * 4 * D * D = 8 D * D`,
# attention's four matrices (q, k, v and the projection) are `4 D * D`.
#
# ## What the hidden layer holds
#
# The hidden values, before and after the activation. How many are near 0 then, and so write next to
# nothing into their token?

# %%
rectified, _ = relu_forward(hidden)  # (1, 197, 3072)
shares = np.linspace(0.005, 0.995, 199)  # (199,)
curves = {}
values = {"hidden": hidden, "after GELU": active, "after ReLU": rectified}
print(f"of {hidden.size:,} values   below 0   exactly 0   within 0.1 of 0")
for name, array in values.items():
    curves[name] = np.quantile(array, shares)
    below, near = (array < 0).mean(), (abs(array) < 0.1).mean()
    print(f"{name:17} {below:11.0%} {(array == 0).mean():11.0%} {near:17.0%}")
text = {"xlabel": "values, the smallest first [%]", "ylabel": "value"}
text |= {"title": f"the hidden layer {hidden.shape}, sorted"}
figure(show.lines(100 * shares, curves, **text), "08_hidden")

# %% [markdown]
# ReLU sets half of them to exactly 0. GELU sets none to 0, but presses all negative ones into the
# narrow strip from -0.17 to 0. All this with a model's first weights.
#
# ## Backward
#
# The chain rule and nothing else: the backwards of the three steps, the last step first.
#
#     dactive, dfc2_weight, dfc2_bias  from dout     out = active @ fc2_weight.T
#     dhidden = dactive * slope of GELU              active = gelu(hidden)
#     dx, dfc1_weight, dfc1_bias  from dhidden       hidden = x @ fc1_weight.T

# %%
dout = rng.standard_normal(out.shape).astype("float32")  # (1, 197, 768)
dactive, *dfc2 = linear_backward(dout, fc2_cache)  # (1, 197, 3072)
dhidden = gelu_backward(dactive, gelu_cache)  # (1, 197, 3072)
dx, *dfc1 = linear_backward(dhidden, fc1_cache)  # (1, 197, 768)
names = "dx", "dfc1_weight", "dfc1_bias", "dfc2_weight", "dfc2_bias"
answer = str([gradient.shape for gradient in (*dfc1, *dfc2)])
predict("four weights, four gradients: their shapes?", answer)
whole = mlp_backward(dout, cache)
for name, step, gradient in zip(
    names, (dx, *dfc1, *dfc2), whole, strict=True
):
    gap = abs(step - gradient).max()
    print(f"{name:12} {gradient.shape!s:14} steps and mlp_backward: {gap:g}")

# %% [markdown]
# A gradient has the shape of what it is the gradient of: the picture of the way back is the picture
# of the way there, read from right to left.
#
# **How much passes the activation?** GELU's slope at each hidden value decides.

# %%
slope = gelu_backward(np.ones_like(hidden), gelu_cache)  # (1, 197, 3072)
sign = "-" if slope[hidden < -1].max() < 0 else "+"
predict("hidden is below -1, dactive positive: is dhidden - or +?", sign)
shown = hidden[0, 0, :6]  # (6,), of the class token
print("hidden ", " ".join(f"{value:7.2f}" for value in shown))
print("dactive", " ".join(f"{value:7.2f}" for value in dactive[0, 0, :6]))
print("slope  ", " ".join(f"{value:7.2f}" for value in slope[0, 0, :6]))
print("dhidden", " ".join(f"{value:7.2f}" for value in dhidden[0, 0, :6]))
print(f"turned round (slope below 0): {(slope < 0).mean():.0%} of all values")
print(f"nearly stopped (within 0.1):  {(abs(slope) < 0.1).mean():.0%}")
print(f"ReLU would stop entirely:     {(hidden <= 0).mean():.0%}")

# %% [markdown]
# **Every token used the same weights**, so their gradients add up: `dfc2_weight` is a sum of 197
# products, one a token.

# %%
total = np.zeros((768, 3072))  # (768, 3072)
for n in range(197):
    total += np.outer(dout[0, n], active[0, n])
gap = abs(total - dfc2[0]).max() / abs(total).max()
print(f"sum over 197 tokens: {total.shape}, as dfc2_weight to {gap:.0e}")

# %% [markdown]
# ## The formula of 2017
#
# *Said in many texts: "FFN(x) = max(0, xW1 + b1)W2 + b2". Half right.* It is the formula of the
# 2017 Transformer (Vaswani et al., arXiv 1706.03762, section 3.3), there 512 -> 2048 -> 512.
# tinyvit has it as `activation="relu"`, with W1 and W2 stored as PyTorch does, outputs first. ViT
# keeps the factor 4 and takes GELU (Dosovitskiy et al., arXiv 2010.11929, section 3.1 and table 1:
# 768 and 3072).

# %%
W1 = fc1_weight.T  # (768, 3072)
W2 = fc2_weight.T  # (3072, 768)
ffn = np.maximum(0, x @ W1 + fc1_bias) @ W2 + fc2_bias  # (1, 197, 768)
relu, _ = mlp_forward(x, *weights, activation="relu")  # (1, 197, 768)
tanh, _ = mlp_forward(x, *weights, activation="gelu_tanh")  # (1, 197, 768)
size = np.linalg.norm(out)
for name, result in (("relu", relu), ("gelu", out), ("gelu_tanh", tanh)):
    from_ffn = np.linalg.norm(result - ffn) / size
    from_vit = np.linalg.norm(result - out) / size
    print(f"{name:9} from the formula of 2017: {from_ffn:7.1e}", end="")
    print(f"   from ViT's: {from_vit:7.1e}")

# %% [markdown]
# ## The gradient check
#
# On small odd shapes, for two activations:

# %%
shapes = (2, 5, 12), (7, 12), (7,), (12, 7), (12,)
args = [rng.standard_normal(shape) for shape in shapes]
for activation in ("gelu", "relu"):
    print(activation)
    choice = {"activation": activation}
    print(
        tinyvit.check_backward(mlp_forward, mlp_backward, args, kwargs=choice)
    )

# %% [markdown]
# A student forgets the activation on the way back. What is computed before that place is right,
# what is computed after it is wrong:


# %%
def forgetful_backward(dout, cache):
    fc1_cache, _, _, _, fc2_cache = cache
    dactive, *dfc2 = linear_backward(dout, fc2_cache)
    return *linear_backward(dactive, fc1_cache), *dfc2


print(tinyvit.check_backward(mlp_forward, forgetful_backward, args))

# %% [markdown]
# **What to keep.** The MLP works on each token alone, four times as wide inside as outside. It
# holds two thirds of a block's parameters. Its backward is three backwards in a row, and the
# activation's slope decides how much of the gradient gets through.
#
# Write it yourself: `tinyvit exercise start mlp`.
#
# Next: `09_block`, where attention and the MLP stand on residual branches.
