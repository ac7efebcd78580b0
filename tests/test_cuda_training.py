"""Training on a card: one graph a step, the textbook's gradients, nothing said to the host.

PYTHONPATH=path/to/fakegpu python -m pytest tests/test_cuda_training.py
"""

import gc
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
from test_cuda_kernels import bf16_bits
from test_cupy import trace
from tiny import ODD, TINY, draw_nothing

from tinyvit import init_params, ops, to_device, to_numpy, vit_backward, vit_forward
from tinyvit.augment import Augmentation
from tinyvit.bench.cases import A
from tinyvit.cli import main
from tinyvit.data import normalize
from tinyvit.errors import InputError
from tinyvit.models import MODELS
from tinyvit.optim import adamw, clip, decay_vector
from tinyvit.params import flatten, unflatten
from tinyvit.train import OldCardWarning, Trainer, describe

pytestmark = pytest.mark.usefixtures("cupy")

FUSED = {
    "default": {},
    "one block": {"depth": 1},
    "relu": {"activation": "relu"},
    "gelu_tanh": {"activation": "gelu_tanh"},
    "avg": {"global_pool": "avg"},
    "one block, avg": {"depth": 1, "global_pool": "avg"},
    "sincos2d": {"pos_embed": "sincos2d"},
    "no positions": {"pos_embed": "none"},
    "no qkv_bias": {"qkv_bias": False},
}
PAIRS = {
    "post": {"norm": "post"},
    "post, relu, avg": {"norm": "post", "activation": "relu", "global_pool": "avg"},
    "no class token": {"class_token": False, "global_pool": "avg"},
    "distilled": {"distilled": True},
    "every dropout": {"drop_rate": 0.1, "attn_drop_rate": 0.2, "drop_path_rate": 0.3},
}
SETTINGS = {"lr": 3e-3, "warmup_steps": 2, "total_steps": 12, "label_smoothing": 0.1}
SETTINGS |= {"clip_norm": 0.7, "ema_decay": 0.9, "seed": 3}
BATCH, STEPS, IMAGES = 6, 4, 31


def raw_images(config, count=IMAGES):
    rng = np.random.default_rng(5)
    shape = count, config.in_chans, config.img_size, config.img_size
    return rng.integers(0, 256, shape, dtype=np.uint8), rng.integers(0, config.num_classes, count)


def order_of(steps=STEPS, batch=BATCH):
    return np.random.default_rng(6).permutation(IMAGES)[: steps * batch].reshape(steps, batch)


def trainer_of(config, device="gpu", **settings):
    params = init_params(config, 1)
    rng = np.random.default_rng(2)
    params = {k: v + 0.1 * rng.standard_normal(v.shape, dtype="f") for k, v in params.items()}
    return Trainer(config, params, device=device, **SETTINGS | settings)


UNCHANGED = Augmentation()


def with_images(config, augmentation=UNCHANGED, **settings):
    trainer = trainer_of(config, **settings)
    trainer.put(*raw_images(config), augmentation)
    return trainer


@pytest.fixture
def eager(monkeypatch):
    """Nothing is recorded: every step is launched kernel by kernel."""
    import cupy

    from tinyvit.kernels.cuda.graph import Recorded

    def call(self):
        with self._stream, cupy.cuda.using_allocator(self._pool.malloc):
            self._function()

    monkeypatch.setattr(Recorded, "__call__", call)


@pytest.mark.parametrize("variant", FUSED)
@pytest.mark.parametrize(
    "dtype, tolerance", [("float64", 1e-13), ("float32", 5e-6), ("bf16", 0.08)]
)
def test_gradients_of_the_fused_vit_are_the_textbook_s(variant, dtype, tolerance, cupy):
    from tinyvit.kernels.cuda.vit import Training

    config = replace(ODD, **FUSED[variant])
    n = np.random.default_rng(0).standard_normal
    params = {
        name: value + 0.2 * n(value.shape)
        for name, value in init_params(config, dtype="float64").items()
    }
    images, labels = n((BATCH, 2, 12, 12)), np.array([0, 1, 4, 2, 3, 0])
    logits, cache = vit_forward(images, params, config)
    loss, loss_cache = ops.cross_entropy_forward(logits, labels, 0.1)
    _, grads = vit_backward(ops.cross_entropy_backward(1.0, loss_cache), cache)

    patches, _ = ops.patchify_forward(images, config.patch_size)
    real = "float32" if dtype == "bf16" else dtype
    flat, views = flatten({name: cupy.asarray(a, real) for name, a in params.items()})
    shapes = {name: value.shape for name, value in params.items()}
    patches, factors = patches.astype(real), views
    if dtype == "bf16":
        patches, factors = (
            bf16_bits(patches),
            unflatten(cupy.asarray(bf16_bits(flat.get())), shapes),
        )
    training = Training(config, views, factors, BATCH, "fp32")
    training.run(cupy.asarray(patches), cupy.asarray(labels, "i"), 0.1)
    np.testing.assert_allclose(training.losses.get().mean(), loss, rtol=tolerance / 8)
    np.testing.assert_array_equal(training.corrects.get(), logits.argmax(axis=1) == labels)
    got = unflatten(training.gradients.flat.get(), shapes)
    for name, grad in grads.items():
        scale = abs(grad).max()
        np.testing.assert_allclose(got[name], grad, rtol=0, atol=tolerance * scale, err_msg=name)


@pytest.mark.parametrize("variant", [*FUSED, *list(PAIRS)[:-1]])
def test_a_gpu_takes_the_same_steps_as_a_cpu(variant):
    config = replace(ODD, **(FUSED | PAIRS)[variant])
    images, labels = raw_images(config)
    trainers = trainer_of(config), trainer_of(config, "cpu", threads=1)
    for chosen in order_of():
        batch = normalize(images[chosen]), labels[chosen]
        (loss, correct), (expected, expected_correct) = (one.step(*batch) for one in trainers)
        assert correct == expected_correct
        np.testing.assert_allclose(loss, expected, rtol=2e-5)
    got, expected = (one.state() for one in trainers)
    # AdamW makes steps of one size out of gradients of any: also out of the rounding errors that
    # are the gradient of the keys' bias, which moves all scores of a row alike.
    clear = expected["v"] > 1e-6 * expected["v"].max()
    assert clear.mean() > 0.9
    for name in ("params", "average"):
        difference = (got[name] - expected[name])[clear]
        np.testing.assert_allclose(difference, 0, rtol=0, atol=2e-4, err_msg=name)
    for name in ("m", "v"):
        scale = abs(expected[name]).max()
        np.testing.assert_allclose(got[name], expected[name], rtol=0, atol=1e-4 * scale)
    assert trainers[0].step_count == STEPS
    logits = (one.predict(normalize(images)) for one in trainers)
    np.testing.assert_allclose(*logits, rtol=0, atol=2e-3)


@pytest.mark.parametrize("variant", FUSED | PAIRS)
@pytest.mark.parametrize("precision", ["fp32", "tf32", "bf16"])
def test_a_replayed_graph_gives_the_bits_of_eager_launches(variant, precision, request):
    if variant in PAIRS and precision != "fp32":
        pytest.skip("only the fused ViT has it")
    config = replace(ODD, **(FUSED | PAIRS)[variant])
    augmentation = Augmentation(shift=1.5, rotate=10, scale=0.1, elastic=0.5)
    results = []
    for is_eager in (False, True):
        if is_eager:
            request.getfixturevalue("eager")
        trainer = with_images(config, augmentation, precision=precision)
        tallies = [trainer.steps(order_of()[:3]), trainer.steps(order_of()[3:])]
        results.append((tallies, trainer.state()))
    (tallies, state), (eager_tallies, eager_state) = results
    assert tallies == eager_tallies
    assert np.isfinite(tallies).all()
    for name, value in state.items():
        np.testing.assert_array_equal(value, eager_state[name], err_msg=name)
    assert len(set(state["params"])) > 0.9 * len(state["params"])


@pytest.mark.parametrize("variant", ["default", "avg", "post"])
def test_many_steps_are_the_single_ones(variant):
    config = replace(ODD, **(FUSED | PAIRS)[variant])
    images, labels = raw_images(config)
    many, single = with_images(config), trainer_of(config)
    loss, correct = many.steps(order_of())
    tallies = [single.step(normalize(images[i]), labels[i]) for i in order_of()]
    losses, corrects = zip(*tallies, strict=True)
    np.testing.assert_allclose(loss, np.mean(losses), rtol=1e-6)
    assert correct == sum(corrects)
    for name, value in single.state().items():
        np.testing.assert_allclose(many.state()[name], value, rtol=0, atol=1e-6, err_msg=name)
    assert many.step_count == STEPS


def test_an_order_longer_than_the_data_and_batches_of_other_sizes():
    one, other = with_images(ODD), with_images(ODD)
    order = np.concatenate([order_of()] * 3)
    one.steps(order)
    for row in order:
        other.steps(row[None])
    np.testing.assert_array_equal(one.state()["params"], other.state()["params"])
    one.steps(order_of(3, 5))
    one.steps(order_of(1, 1))
    assert one.step_count == 16 and np.isfinite(one.state()["params"]).all()


@pytest.mark.parametrize("variant", ["default", "sincos2d", "post", "every dropout"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_card_is_left_alone_between_first_and_last_step(variant, precision, eager):
    if variant in PAIRS and precision != "fp32":
        pytest.skip("only the fused ViT has it")
    config = replace(ODD, **(FUSED | PAIRS)[variant])
    trainer = with_images(config, Augmentation(shift=1.0, elastic=0.3), precision=precision)
    trainer.steps(order_of())
    with trace() as seen:
        trainer.steps(order_of())
    if seen is None:
        return
    order, *tally = seen.copies
    tally = [copy for copy in tally if copy.kind != "d2d"]
    assert order.kind == "h2d" and order.nbytes == 4 * STEPS * BATCH
    assert [(copy.kind, copy.nbytes) for copy in tally] == [("d2h", 4), ("d2h", 8)]
    assert not seen.float64, seen.float64
    work = [i for i, event in enumerate(seen.events) if hasattr(event, "grid")]
    syncs = [i for i, event in enumerate(seen.events) if type(event).__name__ == "Sync"]
    assert min(syncs) > max(i for i in work if "adamw" in seen.events[i].name)


def test_launches_of_a_step(eager):
    if isinstance(trace(), nullcontext):
        pytest.skip("counted on the emulated card")
    counts = {}  # for the README
    for depth in (5, 6):
        config = replace(A, depth=depth)
        trainer = trainer_of(config)
        trainer.put(*raw_images(config), Augmentation(shift=2.0))
        trainer.steps(order_of(1, 4))
        launches = []
        for steps in (1, 2):
            with trace() as seen:
                trainer.steps(order_of(steps, 4))
            launches.append(len(seen.launches))
        counts[depth] = launches[1] - launches[0]
    assert counts[6] == 120
    assert counts[6] - counts[5] == 16


def test_launches_of_the_textbook(cupy):
    if isinstance(trace(), nullcontext):
        pytest.skip("counted on the emulated card")
    flat, params = flatten(to_device(init_params(A)))
    decay, m, v = decay_vector(params, 0.05), flat * 0, flat * 0
    images, labels = cupy.ones((4, 1, 28, 28), "f"), cupy.arange(4)
    with trace() as seen:
        logits, cache = vit_forward(images, params, A)
        _, loss_cache = ops.cross_entropy_forward(logits, labels)
        _, grads = vit_backward(ops.cross_entropy_backward(1.0, loss_cache), cache)
        grads, _ = clip(flatten(grads)[0], 1.0)
        adamw(flat, grads, m, v, step=1, lr=1e-3, decay=decay)
    assert 780 < len(seen.launches) < 840  # README: 811


@pytest.mark.parametrize("variant", ["default", "every dropout"])
def test_going_on_gives_the_same_bits(variant):
    config = replace(ODD, **(FUSED | PAIRS)[variant])
    augmentation = Augmentation(shift=1.0)
    whole, first, second = (with_images(config, augmentation) for _ in range(3))
    whole.steps(order_of())
    first.steps(order_of()[:2])
    second.restore(first.state(), first.step_count)
    second.steps(order_of()[2:])
    for name, value in whole.state().items():
        np.testing.assert_array_equal(second.state()[name], value, err_msg=name)
    assert second.step_count == whole.step_count


def test_precisions_differ_a_little():
    losses = {}
    for precision in ("fp32", "bf16"):
        trainer = with_images(ODD, precision=precision)
        losses[precision] = [trainer.steps(order_of())[0] for _ in range(3)]
        assert trainer.state()["params"].dtype == np.float32
    difference = abs(np.subtract(losses["fp32"], losses["bf16"]))
    assert 0 < difference.max() < 0.02


def test_dropout_drops_other_values_every_step():
    config = replace(ODD, drop_rate=0.5)
    trainer = with_images(config, **{"lr": 1e-12})
    losses = [trainer.steps(order_of()[:1])[0] for _ in range(4)]
    assert len(set(losses)) == 4


@pytest.mark.parametrize("precision", ["fp32", "tf32", "bf16"])
@pytest.mark.parametrize("variant", FUSED)
def test_logits_in_a_graph(variant, precision, cupy):
    from tinyvit.kernels.cuda.logits import Logits

    config = replace(ODD, **FUSED[variant])
    params = {k: cupy.asarray(v) for k, v in trainer_of(config, "cpu", threads=1).params.items()}
    images = np.random.default_rng(1).standard_normal((5, 2, 12, 12), dtype="f")
    logits_of = Logits(params, config, precision, 5)
    tolerance = 0.1 if precision == "bf16" else 1e-5
    for count in range(3):
        expected, _ = vit_forward(images + count, to_numpy(params), config)
        got = logits_of(cupy.asarray(images + count)).get()
        np.testing.assert_allclose(got, expected, rtol=0, atol=tolerance * abs(expected).max())


@pytest.mark.parametrize("count", [1, 4, 7, 9])
def test_predict_in_parts(count, monkeypatch):
    monkeypatch.setattr("tinyvit.kernels.cuda.training.PREDICTED", 4)
    trainer = trainer_of(ODD, ema_decay=0.0)
    images = normalize(raw_images(ODD, count)[0])
    for _ in range(2):
        expected, _ = vit_forward(images, trainer.params, ODD)
        np.testing.assert_allclose(trainer.predict(images), expected, rtol=0, atol=1e-5)
        trainer.step(images, np.zeros(count, int))


def test_what_does_not_fit_the_model():
    trainer = with_images(ODD)
    images, labels = raw_images(ODD)
    with pytest.raises(ValueError, match=r"images should be \(B, 2, 12, 12\) and labels \(B,\)"):
        trainer.step(np.zeros((3, 2, 6, 6), "f"), np.zeros(3, int))
    with pytest.raises(ValueError, match=r"not \(31, 2, 12, 12\) and \(30,\)"):
        trainer.put(images, labels[1:], UNCHANGED)
    with pytest.raises(ValueError, match="images are float32: put takes the raw uint8 pixels"):
        trainer.put(images.astype("f"), labels, UNCHANGED)
    for number in (-1, IMAGES):
        with pytest.raises(ValueError, match="image numbers go from 0 to 30"):
            trainer.steps(np.array([[0, number]]))
    assert trainer.step_count == 0


def test_memory_that_is_not_there(monkeypatch, cupy):
    monkeypatch.setattr(cupy.cuda.runtime, "memGetInfo", lambda: (3_000_000, 9_000_000))
    gc.collect()  # what earlier tests left counts as free
    cupy.get_default_memory_pool().free_all_blocks()
    trainer = trainer_of(ODD)
    with pytest.raises(InputError, match="images needs .* GB on the card, .* of 0.01 GB are free"):
        trainer.step(np.zeros((5000, 2, 12, 12), "f"), np.zeros(5000, int))
    with pytest.raises(InputError) as caught:
        trainer.step(np.zeros((5000, 2, 12, 12), "f"), np.zeros(5000, int))
    fits = int(str(caught.value).partition("--batch-size ")[2].split()[0])
    trainer.step(np.zeros((fits, 2, 12, 12), "f"), np.zeros(fits, int))
    monkeypatch.setattr(cupy.cuda.runtime, "memGetInfo", lambda: (10, 9_000_000))
    with pytest.raises(InputError, match="take a smaller model"):
        trainer.step(np.zeros((1, 2, 12, 12), "f"), np.zeros(1, int))


@pytest.mark.parametrize("dtype", ["float32", "uint16"])
@pytest.mark.parametrize("config", [ODD, replace(A, depth=2), replace(ODD, global_pool="avg")])
def test_memory_is_foreseen(config, dtype, cupy):
    from tinyvit.kernels.cuda.memory import training_bytes

    taken = []
    for count in (32, 64):
        pool = cupy.cuda.MemoryPool()
        with cupy.cuda.using_allocator(pool.malloc):
            trainer = trainer_of(config, precision="fp32" if dtype == "float32" else "bf16")
            vectors = pool.used_bytes()
            trainer.step(*batch_of(config, count))
        passing = trainer._on_gpu._batches[count].on_given._pool
        taken.append(pool.used_bytes() - vectors + passing.total_bytes())
    once, each = training_bytes(config, dtype)
    assert 0.85 < each * 32 / (taken[1] - taken[0]) < 1.3
    assert 1 < (once + 64 * each) / taken[1] < 1.3


def batch_of(config, count):
    images, labels = raw_images(config, count)
    return normalize(images), labels


def test_what_a_card_cannot_do(monkeypatch):
    with pytest.raises(InputError, match="precision 'fp8' is not known: use fp32, tf32, bf16"):
        trainer_of(ODD, precision="fp8")
    for changes in ({"norm": "post"}, PAIRS["no class token"], PAIRS["distilled"]):
        with pytest.raises(InputError, match="bf16 is for pre-norm ViTs without dropouts, with a"):
            trainer_of(replace(ODD, **changes), precision="bf16")
    capability = "tinyvit.kernels.cuda.training.capability"
    monkeypatch.setattr(capability, lambda: (7, 5))
    with pytest.raises(InputError, match="needs compute capability 8.0, this card has 7.5"):
        trainer_of(ODD, precision="bf16")
    trainer_of(ODD, precision="tf32")


def test_an_old_card_takes_the_textbook(monkeypatch):
    new = trainer_of(ODD)
    monkeypatch.setattr("tinyvit.kernels.cuda.card.capability", lambda: (6, 1))
    with pytest.warns(OldCardWarning, match="this card is too old for the kernels"):
        old = trainer_of(ODD)
    assert new.takes_many_steps and not old.takes_many_steps and old.launches is None
    images, labels = batch_of(ODD, BATCH)
    for _ in range(2):
        got, expected = (one.step(images, labels) for one in (old, new))
        np.testing.assert_allclose(got, expected, rtol=1e-4)
    with pytest.raises(InputError, match="compute capability 7.5 or newer"):
        trainer_of(ODD, precision="tf32")


def test_training_on_an_old_card_says_so_in_a_line(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr("tinyvit.kernels.cuda.card.capability", lambda: (6, 1))
    draw_nothing(monkeypatch)
    words = ["train", *TINY, "--device", "gpu", "--epochs", "1", "--out", str(tmp_path / "run")]
    assert main(words) == 0
    out, error = capsys.readouterr()
    assert "gpu, by the textbook: this card is too old for the kernels" in out and not error
    assert (tmp_path / "run" / "summary.json").exists()


def test_a_cnn_takes_the_textbook():
    model = MODELS["cnn"]
    config = model.config_class.preset("digits")
    on_gpu, on_cpu = (
        Trainer(config, model.init_params(config), device=device, threads=1, **SETTINGS)
        for device in ("gpu", "cpu")
    )
    images, labels = batch_of(config, BATCH)
    for _ in range(2):
        got, expected = (one.step(images, labels) for one in (on_gpu, on_cpu))
        np.testing.assert_allclose(got, expected, rtol=1e-5)
    assert not on_gpu.takes_many_steps
    assert "no kernels for a cnn" in describe(config, "gpu", "fp32", None)


def test_the_command_line_looks_before_it_begins(monkeypatch, cupy, tmp_path, capsys):
    words = ["train", *TINY, "--device", "gpu", "--out", str(tmp_path / "run")]
    assert main([*words, "--norm", "post", "--precision", "tf32"]) == 2
    monkeypatch.setattr(cupy.cuda.runtime, "memGetInfo", lambda: (3_000_000, 9_000_000))
    gc.collect()  # what earlier tests left counts as free
    cupy.get_default_memory_pool().free_all_blocks()
    assert main([*words, "--batch-size", "900"]) == 2
    out, error = capsys.readouterr()
    assert "a training step of 900 images needs" in error and "--batch-size" in error
    assert not (tmp_path / "run").exists()
