"""A whole training: epochs of steps, measured, saved as it goes, and able to go on after a stop."""

import math
import signal
import threading
import time
import warnings
from contextlib import contextmanager

import numpy as np

from . import __version__
from .batches import Batches
from .evaluate import evaluate
from .models import get_model
from .params import count_params
from .train import OldCardWarning, Trainer

SAVE_EVERY = 5.0  # seconds


class Interrupted(Exception):
    """The user stopped the training; it was saved and can go on."""


class Diverged(Exception):
    """The loss became NaN or infinite; the text says where, and which checkpoint is still good."""


def fit(run, settings, dataset, display):
    """Train a model as the settings say, or go on with a training that was stopped.

    run : `RunFolder` that holds these settings; where it holds a resume.safetensors, the training
        goes on from there and ends with the same bits as one that was never stopped
    settings : `Settings`
    dataset : `Dataset`
    display : told of what happens: `display.step(...)`, `display.epoch(row)`

    Returns
        trainer : the `Trainer` at the end
        evaluation : of the test images
        rows : what was measured, a dict an epoch
        seconds : time spent training, measuring after each epoch included
    Raises Interrupted after Ctrl-C or a polite kill, Diverged when the loss is no longer a number.
    """
    dataset.require_fit(settings.config)
    recipe = settings.recipe
    held_out = round(settings.validation * len(dataset.train_images))
    count = len(dataset.train_images) - held_out
    batches = Batches(
        dataset.train_images[:count],
        dataset.train_labels[:count],
        recipe.batch_size,
        recipe.augmentation,
        settings.seed,
    )
    per_epoch = batches.steps_per_epoch
    total = recipe.epochs * per_epoch
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OldCardWarning)  # the command line has said it already
        trainer = _trainer(settings, per_epoch, total)
    if held_out:
        measured = "validation", dataset.train_images[count:], dataset.train_labels[count:]
    else:
        measured = "test", dataset.test_images, dataset.test_labels

    progress = {"step": 0, "seconds": 0.0, "rows": [], "tally": _empty_tally()}
    if run.resume.exists():
        progress = run.load(trainer)
        run.write_metrics(progress["rows"])
    else:
        run.save(trainer, progress)
    started = time.perf_counter() - progress["seconds"]
    saved_at = time.perf_counter()

    with _stop_requests() as stop_requested:
        for loss, correct, images in _advance(trainer, batches, progress["step"], total):
            lr = trainer.learning_rate(trainer.step_count - 1)
            if not math.isfinite(loss):
                raise Diverged(_diverged(f"loss became {loss}", trainer, lr, run, recipe))
            tally = progress["tally"]
            tally["loss"] += loss * images
            tally["correct"] += correct
            tally["images"] += images
            progress["step"] = trainer.step_count
            progress["seconds"] = time.perf_counter() - started
            display.step(trainer.step_count, total, tally, images)

            if trainer.step_count % per_epoch == 0:
                row = _measure(trainer, measured, progress, trainer.step_count // per_epoch, lr)
                row["seconds"] = time.perf_counter() - started
                measured_loss = row[f"{measured[0]}_loss"]
                if not math.isfinite(measured_loss):
                    what = f"{measured[0]} loss became {measured_loss}"
                    raise Diverged(_diverged(what, trainer, lr, run, recipe))
                progress["rows"].append(row)
                progress["tally"] = _empty_tally()
                run.append_metrics(row)
                display.epoch(row)
            stop = stop_requested()
            if stop or time.perf_counter() - saved_at > SAVE_EVERY or trainer.step_count == total:
                if not np.isfinite(trainer.state()["params"]).all():
                    raise Diverged(_diverged("weights are not finite", trainer, lr, run, recipe))
                run.save(trainer, progress)
                saved_at = time.perf_counter()
            if stop and trainer.step_count < total:
                raise Interrupted
    evaluation = evaluate(dataset.test_images, dataset.test_labels, trainer.predict)
    return trainer, evaluation, progress["rows"], progress["seconds"]


def summarize(settings, evaluation, seconds):
    """What summary.json says of a finished training: a dict of numbers and words."""
    shapes = get_model(settings.model).param_shapes(settings.config)
    return {
        "dataset": settings.dataset,
        "model": settings.model,
        "parameters": count_params(shapes),
        "epochs": settings.recipe.epochs,
        "seconds": round(seconds, 2),
        "test_accuracy": evaluation.accuracy,
        "test_errors": evaluation.errors,
        "test_loss": evaluation.loss,
        "seed": settings.seed,
        "device": settings.device,
        "threads": settings.threads,
        "precision": settings.precision,
        "tinyvit": __version__,
    }


def _advance(trainer, batches, start, stop):
    """Train: step by step, or, where the images lie on a card, up to the end of each epoch.

    Yields loss, correct, images: of what was trained on since the last time.
    """
    if not trainer.takes_many_steps:
        for images, labels in batches.ahead(start, stop):
            yield *trainer.step(images, labels), len(labels)
        return
    trainer.put(batches.images, batches.labels, batches.augmentation)
    while trainer.step_count < stop:
        order = batches.rest_of_epoch(trainer.step_count)
        yield *trainer.steps(order), order.size


def _trainer(settings, per_epoch, total):
    recipe, model = settings.recipe, get_model(settings.model)
    return Trainer(
        settings.config,
        model.init_params(settings.config, settings.seed),
        device=settings.device,
        threads=settings.threads,
        lr=recipe.lr,
        weight_decay=recipe.weight_decay,
        warmup_steps=round(recipe.warmup_epochs * per_epoch),
        total_steps=total,
        clip_norm=recipe.clip_norm,
        label_smoothing=recipe.label_smoothing,
        ema_decay=recipe.ema_decay,
        seed=settings.seed,
        precision=settings.precision,
    )


def _measure(trainer, measured, progress, epoch, lr):
    name, images, labels = measured
    evaluation, tally = evaluate(images, labels, trainer.predict), progress["tally"]
    return {
        "epoch": epoch,
        "train_loss": tally["loss"] / tally["images"],
        "train_accuracy": tally["correct"] / tally["images"],
        f"{name}_loss": evaluation.loss,
        f"{name}_accuracy": evaluation.accuracy,
        "learning_rate": lr,
    }


def _diverged(what, trainer, lr, run, recipe):
    return (
        f"the {what} at step {trainer.step_count} (learning rate {lr:.3g}); the last good "
        f"checkpoint is kept: {run.checkpoint}; begin again with another --out and a lower rate: "
        f"--lr {recipe.lr / 3:.2g}"
    )


def _empty_tally():
    return {"loss": 0.0, "correct": 0, "images": 0}


@contextmanager
def _stop_requests():
    """Turn Ctrl-C and a polite kill into a question that is asked between two steps.

    A second Ctrl-C stops at once, as it does elsewhere.
    """
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked.is_set
        return

    def ask(number, frame):
        asked.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
