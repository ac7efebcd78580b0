"""`tinyvit predict WEIGHTS photo.jpg`: weights of any project's, names, attention, and mistakes."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from test_cli import bad, good
from tiny import environment, first_params, line

from tinyvit import ViTConfig, save_checkpoint, vit_forward
from tinyvit.checkpoint import Checkpoint, open_checkpoint
from tinyvit.class_names import class_names, imagenet_names
from tinyvit.cli import main
from tinyvit.errors import InputError
from tinyvit.looking import attention_rollout
from tinyvit.models.cnn import CNNConfig
from tinyvit.predict import predict, predict_and_look
from tinyvit.preprocess import preprocessing, read_photograph
from tinyvit.workers import Workers

SMALL = ViTConfig(
    **{"img_size": 20, "patch_size": 5, "in_chans": 3, "num_classes": 1000},
    **{"embed_dim": 12, "depth": 3, "num_heads": 3, "mlp_ratio": 1.5},
)
VARIANTS = {
    "class token": {},
    "averaged": {"global_pool": "avg"},
    "no class token": {"global_pool": "avg", "class_token": False},
    "distilled": {"distilled": True},
}
FILES = {
    "timm": ("weights.safetensors", {}),
    "hf": ("model.safetensors", {"eps": 1e-12}),
    "google": ("weights.npz", {"activation": "gelu_tanh"}),
}


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty current folder, but for two photographs."""
    monkeypatch.chdir(tmp_path)
    y, x, k = np.ogrid[:60, :90, :3]
    waves = 127.5 + 127.5 * np.sin(x / 7 + k) * np.cos(y / 5 + x / 30)
    Image.fromarray(waves.astype(np.uint8)).save("photo.jpg")
    Image.fromarray(waves.astype(np.uint8)[:, ::-2, ::-1]).save("other.png")
    return tmp_path


def save(path, format="timm", **changes):
    """Write random weights; returns their configuration."""
    config = replace(SMALL, **FILES[format][1] | changes)
    save_checkpoint(path, first_params(config, "vit", "float32"), config, format=format)
    return config


def table(out):
    """The rows of the printed table: picture, share, class and, if there is one, name."""
    rows = re.findall(r"^│ (.*) │$", out, re.MULTILINE)
    return [[cell.strip() for cell in row.split("│")] for row in rows]


# ---- what is printed


@pytest.mark.parametrize("format", FILES)
def test_the_table_is_what_the_model_says(here, capsys, format):
    save(FILES[format][0], format)
    rows = table(good(["predict", FILES[format][0], "photo.jpg", "other.png"], capsys))
    checkpoint = open_checkpoint(FILES[format][0])
    assert checkpoint.format == format
    names = imagenet_names()
    for n, path in enumerate(("photo.jpg", "other.png")):
        image = read_photograph(path, preprocessing(checkpoint))
        logits = vit_forward(image, checkpoint.params, checkpoint.config)[0][0]
        p = np.exp(logits) / np.exp(logits).sum()
        best = np.argsort(-p)[:5]
        own = rows[5 * n : 5 * n + 5]
        assert [row[0] for row in own] == [path, "", "", "", ""]
        assert [row[2:] for row in own] == [[str(k), names[k]] for k in best]
        shares = [0.04 if row[1] == "< 0.1%" else float(row[1][:-1]) for row in own]
        np.testing.assert_allclose(shares, 100 * p[best], atol=0.06)


def test_a_folder_as_transformers_and_timm_leave_it(here, capsys):
    save("saved/model.safetensors", "hf")
    in_folder = good("predict saved photo.jpg", capsys)
    assert in_folder == good("predict saved/model.safetensors photo.jpg", capsys)
    assert in_folder == good(f"predict saved{os.sep} photo.jpg --threads 1", capsys)


def test_each_format_prepares_in_its_own_way(here, capsys):
    outs = set()
    for format in FILES:
        path = f"{format}/{FILES[format][0]}"
        os.makedirs(format)
        save(path, format, eps=1e-6 if format != "hf" else 1e-12)
        outs.add(good(["predict", path, "photo.jpg"], capsys))
    assert len(outs) == 3


def test_few_classes_are_numbered_and_the_table_fits(here, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    save("few.safetensors", num_classes=3)
    out = good("predict few.safetensors photo.jpg", capsys)
    rows = table(out)
    assert len(rows) == 3 and sorted(row[2] for row in rows) == ["0", "1", "2"]
    assert "name" not in out
    save("many.safetensors")
    strange = "[b] :smile: " + "long" * 30 + ".png"
    Image.new("RGB", (9, 9)).save(strange)
    out = good(["predict", "many.safetensors", strange, "photo.jpg"], capsys)
    assert max(map(len, out.splitlines())) <= 80
    squeezed = "".join(re.findall(r"^│ (.*?) *│", out, re.MULTILINE))
    assert strange.replace(" ", "") in squeezed.replace(" ", "")
    assert all(len(row) == 4 and row[3] for row in table(out) if row[2])


def test_a_grey_model_and_a_cnn_see_photographs(here, capsys):
    save("grey.safetensors", in_chans=1, num_classes=10)
    assert len(table(good("predict grey.safetensors photo.jpg --save seen.png", capsys))) == 5
    config = CNNConfig(img_size=12)
    save_checkpoint("cnn.safetensors", first_params(config, "cnn", "float32"), config)
    out = good("predict cnn.safetensors photo.jpg other.png --save cnn.png", capsys)
    assert len(table(out)) == 10
    with Image.open("seen.png") as seen, Image.open("cnn.png") as cnn:
        assert seen.width > cnn.width and cnn.height > seen.height


@pytest.mark.parametrize("variant", VARIANTS)
def test_what_is_drawn_is_what_is_looked_at(here, capsys, monkeypatch, variant):
    from tinyvit import show

    def keep(images, probabilities, names, titles, maps):
        kept.update(images=images, probabilities=probabilities, titles=titles, maps=maps)
        return classified(images, probabilities, names, titles, maps)

    kept, classified = {}, show.classified
    monkeypatch.setattr(show, "classified", keep)
    config = save("weights.safetensors", **VARIANTS[variant])
    plain = good("predict weights.safetensors photo.jpg other.png", capsys)
    assert plain == good("predict weights.safetensors photo.jpg other.png --save seen.png", capsys)
    checkpoint = open_checkpoint("weights.safetensors")
    how = preprocessing(checkpoint)
    images = np.concatenate([read_photograph(path, how) for path in ("photo.jpg", "other.png")])
    logits, cache = vit_forward(images, checkpoint.params, config)
    attns = [cache["stages"][f"blocks.{i}.attn"] for i in range(3)]
    first = config.num_prefix_tokens
    asking = [0] if config.class_token else list(range(16))
    last = attns[-1].mean(axis=1)[:, asking].mean(axis=1)[:, first:].reshape(2, 4, 4)
    rollout = attention_rollout(attns)[:, asking].mean(axis=1)[:, first:].reshape(2, 4, 4)
    who = "class token" if config.class_token else "all patches"
    assert list(kept["maps"]) == [f"{who}, last block", f"{who}, all blocks (rollout)"]
    for ours, theirs in zip(kept["maps"].values(), (last, rollout), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4)
    np.testing.assert_array_equal(kept["images"], how.pixels(images))
    assert kept["titles"] == ["photo.jpg", "other.png"]
    with Image.open("seen.png") as image:
        assert image.width > 1000 and image.height > 600


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("threads", [1, 3])
def test_looking_changes_no_logits(variant, threads):
    config = replace(SMALL, **VARIANTS[variant])
    params = first_params(config, "vit", "float32")
    images = np.random.default_rng(0).standard_normal((4, 3, 20, 20)).astype(np.float32)
    workers = Workers(threads)
    logits, last, rollout = predict_and_look(images, params, config, workers=workers)
    np.testing.assert_allclose(logits, predict(images, params, config), rtol=1e-4, atol=1e-5)
    assert last.shape == rollout.shape == (4, 4, 4) and logits.shape == (4, 1000)


@pytest.mark.parametrize("count", [2, 5])
@pytest.mark.parametrize("more", ["", " --save seen.png"])
def test_threads_are_as_many_as_asked(here, capsys, monkeypatch, count, more):
    asked, map_parts = set(), Workers.map

    def watched(self, function, parts):
        asked.add(self.threads)
        return map_parts(self, function, parts)

    monkeypatch.setattr(Workers, "map", watched)
    save("weights.safetensors")
    good(f"predict weights.safetensors photo.jpg --threads {count}{more}", capsys)
    assert asked == {count}


@pytest.mark.parametrize("variant", VARIANTS)
def test_on_a_gpu(cupy, here, capsys, variant):
    config = save("weights.safetensors", **VARIANTS[variant])
    params = open_checkpoint("weights.safetensors").params
    images = np.random.default_rng(0).standard_normal((2, 3, 20, 20)).astype(np.float32)
    on_gpu = {name: cupy.asarray(value) for name, value in params.items()}
    ours = predict_and_look(images, on_gpu, config, device="gpu")
    for on_cpu, there in zip(predict_and_look(images, params, config), ours, strict=True):
        assert isinstance(there, np.ndarray)
        np.testing.assert_allclose(there, on_cpu, rtol=1e-3, atol=1e-5)
    command = "predict weights.safetensors photo.jpg other.png"
    assert good(f"{command} --device gpu --save seen.png", capsys) == good(command, capsys)


# ---- names


def of(path, K=1000):
    return Checkpoint({}, replace(SMALL, num_classes=K), "hf", path / "model.safetensors")


def beside(path, note):
    text = note if isinstance(note, str) else json.dumps(note)
    (path / "config.json").write_text(text)


def test_imagenets_names_stand_where_models_have_them(tmp_path):
    names = imagenet_names()
    assert len(names) == len(set(map(str.lower, names))) == 1000
    known = {0: "tench", 207: "golden retriever", 281: "tabby", 417: "balloon", 985: "daisy"}
    known |= {134: "crane (bird)", 517: "crane (machine)", 999: "toilet tissue"}
    assert {k: names[k] for k in known} == known
    assert class_names(of(tmp_path)) == names
    assert class_names(of(tmp_path, 3)) == ["0", "1", "2"]


def test_imagenets_ids_are_in_order():
    file = Path(__file__).parents[1] / "data" / "imagenet" / "classes.txt"
    ids = [line.split()[0] for line in file.read_text().splitlines()]
    assert ids == sorted(set(ids)) and all(re.fullmatch(r"n\d{8}", each) for each in ids)


@pytest.mark.slow
def test_imagenets_names_are_timms_and_torchvisions():
    from side_by_side import mend_torchvision

    mend_torchvision()
    info = pytest.importorskip("timm.data").ImageNetInfo()
    categories = pytest.importorskip("torchvision.models._meta")._IMAGENET_CATEGORIES
    same = 0
    for k, name in enumerate(imagenet_names()):
        words = [word.strip() for word in info.index_to_description(k).split(",")]
        assert name in (*words, ", ".join(words)) or name.startswith("crane (")
        same += name == categories[k]
    assert same >= 996


def test_names_beside_the_weights_win(tmp_path):
    beside(tmp_path, {"id2label": {"1": "dog", "0": "cat", "2": "emu"}})
    assert class_names(of(tmp_path, 3)) == ["cat", "dog", "emu"]
    assert class_names(of(tmp_path, 2)) == ["0", "1"]  # of another number of classes
    beside(tmp_path, {"id2label": {str(k): f"LABEL_{k}" for k in range(1000)}})
    assert class_names(of(tmp_path))[1] == "goldfish"
    beside(tmp_path, {"architecture": "vit", "label_names": ["n1", "n2"]})
    assert class_names(of(tmp_path, 2)) == ["n1", "n2"]
    words = {"label_names": ["n1", "n2"], "label_descriptions": {"n1": "cat", "n2": "dog"}}
    beside(tmp_path, {"architecture": "vit", "pretrained_cfg": {}} | words)
    assert class_names(of(tmp_path, 2)) == ["cat", "dog"]
    beside(tmp_path, {"id2label": {"0": "\x1b[31mred\n", "1": "two  words"}})
    assert class_names(of(tmp_path, 2)) == ["[31mred", "two words"]


@pytest.mark.parametrize(
    "note", ["{", "7", "[]", {"id2label": 3}, {"id2label": {"a": "b"}}, {"label_names": 5}]
)
def test_damaged_names_are_one_line(tmp_path, note):
    beside(tmp_path, note)
    with pytest.raises(InputError, match=r"config.json: cannot be read") as error:
        class_names(of(tmp_path))
    assert "\n" not in str(error.value)


# ---- mistakes


@pytest.mark.parametrize(
    "words, expected",
    [
        ("nowhere photo.jpg", "nowhere: holds no run and no weights (there is no such file)"),
        ("nothing.safetensors photo.jpg", "nothing.safetensors: holds no run and no weights"),
        ("empty photo.jpg", "empty: holds no run and no weights: name a run's folder"),
        ("text.txt photo.jpg", "text.txt: is a text file"),
        ("photo.jpg weights.safetensors", "as in tinyvit predict weights.safetensors photo.jpg"),
        ("photo.jpg other.png", "as in tinyvit predict WEIGHTS photo.jpg"),
        ("weights.safetensors weights.safetensors", "weights.safetensors: not a picture"),
        ("weights.safetensors text.txt", "text.txt: not a picture"),
        ("weights.safetensors photo.jpg nothing.jpg", "nothing.jpg: no such file"),
        ("weights.safetensors empty", "empty: a folder"),
        ("weights.safetensors cut.jpg", "cut.jpg: broken picture"),
        ("weights.safetensors photo.jpg --save seen.xyz", "seen.xyz: the name should end"),
        ("two.safetensors photo.jpg", "two.safetensors: takes images of 2 channels"),
        ("nan.safetensors photo.jpg", "nan.safetensors: head.bias holds NaN"),
        ("large.safetensors photo.jpg", "large.safetensors: its logits are no numbers"),
        ("torch photo.jpg", "is a pickle"),
        ("weights.safetensors", "PICTURE"),
    ],
)
def test_a_mistake_is_one_line(here, capsys, words, expected):
    config = save("weights.safetensors")
    save("two.safetensors", in_chans=2)
    params = first_params(config, "vit", "float32")
    nan = params["head.bias"] + np.float32(np.nan)
    save_checkpoint("nan.safetensors", params | {"head.bias": nan}, config)
    large = np.full_like(params["head.weight"], 3e38)
    save_checkpoint("large.safetensors", params | {"head.weight": large}, config)
    (here / "text.txt").write_text("hello")
    (here / "empty").mkdir()
    (here / "torch").mkdir()
    (here / "torch" / "pytorch_model.bin").write_bytes(b"\x80\x02}q\x00X\x05\x00")
    (here / "torch" / "config.json").write_text('{"model_type": "vit"}')
    (here / "cut.jpg").write_bytes((here / "photo.jpg").read_bytes()[:500])
    bad(f"predict {words}", capsys, expected)


@pytest.mark.filterwarnings("default::UserWarning")
def test_a_head_of_zeros_is_warned_of(here, capsys):
    config = save("weights.safetensors")
    params = first_params(config, "vit", "float32")
    params["head.weight"][:] = 0
    save_checkpoint("weights.safetensors", params, config)
    assert main(["predict", "weights.safetensors", "photo.jpg"]) == 0
    said = capsys.readouterr().err
    assert said == "tinyvit: weights.safetensors: the head is all zeros: it names nothing\n"


def test_too_many_pictures_to_draw_is_one_line(here, capsys):
    save("weights.safetensors")
    words = ["predict", "weights.safetensors", *["photo.jpg"] * 101, "--save", "seen.png"]
    bad(words, capsys, "draws 100 pictures at most, not 101")


# ---- time and memory

CHILD = """
import resource, subprocess, sys
status = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(status, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in KiB on Linux alone")
@pytest.mark.parametrize("more", ["", "--save seen.png"], ids=["table", "drawn"])
@pytest.mark.parametrize("format", FILES)
def test_a_base_model_in_3_seconds_and_1_5_gb(here, format, more):
    """Of the processor's time, which is that of the clock where nothing else runs."""
    path, changes = FILES[format]
    config = replace(ViTConfig.preset("vit_base_patch16_224"), **changes)
    save_checkpoint(path, first_params(config, "vit", "float32"), config, format=format)
    command = line("predict", path, "photo.jpg", "--threads", "1", *more.split())
    runs = []
    for _ in range(3):
        command_here = [sys.executable, "-c", CHILD, *command]
        done = subprocess.run(command_here, capture_output=True, text=True, env=environment())
        runs.append([float(word) for word in done.stdout.split()])
    statuses, seconds, sizes = zip(*runs, strict=True)
    assert set(statuses) == {0.0}
    assert min(seconds) < 3 and max(sizes) < 1.5e9
