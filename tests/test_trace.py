"""The trace: the same numbers as the model's, every stage named, and totals that add up."""

import json
import re
import subprocess
from dataclasses import FrozenInstanceError, replace
from pathlib import Path
from time import perf_counter

import numpy as np
import pytest
from matplotlib.text import Text
from PIL import Image
from test_vit import OPTIONS
from tiny import ODD, environment, first_params, line

import tinyvit
from tinyvit import ViTConfig, check_backward, show, stages, vit_backward, vit_forward
from tinyvit.bench.cases import forward_flop
from tinyvit.cli import main
from tinyvit.errors import InputError
from tinyvit.models.cnn import CNNConfig
from tinyvit.params import count_params, flatten, param_shapes
from tinyvit.trace import is_in

B = 2
BLOCK = [
    *("norm1", "attn.qkv", "attn.split", "attn.scores", "attn.softmax", "attn.context"),
    *("attn.merge", "attn.proj", "attn.add", "norm2", "mlp.fc1", "mlp.act", "mlp.fc2", "mlp.add"),
]
each_option = pytest.mark.parametrize("option", OPTIONS)


def make(config, dtype="float64", batch=B):
    shape = (batch, config.in_chans, config.img_size, config.img_size)
    images = np.random.default_rng(0).standard_normal(shape).astype(dtype)
    return images, first_params(config, "vit", dtype), config


def traced(**changes):
    return tinyvit.trace(*make(replace(ODD, **changes)))


def names(trace, direction="forward"):
    return [stage.name for stage in trace.stages if stage.direction == direction]


# ---- the numbers


@each_option
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_numbers_are_those_of_the_model_to_the_last_bit(option, dtype):
    example = make(replace(ODD, **OPTIONS[option]), dtype)
    logits, cache = vit_forward(*example)
    dlogits = np.random.default_rng(3).standard_normal(logits.shape).astype(dtype)
    dimages, grads = vit_backward(dlogits, cache)
    trace = tinyvit.trace(*example, dlogits=dlogits)
    assert trace.logits.dtype == dtype and np.array_equal(trace.logits, logits)
    assert trace.dimages.dtype == dtype and np.array_equal(trace.dimages, dimages)
    assert list(trace.grads) == list(grads)
    for name, grad in grads.items():
        assert trace.grads[name].dtype == dtype
        assert np.array_equal(trace.grads[name], grad), name


def test_dropouts_are_left_out():
    config = replace(ODD, drop_rate=0.5, attn_drop_rate=0.5, drop_path_rate=0.5)
    example = make(config)
    assert np.array_equal(tinyvit.trace(*example).logits, vit_forward(*example)[0])


def test_the_gradient_to_go_back_with_is_random_and_the_same_each_time():
    one, other = traced(), traced()
    assert np.array_equal(one.grads["head.bias"], other.grads["head.bias"])
    sums = np.random.default_rng(0).standard_normal((B, ODD.num_classes)).sum(axis=0)
    np.testing.assert_allclose(one.grads["head.bias"], sums)


def test_nothing_that_was_given_is_modified():
    images, params, config = make(ODD)
    for array in (images, *params.values()):
        array.setflags(write=False)
    dlogits = np.ones((B, config.num_classes))
    dlogits.setflags(write=False)
    tinyvit.trace(images, params, config, dlogits=dlogits)


SMALL_PAIRS = {
    "scores": (stages.SCORES, (2, 3, 5, 4), (2, 3, 5, 4)),
    "context": (stages.CONTEXT, (2, 3, 5, 5), (2, 3, 5, 4)),
    "merge": (stages.MERGE, (2, 3, 5, 4)),
    "add": (stages.ADD, (2, 5, 12), (2, 5, 12)),
    "class token": (stages.CLASS_TOKEN, (2, 5, 12)),
    "mean": (stages.MEAN, (2, 5, 12)),
    "mean of all": (stages.MEAN_OF_ALL, (2, 5, 12)),
    "mean of two": (stages.MEAN_OF_TWO, (2, 7), (2, 7)),
    "distillation token": (stages.PREPEND, (2, 5, 12), (1, 1, 12)),
    "positions": (stages.POSITIONS, (2, 5, 12), (1, 5, 12)),
}


@pytest.mark.parametrize("name", SMALL_PAIRS)
def test_gradients_of_the_small_pairs(name):
    pair, *shapes = SMALL_PAIRS[name]
    args = [np.random.default_rng(0).standard_normal(shape) for shape in shapes]
    report = check_backward(pair.forward, pair.backward, args)
    assert report.ok and report.error < 1e-7, str(report)


def test_gradient_of_split():
    def backward(dout, cache):
        return stages.split_backward(*dout, cache)

    qkv = np.random.default_rng(0).standard_normal((2, 5, 3 * 12))
    report = check_backward(stages.split_forward, backward, (qkv, 3))
    assert report.ok and report.error < 1e-7, str(report)


def test_gradient_of_two_tokens():
    def forward(x):
        out, cache = stages.TWO_TOKENS.forward(x)
        return np.stack(out), cache

    def backward(dout, cache):
        return stages.TWO_TOKENS.backward(*dout, cache)

    x = np.random.default_rng(0).standard_normal((2, 5, 12))
    report = check_backward(forward, backward, (x,))
    assert report.ok and report.error < 1e-7, str(report)


# ---- the stages


def test_every_stage_in_order():
    trace = traced()
    blocks = [f"blocks.{i}.{name}" for i in range(ODD.depth) for name in BLOCK]
    expected = ["patchify", "patch_embed", "embed", *blocks, "norm", "pool", "head"]
    assert names(trace) == expected
    assert names(trace, "backward") == expected[::-1]
    assert [stage.direction for stage in trace.stages] == sorted(
        (stage.direction for stage in trace.stages), reverse=True
    )


def test_stages_of_a_distilled_vit():
    trace = traced(distilled=True, depth=1)
    blocks = [f"blocks.0.{name}" for name in BLOCK]
    embed = ["patchify", "patch_embed", "dist_token", "embed"]
    expected = [*embed, *blocks, "norm", "pool", "head", "head_dist", "mean"]
    assert names(trace) == expected
    assert names(trace, "backward") == expected[::-1]
    assert trace.stage("dist_token").outputs == {"tokens": (B, 17, 12)}
    assert trace.stage("embed").outputs == {"x": (B, 18, 12)}
    assert trace.stage("pool").outputs == {"pooled": (B, 12), "pooled_dist": (B, 12)}
    assert list(trace.stage("head_dist").weights) == ["head_dist.weight", "head_dist.bias"]
    for name, there, back in [
        ("dist_token", "[dist_token, tokens]", "ddist_token = sum(dtokens[:, 0])"),
        ("embed", "[cls_token, tokens] + pos_embed", "dpos_embed = sum(dx)"),
        ("pool", "normed[:, 0], normed[:, 1]", "dnormed[:, 1] = dpooled_dist"),
        ("head_dist", "pooled_dist @ weight.T + bias", "dpooled_dist = dlogits_dist @ weight"),
        ("mean", "(logits + logits_dist) / 2", "dlogits_dist = dlogits / 2; dlogits = "),
    ]:
        assert trace.stage(name).operation == there
        assert back in trace.stage(name, "backward").operation, name


def test_stages_without_a_class_token():
    trace = traced(class_token=False, global_pool="avg", depth=1)
    assert trace.stage("embed").outputs == {"x": (B, 16, 12)}
    assert trace.stage("embed").operation == "tokens + pos_embed"
    assert trace.stage("embed", "backward").operation == "dtokens = dx; dpos_embed = sum(dx)"
    assert trace.stage("pool").operation == "normed.mean(axis=1)"
    trace = traced(class_token=False, global_pool="avg", depth=1, pos_embed="none")
    assert trace.stage("embed").operation == "tokens"
    assert trace.stage("embed", "backward").operation == "dtokens = dx"


def test_post_norm_has_its_norms_behind_the_additions():
    block = [name for name in BLOCK if not name.startswith("norm")]
    block.insert(block.index("attn.add") + 1, "norm1")
    found = [name for name in names(traced(norm="post")) if is_in(name, "blocks.0")]
    assert found == [f"blocks.0.{name}" for name in [*block, "norm2"]]


def test_shapes_of_vit_b16():
    config = ViTConfig.preset("vit_base_patch16_224", depth=1, embed_dim=768)
    images = np.zeros((1, 3, 224, 224), "float32")
    params = {name: np.zeros(shape, "float32") for name, shape in param_shapes(config).items()}
    trace = tinyvit.trace(images, params, config)
    x, head, square = (1, 197, 768), (1, 12, 197, 64), (1, 12, 197, 197)
    expected = {
        "patchify": ({"images": (1, 3, 224, 224)}, {"patches": (1, 196, 768)}),
        "patch_embed": ({"patches": (1, 196, 768)}, {"tokens": (1, 196, 768)}),
        "embed": ({"tokens": (1, 196, 768)}, {"x": x}),
        "blocks.0.norm1": ({"x": x}, {"normed": x}),
        "blocks.0.attn.qkv": ({"normed": x}, {"qkv": (1, 197, 2304)}),
        "blocks.0.attn.split": ({"qkv": (1, 197, 2304)}, {"q": head, "k": head, "v": head}),
        "blocks.0.attn.scores": ({"q": head, "k": head}, {"scores": square}),
        "blocks.0.attn.softmax": ({"scores": square}, {"attn": square}),
        "blocks.0.attn.context": ({"attn": square, "v": head}, {"context": head}),
        "blocks.0.attn.merge": ({"context": head}, {"merged": x}),
        "blocks.0.attn.proj": ({"merged": x}, {"branch": x}),
        "blocks.0.attn.add": ({"x": x, "branch": x}, {"x": x}),
        "blocks.0.norm2": ({"x": x}, {"normed": x}),
        "blocks.0.mlp.fc1": ({"normed": x}, {"hidden": (1, 197, 3072)}),
        "blocks.0.mlp.act": ({"hidden": (1, 197, 3072)}, {"active": (1, 197, 3072)}),
        "blocks.0.mlp.fc2": ({"active": (1, 197, 3072)}, {"branch": x}),
        "blocks.0.mlp.add": ({"x": x, "branch": x}, {"x": x}),
        "norm": ({"x": x}, {"normed": x}),
        "pool": ({"normed": x}, {"pooled": (1, 768)}),
        "head": ({"pooled": (1, 768)}, {"logits": (1, 1000)}),
    }
    for name, (inputs, outputs) in expected.items():
        stage, back = trace.stage(name), trace.stage(name, "backward")
        assert (stage.inputs, stage.outputs) == (inputs, outputs)
        assert back.inputs == {f"d{name}": shape for name, shape in outputs.items()}
        assert back.outputs == {f"d{name}": shape for name, shape in inputs.items()}
    assert len(names(trace)) == len(expected)


def test_the_operations_are_what_is_done():
    trace = traced()
    for name, there, back in [
        ("patch_embed", "patches @ weight.T + bias", "dpatches = dtokens @ weight"),
        ("embed", "[cls_token, tokens] + pos_embed", "dpos_embed = sum(dx)"),
        ("blocks.0.attn.scores", "q @ k.T / sqrt(d)", "dk = dscores.T @ q / sqrt(d)"),
        ("blocks.0.attn.context", "attn @ v", "dattn = dcontext @ v.T"),
        ("blocks.0.attn.split", "q, k, v of 3 heads", "dqkv = dq, dk, dv side by side"),
        ("blocks.0.norm1", "(x - mean) / std * weight + bias", "dx += "),  # x fed both: add
        ("norm", "(x - mean) / std * weight + bias", "dx = "),  # here it fed nothing else
        ("pool", "normed[:, 0]", "dnormed[:, 0] = dpooled"),
    ]:
        assert trace.stage(name).operation == there
        assert back in trace.stage(name, "backward").operation, name
    trace = traced(qkv_bias=False, pos_embed="none", activation="relu", global_pool="avg")
    assert trace.stage("blocks.0.attn.qkv").operation == "normed @ weight.T"
    assert "dbias" not in trace.stage("blocks.0.attn.qkv", "backward").operation
    assert trace.stage("embed").operation == "[cls_token, tokens]"
    assert "dpos_embed" not in trace.stage("embed", "backward").operation
    assert trace.stage("blocks.0.mlp.act").operation == "max(hidden, 0)"
    assert trace.stage("pool").operation == "normed[:, 1:].mean(axis=1)"
    trace = traced(pos_embed="sincos2d", norm="post")
    assert trace.stage("embed").operation == "[cls_token, tokens] + pos_embed"
    assert "dpos_embed" not in trace.stage("embed", "backward").operation  # a fixed table
    assert "dx += dqkv @ weight" in trace.stage("blocks.0.attn.qkv", "backward").operation


# ---- the sums


@each_option
def test_every_parameter_is_counted_once(option):
    config = replace(ODD, **OPTIONS[option])
    trace = tinyvit.trace(*make(config))
    shapes = param_shapes(config)
    for direction, what in (("forward", "params"), ("backward", "gradients")):
        counted = [s.weights for s in trace.stages if s.direction == direction]
        names = [name for weights in counted for name in weights]
        assert sorted(names) == sorted(shapes)
        assert {name: shape for weights in counted for name, shape in weights.items()} == shapes
        assert getattr(trace.part("", direction), what) == count_params(shapes)
        assert sum(getattr(stage, what) for stage in trace.stages) == count_params(shapes)


@each_option
def test_multiply_adds(option):
    config = replace(ODD, **OPTIONS[option])
    trace = tinyvit.trace(*make(config))
    there, back = trace.part(), trace.part("", "backward")
    assert there.flops == B * forward_flop(config)
    assert back.multiply_adds == 2 * there.multiply_adds and there.flops == 2 * there.multiply_adds
    D, N, M = config.embed_dim, config.num_tokens, config.hidden_dim
    for name, count in {
        "patchify": 0,
        "blocks.0.attn.qkv": N * D * 3 * D,
        "blocks.0.attn.scores": N * N * D,
        "blocks.0.attn.softmax": 0,
        "blocks.0.attn.context": N * N * D,
        "blocks.0.mlp.fc1": N * D * M,
        "head": D * config.num_classes,
    }.items():
        assert trace.stage(name).multiply_adds == B * count
        assert trace.stage(name, "backward").multiply_adds == 2 * B * count


def arrays_in(cache):
    if isinstance(cache, dict):
        cache = [value for name, value in cache.items() if name != "stages"]
    if isinstance(cache, (list, tuple)):
        return [array for one in cache for array in arrays_in(one)]
    return [cache] if isinstance(cache, np.ndarray) else []


def owner(array):
    return array if array.base is None else owner(array.base)


@each_option
@pytest.mark.parametrize("flat", [False, True])
def test_kept_is_what_the_cache_of_the_model_holds(option, flat):
    images, params, config = make(replace(ODD, **OPTIONS[option]), "float32")
    if flat:
        _, params = flatten(params)
    _, cache = vit_forward(images, params, config)
    given = {id(owner(array)) for array in (images, *params.values())}
    held = {id(owner(array)): owner(array).nbytes for array in arrays_in(cache)}
    kept = tinyvit.trace(images, params, config, backward=False).part().kept
    assert kept == sum(size for key, size in held.items() if key not in given) > 0


def test_kept_of_single_stages():
    trace = tinyvit.trace(*make(ODD, "float32"))
    D, N, M, h = ODD.embed_dim, ODD.num_patches + 1, ODD.hidden_dim, ODD.num_heads
    row = 4 * B * N  # bytes of a feature of all tokens
    for name, size in {
        "blocks.1.norm1": row * (D + 1),  # xhat, std
        "blocks.1.attn.qkv": row * D,  # normed
        "blocks.1.attn.split": 0,
        "blocks.1.attn.scores": row * 3 * D,  # q and k lie in one memory with v
        "blocks.1.attn.softmax": row * N * h,
        "blocks.1.attn.context": 0,  # attn and v are counted
        "blocks.1.attn.proj": row * D,
        "blocks.1.mlp.act": row * 2 * M,  # hidden, gate
        "blocks.1.mlp.fc2": row * M,
        "blocks.1.mlp.add": 0,
    }.items():
        assert trace.stage(name).kept == size, name


def test_parts_add_up():
    trace = traced(depth=11)
    whole = trace.part()
    tops = dict.fromkeys(".".join(name.split(".")[:2]) for name in names(trace))
    parts = [trace.part(name) for name in tops]
    for what in ("params", "multiply_adds", "flops", "kept", "seconds"):
        total = sum(getattr(part, what) for part in parts)
        assert total == pytest.approx(getattr(whole, what), rel=1e-12)
    assert trace.part("blocks.1").operation == f"{len(BLOCK)} stages"  # and not blocks.10's
    assert trace.part("blocks.0").inputs == trace.part("blocks.0").outputs == {"x": (B, 17, 12)}
    assert trace.part("head") == trace.stage("head")
    assert all(stage.seconds > 0 for stage in trace.stages)


@pytest.mark.parametrize(
    "preset, params, giga",
    [
        ("vit_base_patch16_224", 86_567_656, 17.56),  # timm's count of the parameters
        ("vit_tiny_patch16_224", 5_717_416, 1.2537),
    ],
)
def test_totals_of_presets(preset, params, giga):
    config = ViTConfig.preset(preset)
    zeros = {name: np.zeros(shape, "float32") for name, shape in param_shapes(config).items()}
    trace = tinyvit.trace(np.zeros((1, 3, 224, 224), "float32"), zeros, config, backward=False)
    assert trace.part().params == params
    assert trace.part().multiply_adds / 1e9 == pytest.approx(giga, rel=5e-4)
    assert trace.directions == ("forward",) and trace.grads is None and trace.dimages is None


# ---- what is shown


def test_it_is_frozen():
    trace = traced()
    with pytest.raises(FrozenInstanceError):
        trace.stages = ()
    with pytest.raises(FrozenInstanceError):
        trace.stages[0].name = "x"


def test_the_table_has_80_columns_and_a_line_for_each_further_block():
    trace = tinyvit.trace(*make(replace(ODD, depth=12), batch=1))
    text = str(trace)
    assert max(map(len, text.splitlines())) <= 80
    for name in BLOCK:
        assert len(re.findall(rf"^ {re.escape(name)} ", text, re.M)) == 2  # there and back
    for i in range(1, 12):
        assert len(re.findall(rf"^blocks\.{i} +14 stages +17x12", text, re.M)) == 2
    total = f"{trace.part().params:,}"
    assert re.search(rf"^all +174 stages +5 +{total} ", text, re.M)
    assert f"forward: {total} parameters" in text and f"backward: {total} gradients" in text
    assert "3x3x17x4" in text and "Not counted" in text
    assert "backward" not in str(tinyvit.trace(*make(ODD), backward=False)).partition("all")[0]


def test_json_holds_every_stage():
    trace = traced()
    found = json.loads(trace.to_json())
    assert found["batch"] == B and found["dtype"] == "float64"
    assert found["config"] == vars(ODD) and len(found["counted"]) == 3
    assert len(found["stages"]) == len(trace.stages)
    for row, stage in zip(found["stages"], trace.stages, strict=True):
        assert {name: tuple(shape) for name, shape in row["outputs"].items()} == stage.outputs
        for name in ("name", "direction", "operation", "params", "gradients", "kept", "flops"):
            assert row[name] == getattr(stage, name)
    for direction, totals in found["totals"].items():
        for name, value in totals.items():
            rows = [row[name] for row in found["stages"] if row["direction"] == direction]
            assert value == pytest.approx(sum(rows), rel=1e-12)


def drawn(figure, name):
    """Widths and heights of the blocks of an array, in inches, the first sheet of each."""
    figure.canvas.draw()
    boxes = [patch for patch in figure.axes[0].patches if patch.get_label() == name]
    return {(round(box.get_width(), 6), round(box.get_height(), 6)) for box in boxes}


def words(figure):
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_the_picture_is_to_scale(norm):
    trace = traced(norm=norm, depth=2)
    figure = show.data_path(trace)
    ((unit, _),) = {(wide / 12, high / 17) for wide, high in drawn(figure, "merged")}
    for name, (rows, columns) in {
        **{"images": (12, 12), "patches": (16, 18), "tokens": (16, 12), "x": (17, 12)},
        **{"q": (17, 4), "k": (17, 4), "v": (17, 4), "scores": (17, 17), "attn": (17, 17)},
        **{"hidden": (17, 19), "normed": (17, 12), "logits": (2, 5), "qkv": (17, 12)},
    }.items():
        ((wide, high),) = drawn(figure, name)
        assert (wide, high) == pytest.approx((columns * unit, rows * unit), rel=1e-4), name
    written = words(figure)
    assert "scores\n(2, 3, 17, 17)" in written and "q, k, v\neach (2, 3, 17, 4)" in written
    assert "blocks.0, and 1 more like it" in written
    assert ("norm2" in written) and any(f"{trace.part().params:,} parameters" in w for w in written)
    back = words(show.data_path(trace, direction="backward"))
    assert "dscores\n(2, 3, 17, 17)" in back and "dq, dk, dv\neach (2, 3, 17, 4)" in back


NO_CLASS_TOKEN = {"class_token": False, "global_pool": "avg"}


@pytest.mark.parametrize(
    ("preset", "changes"),
    [
        *(("digits", {}), ("mnist", {}), ("vit_base_patch16_224", {})),
        *(("digits", {"distilled": True}), ("digits", NO_CLASS_TOKEN)),
        ("deit_tiny_distilled_patch16_224", {}),
    ],
)
@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_no_word_of_the_picture_is_cut_off_or_lies_on_another(preset, changes, direction):
    config = ViTConfig.preset(preset, depth=1, **changes)
    trace = tinyvit.trace(*make(config, "float32", 1))
    figure = show.data_path(trace, direction=direction, image=np.zeros(make(config)[0].shape[1:]))
    figure.canvas.draw()
    whole = figure.bbox
    boxes = [text.get_window_extent() for text in figure.findobj(Text) if text.get_text()]
    for i, box in enumerate(boxes):
        assert whole.x0 <= box.x0 and box.x1 <= whole.x1 and whole.y0 <= box.y0
        assert box.y1 <= whole.y1
        others = [other for other in boxes[i + 1 :] if box.overlaps(other)]
        assert not others, (boxes[i], others)


# ---- mistakes


@pytest.mark.parametrize("shape", [(B, 2, 12, 13), (B, 1, 12, 12), (2, 12, 12)])
def test_images_of_another_shape(shape):
    _, params, config = make(ODD)
    with pytest.raises(ValueError) as error:
        tinyvit.trace(np.zeros(shape), params, config)
    assert str(error.value) == f"images should be (B, C, H, W) = (B, 2, 12, 12), not {shape}"


@pytest.mark.parametrize("name", ["blocks.3.norm1", "blocks", "q"])
def test_a_stage_that_is_none(name):
    trace = tinyvit.trace(*make(ODD), backward=False)
    with pytest.raises(InputError, match="no stage"):
        trace.stage(name)
    with pytest.raises(InputError, match="no stage"):
        trace.part(name if name != "blocks" else "block")
    with pytest.raises(InputError, match="no stage"):
        trace.part("", "backward")
    with pytest.raises(InputError, match="no stage"):
        show.data_path(trace, direction="backward")


def test_another_model():
    with pytest.raises(InputError, match="CNNConfig"):
        tinyvit.trace(np.zeros((1, 1, 28, 28)), {}, CNNConfig())


# ---- the command


def call(command, capsys):
    return main(command.split()), *capsys.readouterr()


@pytest.mark.parametrize("columns", [80, 120])
def test_summary_prints_the_trace(columns, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", str(columns))
    status, out, err = call("summary digits --trace --backward", capsys)
    assert status == 0 and err == ""
    assert max(map(len, out.splitlines())) <= columns
    assert "attn.scores" in out and "backward: 136,138 gradients" in out
    assert ("16x4" in out) and ("1x8x8" in out)
    assert len(re.findall(r"^blocks\.3 ", out, re.M)) == 2
    status, out, err = call("summary digits --trace", capsys)
    assert status == 0 and "gradients" not in out and "2.381 M multiply-adds" in out


def test_summary_prints_json_and_saves_pictures(tmp_path, capsys):
    path = tmp_path / "path.png"
    status, out, err = call(f"summary digits --trace --backward --json --save {path}", capsys)
    assert status == 0 and err == ""
    found = json.loads(out)
    assert found["preset"] == "digits"
    assert found["totals"]["backward"]["gradients"] == 136_138
    assert sum(row["params"] for row in found["stages"]) == 136_138
    assert found["pictures"] == [str(path), str(tmp_path / "path-backward.png")]
    for picture in found["pictures"]:
        with Image.open(picture) as image:
            assert min(image.size) > 500
    assert sorted(map(str, tmp_path.iterdir())) == sorted(found["pictures"])


@pytest.mark.parametrize(
    "command, expected",
    [
        ("summary digits --backward", "--backward has no meaning without --trace"),
        ("summary digits --json", "--json has no meaning without --trace"),
        ("summary digits --save a.png", "--save has no meaning without --trace"),
        ("summary digits --trace --save a.txt", "a.txt"),
        ("summary digits --trace --save nowhere/a.png", "nowhere"),
        ("summary mnist --model cnn --trace", "the ViT only"),
        ("summary vit_giant --trace", "'vit_giant': use digits"),
    ],
)
def test_a_mistake_is_one_line(command, expected, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, out, err = call(command, capsys)
    assert status == 2 and out == "" and expected in err
    assert len(err.splitlines()) == 1 and err.startswith("tinyvit")
    assert not list(tmp_path.iterdir())


SAY_MEMORY = """
import atexit, pathlib, re, sys
status = pathlib.Path("/proc/self/status")
most = lambda: re.search(r"VmHWM:\\s*(\\d+) kB", status.read_text())[1]
atexit.register(lambda: print(most(), file=sys.stderr))
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="its memory is read on Linux")
def test_vit_b16_takes_5_seconds_and_2_5_gigabytes():
    words = ("summary", "vit_base_patch16_224", "--trace", "--backward", "--json")
    seconds = []
    for _ in range(3):  # others may be at work, too
        start = perf_counter()
        command = line(*words, code=SAY_MEMORY)
        done = subprocess.run(command, env=environment(), capture_output=True, check=True)
        seconds.append(perf_counter() - start)
    found = json.loads(done.stdout)["totals"]
    assert found["forward"]["params"] == found["backward"]["gradients"] == 86_567_656
    assert found["forward"]["multiply_adds"] == pytest.approx(17.56e9, rel=0.005)
    assert int(done.stderr) < 2.5e6  # kB
    assert min(seconds) < 5
