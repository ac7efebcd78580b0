"""The command line as a user meets it: what it leaves and prints, and what mistakes get."""

import gzip
import json
import os
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image, ImageDraw
from tiny import (
    NO_PICTURES,
    REPO,
    TINY,
    draw_nothing,
    first_params,
    line,
    rows,
    small_config,
    start,
    tensors,
    tree,
)

from tinyvit import __version__, cli, load_checkpoint, save_checkpoint
from tinyvit.cli import COMMANDS, main
from tinyvit.data.idx import idx_bytes
from tinyvit.models import MODELS
from tinyvit.workers import Workers, granted_cores

EPOCHS = 2
NAMES = [command.__name__.rpartition(".")[2] for command in COMMANDS]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with `run`, a short training on digits, and what the training printed."""
    folder = tmp_path_factory.mktemp("trained")
    command = ["train", *TINY, "--epochs", str(EPOCHS), "--out", "run"]
    process = start(*command, cwd=folder)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0 and err == ""
    return folder / "run", out


@pytest.fixture
def run(trained, tmp_path, monkeypatch):
    """A copy of that run, to do as one likes with; its parent is the current folder."""
    shutil.copytree(trained[0], tmp_path / "run")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "run"


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def no_pictures(monkeypatch):
    draw_nothing(monkeypatch)


def words_of(command):
    return command.split() if isinstance(command, str) else [str(word) for word in command]


def call(command, capsys):
    """Run a command in this process; return its status, output and error output."""
    return main(words_of(command)), *capsys.readouterr()


def good(command, capsys):
    status, out, err = call(command, capsys)
    assert status == 0 and err == "", err
    return out


def bad(command, capsys, *expected):
    """Check for one line on stderr, exit status 2, and that nothing was written."""
    before = tree(".")
    status, out, err = call(command, capsys)
    assert status == 2, (status, err)
    assert len(err.splitlines()) == 1 and err.startswith("tinyvit"), err
    assert "Traceback" not in out + err
    for text in expected:
        assert text in err, err
    assert tree(".") == before


def draw(path, points=((45, 15), (45, 75))):
    picture = Image.new("L", (90, 90), 255)
    ImageDraw.Draw(picture).line(points, fill=0, width=10)
    picture.save(path)


def save_idx(folder, **changes):
    """Write a small data set; changes replace a file's bytes."""
    rng = np.random.default_rng(0)
    folder.mkdir()
    for part, count in (("train", 30), ("t10k", 7)):
        images = rng.integers(0, 256, (count, 8, 8), dtype=np.uint8)
        labels = (np.arange(count) % 10).astype(np.uint8)
        for name, array in ((f"{part}-images-idx3", images), (f"{part}-labels-idx1", labels)):
            key = name[:-5].replace("-", "_")
            content = gzip.compress(idx_bytes(array))
            (folder / f"{name}-ubyte.gz").write_bytes(changes.get(key, content))
    return folder


# ---- training


def test_training_leaves_its_files(trained):
    run, _ = trained
    assert tree(run) == [
        *("attention.png", "checkpoint.safetensors", "config.json", "confusion.png"),
        *("curves.png", "hardest.png", "metrics.jsonl", "summary.json"),
    ]
    summary = json.loads((run / "summary.json").read_text())
    assert summary.keys() >= {
        *("dataset", "model", "parameters", "epochs"),
        *("seconds", "test_accuracy", "seed", "device"),
    }
    assert (summary["dataset"], summary["model"], summary["epochs"]) == ("digits", "vit", EPOCHS)
    assert (summary["seed"], summary["device"], summary["threads"]) == (0, "cpu", 1)
    assert 0 < summary["test_accuracy"] < 1 and summary["seconds"] > 0
    params, config = load_checkpoint(run / "checkpoint.safetensors")
    assert sum(value.size for value in params.values()) == summary["parameters"]
    measured = rows(run)
    assert [row["epoch"] for row in measured] == list(range(1, EPOCHS + 1))
    assert measured[-1]["test_accuracy"] == summary["test_accuracy"]
    settings = json.loads((run / "config.json").read_text())
    assert settings["config"] == vars(config) and settings["recipe"]["epochs"] == EPOCHS
    for name in ("attention", "confusion", "curves", "hardest"):
        with Image.open(run / f"{name}.png") as image:
            assert min(image.size) > 200


def test_elsewhere_than_in_a_terminal_there_are_plain_lines(trained):
    _, out = trained
    assert "\x1b" not in out and "\r" not in out
    lines = out.splitlines()
    assert lines[0].startswith("vit with 890 parameters; digits: 1438 images of 8x8")
    assert re.fullmatch(r"cpu, 1 threads, seed 0; into run", lines[1])
    last = r"epoch 2/2  train loss \d\.\d{4}, accuracy .*%  test accuracy .*%  \d+ s"
    assert re.fullmatch(last, lines[-3]), lines
    assert re.fullmatch(r"test accuracy .*% \(\d+ of 359 wrong\) after .* s of training", lines[-2])
    assert lines[-1] == "in run: curves.png, confusion.png, hardest.png, attention.png"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pty")
def test_in_a_terminal_there_is_a_bar(tmp_path):
    import pty

    ours, theirs = pty.openpty()
    environment = os.environ | {"PYTHONPATH": str(REPO), "TERM": "xterm", "COLUMNS": "120"}
    command = line("train", *TINY, "--epochs", 3, "--out", "run", code=NO_PICTURES)
    process = subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    shown = b""
    try:
        while chunk := os.read(ours, 65536):
            shown += chunk
    except OSError:  # the other side is closed
        pass
    os.close(ours)
    assert process.wait(60) == 0
    for text in (b"\x1b[", b"img/s", b"loss ", b"epoch 3/3", b"test accuracy"):
        assert text in shown, shown[-2000:]


def test_the_same_command_leaves_the_same_bits(run, trained, no_pictures, capsys):
    good(["train", *TINY, "--epochs", EPOCHS, "--out", "again"], capsys)
    path = "checkpoint.safetensors"
    assert tensors(run / path) == tensors(run.parent / "again" / path)
    good(["train", *TINY, "--epochs", EPOCHS, "--seed", 1, "--out", "other"], capsys)
    assert tensors(run / path) != tensors(run.parent / "other" / path)


def test_options_reach_the_settings(here, no_pictures, capsys):
    command = (
        "train --model cnn --channels 2 --epochs 1 --lr 0.02 --batch-size 99 --shift 2 --seed 4 "
        "--threads 2 --validation 0.25 --ema-decay 0.5"
    )
    out = good(command, capsys)
    folder = os.path.join("runs", "digits-cnn")
    assert f"into {folder}" in out and "validation accuracy" in out
    settings = json.loads((here / folder / "config.json").read_text())
    recipe = settings["recipe"]
    assert (recipe["lr"], recipe["batch_size"], recipe["ema_decay"]) == (0.02, 99, 0.5)
    assert recipe["augmentation"]["shift"] == 2 and settings["config"]["channels"] == 2
    assert (settings["seed"], settings["threads"], settings["validation"]) == (4, 2, 0.25)
    assert "validation_accuracy" in rows(here / folder)[0]
    assert "test_accuracy" not in rows(here / folder)[0]
    good("train --model cnn --epochs 1", capsys)
    assert (here / "runs" / "digits-cnn-2" / "summary.json").exists()


def test_a_folder_of_idx_files_is_a_data_set(here, no_pictures, capsys):
    save_idx(here / "mine")
    good(["train", *TINY, "--epochs", 1, "--dataset", "mine"], capsys)
    assert (here / "runs" / "mine-vit" / "summary.json").exists()
    assert "of 7 wrong" in good("eval runs/mine-vit", capsys)


def test_a_finished_run_has_nothing_to_resume(run, capsys):
    (run / "resume.safetensors").write_text("left behind by a kill at the last moment")
    before = (run / "summary.json").read_bytes()
    assert "finished" in good("train --resume run", capsys)
    assert (run / "summary.json").read_bytes() == before
    assert not (run / "resume.safetensors").exists()


def test_resume_without_a_name_takes_the_newest(here, run, capsys):
    (here / "runs").mkdir()
    run.rename(here / "runs" / "mine")
    assert os.path.join("runs", "mine") in good("train --resume", capsys)


# ---- eval, predict, summary, gradcheck


def test_eval_prints_the_accuracy_of_the_summary(run, capsys):
    summary = json.loads((run / "summary.json").read_text())
    out = good("eval run", capsys)
    assert f"digits: test accuracy {summary['test_accuracy']:.2%}" in out
    assert f"({summary['test_errors']} of 359 wrong), loss {summary['test_loss']:.4f} nats" in out
    per_class = re.findall(r"│ (\d) +│ +(\d+) +│ +([\d.]+)%", out)
    assert [int(label) for label, *_ in per_class] == list(range(10))
    counts = np.array([int(count) for _, count, _ in per_class])
    rights = np.array([float(right) for *_, right in per_class]) / 100
    assert counts.sum() == 359
    assert round((counts * rights).sum()) == 359 - summary["test_errors"]
    assert good("eval run --dataset digits", capsys) == out


def test_predict_shows_each_picture(run, capsys):
    draw("one.png")
    draw("seven.png", ((20, 15), (65, 15), (35, 75)))
    strange = "[b] :smile: " + "long" * 20 + ".png"
    shutil.copy("one.png", strange)
    words = ["predict", "run", "one.png", "seven.png", strange, "--save", "seen.png"]
    out = good(words, capsys)
    assert re.search(r"│ one\.png +│ \d \(\d+\.\d%\) +│ \d \(.*%\), \d \(.*%\)", out)
    squeezed = "".join(re.findall(r"^│ (.*?) *│", out, re.MULTILINE))
    assert strange.replace(" ", "") in squeezed.replace(" ", "")  # whole, if over several lines
    with Image.open("seen.png") as image:
        assert min(image.size) > 100


def test_predict_says_what_the_model_says(run, capsys):
    from tinyvit.picture import read_picture
    from tinyvit.vit import vit_forward

    draw("one.png")
    params, config = load_checkpoint(run / "checkpoint.safetensors")
    fraction = json.loads((run / "config.json").read_text())["ink_fraction"]
    logits, _ = vit_forward(read_picture("one.png", 8, 1, fraction), params, config)
    probabilities = np.exp(logits[0]) / np.exp(logits[0]).sum()
    best = probabilities.argmax()
    assert f"{best} ({probabilities[best]:.1%})" in good("predict run one.png", capsys)
    file = run / "checkpoint.safetensors"  # in its folder it is still the run's
    assert good(f"predict {file} one.png", capsys) == good("predict run one.png", capsys)


@pytest.mark.parametrize("command", ["eval run", "predict run one.png"])
@pytest.mark.parametrize("option, expected", [("", granted_cores()), (" --threads 3", 3)])
def test_threads_are_as_many_as_asked(command, option, expected, run, monkeypatch, capsys):
    def watched(self, function, parts):
        asked.append(self.threads)
        return map_parts(self, function, parts)

    asked, map_parts = [], Workers.map
    monkeypatch.setattr(Workers, "map", watched)
    draw("one.png")
    good(command + option, capsys)
    assert set(asked) == {expected}


@pytest.mark.parametrize(
    "command, total",
    [
        ("summary vit_base_patch16_224", "86,567,656"),  # timm's count
        ("summary vit_tiny_patch16_224", "5,717,416"),
        ("summary mnist --model cnn", "2,740"),  # 5*9+5 + 5*5*9+5 + 245*10+10
    ],
)
def test_summary(command, total, capsys):
    out = good(command, capsys)
    assert total in out and "head.weight" in out and "num_classes=" in out


def test_gradcheck(capsys):
    out = good("gradcheck layernorm vit --seed 3", capsys)
    assert "dweight" in out and "blocks.0.attn.qkv.weight" in out and "WRONG" not in out
    assert "softmax" not in out
    assert re.search(r"(\d+) of \1 gradients are right", out)


def test_gradcheck_fails_on_a_wrong_backward(monkeypatch, capsys):
    from tinyvit import ops

    right = ops.relu_backward
    monkeypatch.setattr(ops, "relu_backward", lambda dout, cache: 1.01 * right(dout, cache))
    status, out, err = call("gradcheck relu", capsys)
    assert status == 1 and err == ""
    assert "WRONG" in out and "0 of 1 gradients are right" in out


# ---- help


@pytest.mark.parametrize("name", NAMES)
def test_help_shows_an_example(name, capsys):
    status, out, err = call(f"{name} --help", capsys)
    assert status == 0 and err == ""
    assert re.search(rf"^examples?:\n  tinyvit {name}", out, re.MULTILINE)


def test_every_option_is_explained(capsys):
    _, out, _ = call("train --help", capsys)
    options = re.findall(
        r"^  (--[\w-]+)(?: (?:\[?[A-Z]+\]?|\{.*?\}))?(, --no.*)?( {2,}|\n)(.*)", out, re.M
    )
    assert len(options) > 30
    for flag, _, gap, text in options:
        assert text.strip() and not text.startswith("  --"), (flag, gap)


def test_help_of_all(capsys):
    status, out, _ = call("--help", capsys)
    assert status == 0 and "example: tinyvit train" in out
    assert all(re.search(rf"^ +{name}\b", out, re.MULTILINE) for name in NAMES)
    assert call("--version", capsys) == (0, f"tinyvit {__version__}\n", "")


# ---- mistakes


@pytest.mark.parametrize(
    "command, expected",
    [
        ("", "COMMAND"),
        ("fly", "'fly'"),
        ("summary", "PRESET"),
        ("summary vit_giant", "'vit_giant': use digits"),
        ("summary mnist --model resnet", "'resnet'"),
        ("summary vit_base_patch16_224 --model cnn", "of the cnn"),
        ("gradcheck layernom", "'layernom': use patchify"),
        ("gradcheck --seed -1", "'-1'"),
        ("train --patch-size 3", "8x8 is not divisible by patch size 3: try 2, 4 or 8"),
        ("train --num-heads 5", "try 2, 4 or 8 heads"),
        ("train --dataset mnits", "did you mean mnist"),
        ("train --model resnet", "vit or cnn"),
        ("train --recipe quick", "use default"),
        ("train --preset huge", "'huge'"),
        ("train --activation swish", "'swish'"),
        ("train --model cnn --depth 3", "has no field 'depth'"),
        ("train --epochs two", "'two'"),
        ("train --epochs 0", "--epochs 0"),
        ("train --epochs -3", "--epochs -3"),
        ("train --batch-size 0", "--batch-size 0"),
        ("train --lr -1", "--lr -1.0"),
        ("train --lr nan", "--lr nan"),
        ("train --lr fast", "'fast'"),
        ("train --clip-norm 0", "--clip-norm 0.0"),
        ("train --weight-decay inf", "--weight-decay inf"),
        ("train --label-smoothing 1", "--label-smoothing 1.0"),
        ("train --ema-decay 2", "--ema-decay 2.0"),
        ("train --warmup-epochs -1", "--warmup-epochs -1.0"),
        ("train --mlp-ratio nan", "mlp_ratio"),
        ("train --mlp-ratio inf", "mlp_ratio"),
        ("train --eps -1", "eps"),
        ("train --drop-rate 1", "drop_rate 1.0"),
        ("train --rotate nan", "rotate is nan"),
        ("train --scale 2", "scale is 2"),
        ("train --seed -1", "'-1'"),
        ("train --seed 1.5", "'1.5'"),
        ("train --threads 0", "--threads: 0 should be a whole number, at least 1"),
        ("train --threads two", "--threads: two should be"),
        ("eval nowhere --threads -1", "--threads"),
        ("predict nowhere a.png --threads 0", "--threads: 0 should be"),
        ("train --validation 1", "--validation 1.0"),
        ("train --validation 0.9999", "leaves no image"),
        ("train --validation -0.1", "--validation -0.1"),
        ("train --device tpu", "'tpu'"),
        ("train --epoch 3", "--epoch"),  # no guessing of half an option
        ("train --resume", "runs/ holds no run"),
        ("train --resume nowhere", "nowhere: holds no run"),
        ("train --resume nowhere --out elsewhere", "--resume nowhere and --out elsewhere"),
        ("eval nowhere", "nowhere: holds no run"),
        ("eval", "RUN"),
        ("predict nowhere a.png", "nowhere: holds no run"),
    ],
)
def test_a_mistake_is_one_line(here, capsys, command, expected):
    bad(command, capsys, expected)


def test_no_cupy_is_one_line(here, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "cupy", None)  # importing it fails
    bad("train --device gpu", capsys, "--device gpu", "--device cpu")
    bad(["train", *TINY, "--device", "gpu", "--out", "x"], capsys, "--device gpu")


@pytest.mark.parametrize(
    "out",
    [
        "file/run",
        "file",
        pytest.param("/proc/run", marks=pytest.mark.skipif("not os.path.isdir('/proc')")),
    ],
)
def test_a_folder_that_cannot_be_written_is_one_line(here, capsys, out):
    (here / "file").write_text("")
    bad(["train", *TINY, "--out", out], capsys, out.removesuffix("/run"))


def test_out_of_memory_is_one_line(here, capsys, monkeypatch):
    def too_much(*args):
        raise MemoryError("Unable to allocate 349 TiB\nfor an array")

    monkeypatch.setattr(cli.train, "fit", too_much)
    status, _, err = call(["train", *TINY], capsys)
    assert status == 2 and err.count("\n") == 1 and "349 TiB" in err


def test_a_run_is_not_overwritten(run, capsys):
    before = (run / "config.json").stat().st_mtime_ns
    bad(["train", *TINY, "--out", "run"], capsys, "holds a run already", "--resume run")
    assert (run / "config.json").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    "change", ["--lr 0.1", "--seed 9", "--model cnn", "--depth 3", "--dataset mnist", "--shift 3"]
)
def test_a_run_goes_on_as_it_began(run, capsys, change):
    (run / "summary.json").unlink()
    flag = change.split()[0]
    bad(f"train --resume run {change}", capsys, f"was begun with {flag}")


def test_resume_refuses_another_recipe_and_options_of_another_model(run, capsys):
    bad("train --resume run --recipe best", capsys, "another recipe than best")
    bad("train --resume run --channels 3", capsys, "which has no --channels")


def test_a_run_on_a_folder_goes_on_from_elsewhere(here, monkeypatch, capsys):
    save_idx(here / "mine")
    good(["train", *TINY, "--dataset", "mine", "--epochs", "1", "--out", "on-mine"], capsys)
    (here / "on-mine" / "summary.json").unlink()
    (here / "elsewhere").mkdir()
    monkeypatch.chdir(here / "elsewhere")
    good("train --resume ../on-mine --dataset ../mine", capsys)


@pytest.mark.parametrize("command", ["eval run", "predict run one.png", "train --resume run"])
def test_damaged_settings_are_one_line(run, capsys, command):
    draw("one.png")
    for text in ("", "{", "[]", '{"model": "vit"}', '{"model": "resnet", "recipe": {}}'):
        (run / "config.json").write_text(text)
        bad(command, capsys, os.path.join("run", "config.json"))
    (run / "config.json").unlink()
    bad(command, capsys, "run: holds no run")


@pytest.mark.parametrize("command", ["eval run", "predict run one.png"])
def test_a_damaged_checkpoint_is_one_line(run, capsys, command):
    draw("one.png")
    path = run / "checkpoint.safetensors"
    whole = path.read_bytes()
    for content in (b"", whole[:-1], whole[:100], b"text", bytes(1000)):
        path.write_bytes(content)
        bad(command, capsys, os.path.join("run", "checkpoint.safetensors"))
    params, config = first_params(small_config("vit"), "vit", "float32"), small_config("vit")
    params["head.weight"] = params["head.weight"][:, :5]
    save_checkpoint(path, params, config)
    bad(command, capsys, "checkpoint.safetensors", "head.weight is (10, 5), expected (10, 8)")
    path.unlink()
    bad(command, capsys, "checkpoint.safetensors", "no such file")


def test_a_checkpoint_of_other_images_is_one_line(run, capsys):
    config = MODELS["vit"].config_class.preset("mnist")
    path = run / "checkpoint.safetensors"
    save_checkpoint(path, MODELS["vit"].init_params(config), config)
    bad("eval run", capsys, "1x8x8", "1x28x28")


def test_a_state_of_another_run_is_one_line(run, capsys):
    (run / "summary.json").unlink()
    shutil.copy(run / "checkpoint.safetensors", run / "resume.safetensors")
    bad("train --resume run", capsys, "resume.safetensors: does not belong to this run")
    (run / "resume.safetensors").write_bytes(b"cut")
    bad("train --resume run", capsys, "resume.safetensors")


LABELS = (np.arange(30) % 10).astype(np.uint8)
IMAGES = np.zeros((30, 8, 8), np.uint8)
WHOLE = gzip.compress(idx_bytes(IMAGES), mtime=0)


@pytest.mark.parametrize(
    "changes, expected",
    [
        ({"train_labels": idx_bytes(LABELS[:29])}, "30 images but 29 labels"),
        ({"train_images": idx_bytes(IMAGES)[:-1]}, "cut short"),
        ({"train_images": idx_bytes(IMAGES)[:10]}, "cut short"),
        ({"train_images": idx_bytes(LABELS)}, "magic number is 0x00000801"),
        ({"train_images": b"<html>"}, "magic number"),
        ({"train_images": WHOLE[:30] + b"\xff\xff\xff" + WHOLE[33:]}, "gzip"),
        ({"train_images": WHOLE[:-9]}, "gzip"),
        ({"train_images": b""}, "empty"),
        ({"train_images": idx_bytes(np.zeros((30, 8, 6), np.uint8))}, "8x6"),
        ({"train_images": idx_bytes(np.zeros((30, 4, 4), np.uint8))}, "8x8"),
    ],
)
def test_damaged_data_are_one_line(here, capsys, changes, expected):
    save_idx(here / "mine", **changes)
    bad(["train", *TINY, "--dataset", "mine"], capsys, "mine", expected)


def test_missing_data_are_one_line(here, run, capsys):
    save_idx(here / "mine")
    (here / "mine" / "t10k-labels-idx1-ubyte.gz").unlink()
    bad(["train", *TINY, "--dataset", "mine"], capsys, "t10k-labels-idx1-ubyte.gz")
    bad("eval run --dataset mine", capsys, "t10k-labels-idx1-ubyte.gz")
    bad("eval run --dataset mnits", capsys, "did you mean mnist")


@pytest.mark.parametrize(
    "words, expected",
    [
        ("nothing.png", "nothing.png"),
        ("text.png", "text.png"),
        ("run", "run"),
        ("blank.png", "blank.png"),
        ("one.png nothing.png", "nothing.png"),
        ("one.png --save seen.xyz", "seen.xyz"),
        ("one.png --save seen", "seen"),
        ("one.png --save nowhere/seen.png", "nowhere"),
    ],
)
def test_a_picture_that_is_none_is_one_line(run, capsys, words, expected):
    draw("one.png")
    (run.parent / "text.png").write_text("hello")
    Image.new("L", (50, 50), 255).save("blank.png")
    bad(f"predict run {words}", capsys, expected)


# ---- pipes and signals


@pytest.mark.parametrize(
    "words", ["summary vit_base_patch16_224", "--version", "train --help", "gradcheck relu"]
)
def test_a_closed_pipe_is_no_error(tmp_path, words):
    process = start(*words.split(), cwd=tmp_path)
    process.stdout.close()  # as `| head` does when it has seen enough
    with process.stderr:
        assert (process.wait(60), process.stderr.read()) == (0, "")


def test_a_mistake_in_a_process_of_its_own(tmp_path):
    process = start("train", "--patch-size", "3", cwd=tmp_path)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 2 and out == "" and len(err.splitlines()) == 1
    assert tree(tmp_path) == []


def test_ctrl_c_anywhere_is_no_traceback(capsys, monkeypatch):
    def stopped(args):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli.summary, "run", stopped)
    assert call("summary digits", capsys) == (130, "", "tinyvit: stopped\n")
