"""The Trainer: one step is what it says, however the batch is cut, for every registered model."""

import numpy as np
import pytest
from tiny import first_params, small_config

from tinyvit.errors import InputError
from tinyvit.models import MODELS
from tinyvit.ops import cross_entropy_backward, cross_entropy_forward
from tinyvit.optim import adamw, clip, decay_vector, warmup_cosine
from tinyvit.params import flatten, unflatten
from tinyvit.predict import predict
from tinyvit.train import Trainer
from tinyvit.workers import Workers, split

every_model = pytest.mark.parametrize("name", MODELS)


def batch(count=7, seed=2, dtype="float64"):
    """Random images (B, 1, 8, 8) and labels (B,)."""
    rng = np.random.default_rng(seed)
    images = rng.standard_normal((count, 1, 8, 8)).astype(dtype)
    return images, rng.integers(0, 10, count)


def trainer_of(name, dtype="float64", config=None, **settings):
    config = config or small_config(name)
    settings = {"lr": 0.01, "threads": 1} | settings
    return Trainer(config, first_params(config, name, dtype), **settings)


def same_bits(a, b):
    return list(a) == list(b) and all(a[key].tobytes() == b[key].tobytes() for key in a)


def assert_close(a, b, atol=1e-9):
    assert list(a) == list(b)
    for key in a:
        np.testing.assert_allclose(a[key], b[key], rtol=0, atol=atol, err_msg=key)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        *((name, {}) for name in MODELS),
        ("vit", {"class_token": False, "global_pool": "avg"}),
        ("vit", {"distilled": True}),
    ],
)
def test_a_step_is_forward_backward_clip_and_adamw(name, changes):
    config, model = small_config(name, **changes), MODELS[name]
    params = first_params(config, name)
    shapes = {key: value.shape for key, value in params.items()}
    trainer = Trainer(
        *(config, params),
        **{"lr": 0.01, "weight_decay": 0.2, "warmup_steps": 2, "total_steps": 9, "threads": 1},
        **{"clip_norm": 0.7, "label_smoothing": 0.1},
    )
    flat, views = flatten(params)
    m, v = np.zeros_like(flat), np.zeros_like(flat)
    for step in range(4):
        images, labels = batch(seed=step)
        logits, cache = model.forward(images, views, config)
        expected_loss, loss_cache = cross_entropy_forward(logits, labels, 0.1)
        _, grads = model.backward(cross_entropy_backward(1.0, loss_cache), cache)
        grads, norm = clip(flatten(grads)[0], 0.7)
        assert norm > 0.7  # it was clipped indeed
        lr = warmup_cosine(step, peak=0.01, warmup_steps=2, total_steps=9)
        assert trainer.learning_rate() == lr
        flat, m, v = adamw(
            *(flat, grads, m, v), step=step + 1, lr=lr, decay=decay_vector(views, 0.2)
        )
        views = unflatten(flat, shapes)

        loss, correct = trainer.step(images, labels)
        assert type(loss) is float and type(correct) is int
        np.testing.assert_allclose(loss, expected_loss, rtol=1e-12)
        assert correct == (logits.argmax(axis=-1) == labels).sum()
        assert_close(trainer.params, views)
    assert trainer.step_count == 4


def test_learning_rate_without_an_end_only_warms_up():
    trainer = trainer_of("cnn", warmup_steps=3)
    rates = []
    for _ in range(5):
        rates.append(trainer.learning_rate())
        trainer.step(*batch())
    np.testing.assert_allclose(rates, [0.01 / 3, 0.02 / 3, 0.01, 0.01, 0.01])


@every_model
@pytest.mark.parametrize("count", [1, 2, 7])  # fewer images than threads, too
def test_threads_and_micro_batches_do_not_change_the_answer(name, count):
    images, labels = batch(count)
    results = []
    for threads in (1, 2, 3):
        for micro_batch in (None, 1, 2, 5):
            trainer = trainer_of(name, threads=threads, micro_batch=micro_batch)
            losses = [trainer.step(images, labels) for _ in range(2)]
            results.append((losses, trainer.params))
    for losses, params in results[1:]:
        np.testing.assert_allclose(losses, results[0][0], rtol=1e-9)
        assert_close(params, results[0][1])


@every_model
@pytest.mark.parametrize("threads", [1, 2])
def test_same_seed_and_threads_same_bits(name, threads):
    config = small_config(name, **({"drop_rate": 0.2} if name == "vit" else {}))
    results = []
    for _ in range(3):
        trainer = trainer_of(name, "float32", config, threads=threads, micro_batch=2, seed=3)
        losses = [trainer.step(*batch(seed=i, dtype="float32")) for i in range(3)]
        results.append((losses, trainer.params))
    for losses, params in results[1:]:
        assert losses == results[0][0]
        assert same_bits(params, results[0][1])


@every_model
def test_float32_stays_float32_and_what_is_given_stays(name):
    config = small_config(name)
    params = first_params(config, name, "float32")
    images, labels = batch(dtype="float32")
    given = {**params, "images": images, "labels": labels}
    before = {key: value.copy() for key, value in given.items()}
    trainer = Trainer(config, params, threads=2, ema_decay=0.9, total_steps=9, warmup_steps=2)
    for _ in range(2):
        trainer.step(images, labels)
    assert same_bits(given, before)
    assert {value.dtype for value in trainer.params.values()} == {np.dtype("float32")}
    assert {value.dtype for value in trainer.state().values()} == {np.dtype("float32")}
    assert trainer.predict(images).dtype == np.float32


@every_model
def test_a_small_problem_is_learnt(name):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 60)
    images = 0.3 * rng.standard_normal((60, 1, 8, 8)).astype(np.float32)
    for label in range(3):  # a bright bar high, in the middle, or low
        images[labels == label, :, 3 * label : 3 * label + 2] += 1
    config = small_config(name)
    trainer = Trainer(config, MODELS[name].init_params(config, 0), lr=0.02, threads=2)
    losses = [trainer.step(images, labels)[0] for _ in range(60)]
    assert losses[-1] < 0.1 < 1 < losses[0]
    assert (trainer.predict(images).argmax(axis=-1) == labels).all()


def test_dropout_depends_on_seed_and_step_and_is_off_in_predict():
    config = small_config("vit", drop_rate=0.3, attn_drop_rate=0.2, drop_path_rate=0.2)
    images, labels = batch()

    def losses(seed, threads=1):  # the parameters stay where they are
        trainer = trainer_of("vit", config=config, lr=0.0, seed=seed, threads=threads)
        return [trainer.step(images, labels)[0] for _ in range(3)]

    assert losses(0) == losses(0)
    assert losses(0, threads=2) == losses(0, threads=2)
    assert len({*losses(0), *losses(1)}) == 6
    trainer = trainer_of("vit", config=config)
    expected, _ = MODELS["vit"].forward(images, trainer.params, config)
    np.testing.assert_allclose(trainer.predict(images), expected, rtol=1e-9)


def test_the_parts_of_a_batch_draw_dropouts_of_their_own():
    config = small_config("vit", drop_rate=0.5)
    image, label = batch(1)
    images, labels = image.repeat(2, axis=0), label.repeat(2)
    trainer = trainer_of("vit", config=config, threads=2, lr=0.0)
    both = trainer.step(images, labels)[0]
    one = trainer_of("vit", config=config, threads=1, lr=0.0).step(image, label)[0]
    assert abs(both - one) > 1e-6  # else both halves had dropped the same


@every_model
@pytest.mark.parametrize("count", [1, 2, 5, 259])
def test_predict_is_the_forward_pass(name, count):
    trainer = trainer_of(name, threads=2)
    images, _ = batch(count)
    expected, _ = MODELS[name].forward(images, trainer.params, small_config(name))
    logits = trainer.predict(images)
    assert isinstance(logits, np.ndarray) and logits.shape == (count, 10)
    np.testing.assert_allclose(logits, expected, rtol=1e-9, atol=1e-12)
    alone = predict(images, trainer.params, small_config(name))
    np.testing.assert_allclose(alone, logits, rtol=1e-9, atol=1e-12)


@every_model
def test_params_are_copies(name):
    trainer = trainer_of(name, ema_decay=0.9)
    for get in (lambda: trainer.params, lambda: trainer.best_params, trainer.state):
        taken = get()
        before = {key: value.copy() for key, value in taken.items()}
        trainer.step(*batch())
        assert same_bits(taken, before)
        if get is not trainer.state:
            for value in taken.values():
                value[...] = np.nan
            assert all(np.isfinite(value).all() for value in get().values())


@every_model
@pytest.mark.parametrize("ema_decay", [0.0, 0.99])
def test_a_restored_trainer_goes_on_with_the_same_bits(name, ema_decay):
    drop = {"drop_rate": 0.2} if name == "vit" else {}
    settings = {"ema_decay": ema_decay, "total_steps": 8, "warmup_steps": 2, "threads": 2}
    settings["config"] = small_config(name, **drop)

    def go_on(trainer):
        losses = [trainer.step(*batch(seed=i, dtype="float32"))[0] for i in range(3, 6)]
        return losses, trainer.params, trainer.best_params

    first = trainer_of(name, "float32", **settings)
    for i in range(3):
        first.step(*batch(seed=i, dtype="float32"))
    state, count = first.state(), first.step_count
    assert ("average" in state) == bool(ema_decay)
    losses, params, best = go_on(first)
    second = trainer_of(name, "float32", **settings)
    second.step(*batch(seed=9, dtype="float32"))
    for _ in range(2):  # twice: going on leaves the state alone
        second.restore(state, count)
        again = go_on(second)
        assert again[0] == losses
        assert same_bits(again[1], params) and same_bits(again[2], best)


def test_a_state_of_something_else_is_refused():
    trainer = trainer_of("vit", ema_decay=0.9)
    before = trainer.params
    good = trainer.state()
    for state, what in [
        (trainer_of("cnn", ema_decay=0.9).state(), "params"),
        (trainer_of("vit").state(), "average"),
        ({**good, "m": good["m"][:5]}, r"m is \(5,\)"),
        ({}, "params is missing"),
    ]:
        with pytest.raises(InputError, match=what):
            trainer.restore(state, 3)
    assert same_bits(trainer.params, before) and trainer.step_count == 0


@every_model
def test_the_running_average_is_what_is_evaluated(name):
    trainer = trainer_of(name, ema_decay=0.15)
    average = trainer.params
    for step in range(1, 5):
        trainer.step(*batch(seed=step))
        d = min(0.15, (1 + step) / (10 + step))
        average = {k: d * average[k] + (1 - d) * value for k, value in trainer.params.items()}
    assert_close(trainer.best_params, average, 1e-14)
    images, _ = batch(3)
    expected, _ = MODELS[name].forward(images, average, small_config(name))
    np.testing.assert_allclose(trainer.predict(images), expected, rtol=1e-9)
    plain = trainer_of(name)
    plain.step(*batch())
    assert same_bits(plain.best_params, plain.params)


def test_an_unknown_device_is_refused():
    with pytest.raises(InputError, match="tpu"):
        trainer_of("vit", device="tpu")


def test_a_huge_learning_rate_warns_nowhere():  # warnings are errors here
    trainer = trainer_of("vit", "float32", lr=1e38, weight_decay=10.0, ema_decay=0.9, threads=2)
    losses = [trainer.step(*batch(dtype="float32"))[0] for _ in range(3)]
    assert not np.isfinite(losses[-1])
    trainer.predict(batch(3, dtype="float32")[0])


def test_split_cuts_evenly_and_leaves_nothing_out():
    for start, stop, parts in [(0, 7, 3), (4, 6, 5), (0, 12, 4), (3, 4, 1), (0, 0, 2)]:
        slices = split(start, stop, parts)
        assert [i for s in slices for i in range(s.start, s.stop)] == list(range(start, stop))
        sizes = [s.stop - s.start for s in slices]
        assert len(slices) == min(parts, stop - start)
        assert not sizes or (max(sizes) - min(sizes) <= 1 and min(sizes) >= 1)
        assert sizes == sorted(sizes, reverse=True)


@pytest.mark.parametrize("threads", [1, 2])
def test_workers_keep_the_order_and_pass_errors_on(threads):
    workers = Workers(threads)
    assert workers.map(lambda n: n * n, range(9)) == [n * n for n in range(9)]
    with pytest.raises(ZeroDivisionError):
        workers.map(lambda n: 1 // n, [1, 0])
