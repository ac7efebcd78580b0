"""A training that is stopped, at any moment and in any way, ends as if it had not been."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from tiny import NO_PICTURES, TINY, draw_nothing, rows, start, tensors, tree

from tinyvit import fit
from tinyvit.augment import Augmentation
from tinyvit.batches import Batches
from tinyvit.checkpoint import load_checkpoint
from tinyvit.cli import main
from tinyvit.data import load_dataset
from tinyvit.display import Display

# All that draws random numbers is on, and all that is carried from step to step.
SHAPE = "--patch-size 4 --embed-dim 8 --num-heads 2 --depth 2 --epochs 8 --threads 2"
RANDOM = "--drop-rate 0.1 --drop-path-rate 0.1 --ema-decay 0.95 --rotate 5 --seed 7"
OPTIONS = [*SHAPE.split(), *RANDOM.split()]
# Saving often makes a kill fall between any two saves, and often into one; no pictures: faster.
OFTEN = f"""{NO_PICTURES}
import tinyvit.fit
tinyvit.fit.SAVE_EVERY = 0.02
"""
# Time to send a signal, on a busy machine too; saves after 5 s, or when the signal comes.
SLOWLY = """
import time, tinyvit.train
step = tinyvit.train.Trainer.step
tinyvit.train.Trainer.step = lambda *args: time.sleep(0.01) or step(*args)
"""
RUN_FILES = ["checkpoint.safetensors", "config.json", "metrics.jsonl", "summary.json"]
PICTURES = {"curves.png", "confusion.png", "hardest.png", "attention.png"}

posix = pytest.mark.skipif(sys.platform == "win32", reason="signals are sent as on Unix")


def train(*words, cwd, code=OFTEN):
    """Run `tinyvit train` to its end; return its seconds."""
    began = time.perf_counter()
    process = start("train", *words, cwd=cwd, code=code)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0 and not err, (out, err)
    return time.perf_counter() - began


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """The folder of a training that nothing disturbed, and how long it took."""
    folder = tmp_path_factory.mktemp("whole")
    seconds = train(*OPTIONS, "--out", "run", cwd=folder)
    assert tree(folder / "run") == RUN_FILES
    return folder / "run", seconds


@pytest.fixture
def no_pictures(monkeypatch):
    draw_nothing(monkeypatch)


def assert_identical(run, expected):
    """Check that two runs agree: the weights bit for bit, all that was measured, the files."""
    path = "checkpoint.safetensors"
    assert tensors(run / path) == tensors(expected / path)
    assert rows(run) == rows(expected)
    summaries = [json.loads((folder / "summary.json").read_text()) for folder in (run, expected)]
    for summary in summaries:
        assert summary.pop("seconds") > 0
    assert summaries[0] == summaries[1]
    assert set(tree(run)) - PICTURES == set(RUN_FILES)  # no half-written file is left


def until(condition, process):
    """Wait until something is so."""
    while not condition():
        assert process.poll() is None, process.communicate()
        time.sleep(0.002)


def wait_for_rows(run, count, process):
    metrics = run / "metrics.jsonl"
    until(lambda: metrics.exists() and metrics.read_text().count("\n") >= count, process)


@posix
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_polite_stop_saves_and_says_how_to_go_on(tmp_path, uninterrupted, number):
    run = tmp_path / "run"
    process = start("train", *OPTIONS, "--out", "run", cwd=tmp_path, code=SLOWLY)
    wait_for_rows(run, 1, process)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130 and "Traceback" not in err
    command = re.search(r"go on with: tinyvit (train --resume run)$", out, re.MULTILINE)
    assert command, (out, err)
    assert tree(run) == [
        *("checkpoint.safetensors", "config.json", "metrics.jsonl", "resume.safetensors")
    ]
    load_checkpoint(run / "checkpoint.safetensors")
    assert 1 <= len(rows(run)) < 8
    train(*command[1].split()[1:], cwd=tmp_path)
    assert_identical(run, uninterrupted[0])


def kill_and_go_on(folder, expected, process, wait):
    """Kill a training after `wait()`, go on with it to its end, compare."""
    wait()
    process.kill()
    process.communicate(timeout=60)
    run = folder / "run"
    state = f"killed with {len(tree(run)) if run.exists() else 0} files in its folder"
    if (run / "checkpoint.safetensors").exists():  # whole, whenever the kill came
        load_checkpoint(run / "checkpoint.safetensors")
    train("--resume", *OPTIONS, "--out", "run", cwd=folder)
    assert_identical(run, expected)
    return state


@posix
@pytest.mark.parametrize("rows_before", [0, 2])
def test_a_killed_training_goes_on_to_the_same_bits(tmp_path, uninterrupted, rows_before):
    process = start("train", *OPTIONS, "--out", "run", cwd=tmp_path, code=OFTEN + SLOWLY)
    resume = tmp_path / "run" / "resume.safetensors"

    def wait():
        wait_for_rows(tmp_path / "run", rows_before, process) if rows_before else None
        until(resume.exists, process)
        time.sleep(0.03)  # somewhere within an epoch

    kill_and_go_on(tmp_path, uninterrupted[0], process, wait)


@posix
@pytest.mark.slow
def test_twenty_kills_at_any_moment(tmp_path, uninterrupted):
    expected, seconds = uninterrupted
    seed = random.randrange(10**6)
    moments = random.Random(seed)
    identical, failures = 0, []
    for i in range(20):
        folder = tmp_path / str(i)
        folder.mkdir()
        process = start("train", *OPTIONS, "--out", "run", cwd=folder, code=OFTEN)
        moment = moments.uniform(0, 1.05 * seconds)  # before the first file to after the last
        try:
            state = kill_and_go_on(folder, expected, process, lambda: time.sleep(moment))  # noqa: B023
            identical += 1
        except AssertionError as error:
            state = f"differs: {error}"
            failures.append(i)
        print(f"{i}: after {moment:.2f} s {state}")
    print(f"{identical} of 20 identical (seed {seed})")
    assert identical == 20, (failures, seed)


@pytest.mark.parametrize("after", ["config.json", "checkpoint", "resume", "summary.json"])
def test_a_stop_between_any_two_files_loses_nothing(
    tmp_path, uninterrupted, after, monkeypatch, no_pictures
):
    """Cut off exactly where a kill could fall: after the last writing of each file."""
    monkeypatch.chdir(tmp_path)
    command = ["train", *OPTIONS, "--out", "run"]
    replaced = os.replace

    class Killed(BaseException):
        pass

    def replace(source, target):
        replaced(source, target)
        name = os.path.basename(target)
        stem = name.partition(".")[0]
        last = (tmp_path / "run" / "metrics.jsonl").exists() and len(rows("run")) == 8
        if name == after or (stem == after and last):
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", replace)
        with pytest.raises(Killed):
            main(command)
    assert main(["train", "--resume", "run"]) == 0
    assert_identical(tmp_path / "run", uninterrupted[0])


def test_rows_after_the_last_save_are_measured_again(
    tmp_path, uninterrupted, monkeypatch, no_pictures
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(fit, "SAVE_EVERY", 1e9)
    epoch = Display.epoch

    def stop_at_five(self, row):
        epoch(self, row)
        if row["epoch"] == 5:
            raise RuntimeError("the power is off")

    with monkeypatch.context() as patch:
        patch.setattr(Display, "epoch", stop_at_five)
        with pytest.raises(RuntimeError):
            main(["train", *OPTIONS, "--out", "run"])
    assert len(rows("run")) == 5
    assert main(["train", "--resume", "run"]) == 0
    assert_identical(tmp_path / "run", uninterrupted[0])


def test_each_step_gets_its_batch_and_each_epoch_its_own_mean(tmp_path, monkeypatch, no_pictures):
    monkeypatch.chdir(tmp_path)
    seen = []

    def step(trainer, images, labels):
        seen.append((images, labels))
        trainer.step_count += 1
        return float(trainer.step_count), 16

    monkeypatch.setattr(fit.Trainer, "step", step)
    command = "--epochs 3 --batch-size 64 --validation 0.1 --shift 1 --seed 5 --out run"
    assert main(["train", *TINY, *command.split()]) == 0
    data = load_dataset("digits")
    count = len(data.train_images) - round(0.1 * len(data.train_images))
    images, labels = data.train_images[:count], data.train_labels[:count]
    batches = Batches(images, labels, 64, Augmentation(shift=1.0), 5)
    per_epoch = count // 64
    assert len(seen) == 3 * per_epoch
    for i, (images, labels) in enumerate(seen):
        np.testing.assert_array_equal(images, batches[i][0])
        np.testing.assert_array_equal(labels, batches[i][1])
    for epoch, row in enumerate(rows("run")):
        np.testing.assert_allclose(row["train_loss"], per_epoch * epoch + (per_epoch + 1) / 2)
        assert row["train_accuracy"] == 0.25


@posix
def test_a_second_ctrl_c_stops_at_once(tmp_path):
    hang = "import tinyvit.train as t, time; t.Trainer.step = lambda *a: time.sleep(600)"
    process = start("train", *TINY, "--out", "run", cwd=tmp_path, code=hang)
    until((tmp_path / "run" / "resume.safetensors").exists, process)
    time.sleep(0.3)
    for _ in range(2):
        process.send_signal(signal.SIGINT)
        time.sleep(0.3)
    try:
        _, err = process.communicate(timeout=30)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    assert process.returncode == 130 and err.splitlines() == ["tinyvit: stopped"]


@pytest.mark.parametrize("model", ["vit", "cnn"])
@pytest.mark.parametrize("lr", ["1e20", "1e30", "1e300"])
@pytest.mark.parametrize("batch_size", ["64", "2000"])  # 22 steps an epoch, or one
def test_divergence_is_one_line_and_leaves_a_good_checkpoint(
    tmp_path, monkeypatch, capsys, model, lr, batch_size
):
    monkeypatch.chdir(tmp_path)
    command = f"train --model {model} --lr {lr} --batch-size {batch_size} --epochs 20 --out run"
    shape = TINY if model == "vit" else ["--threads", "2"]
    status = main([*command.split(), *shape])  # a warning would be an error here
    out, err = capsys.readouterr()
    assert status == 1 and len(err.splitlines()) == 1 and "Traceback" not in out
    checkpoint = tmp_path / "run" / "checkpoint.safetensors"
    for word in (r"at step \d+ ", r"learning rate \d.*e\+\d", "checkpoint.safetensors", "--lr"):
        assert re.search(word, err), err
    params, _ = load_checkpoint(checkpoint)
    assert all(np.isfinite(value).all() for value in params.values())
    text = (tmp_path / "run" / "metrics.jsonl").read_text() if len(tree("run")) > 3 else ""
    assert "NaN" not in text and "Infinity" not in text


def test_divergence_as_a_process_of_its_own_warns_nowhere(tmp_path):
    process = start("train", *TINY, "--lr", "1e30", "--out", "run", cwd=tmp_path)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 1 and len(err.splitlines()) == 1, err
