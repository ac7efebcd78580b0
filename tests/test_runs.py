"""A run's folder: its settings come back, its files are whole, the newest is found."""

import json
import os
from dataclasses import replace

import numpy as np
import pytest
from tiny import first_params, rows, small_config, tree

from tinyvit.augment import Augmentation
from tinyvit.errors import InputError
from tinyvit.models import MODELS, Recipe
from tinyvit.runs import RunFolder, Settings, newest_run, unused_folder
from tinyvit.train import Trainer

RECIPE = Recipe(
    **{"preset": "digits", "epochs": 3, "batch_size": 7, "lr": 1 / 3, "warmup_epochs": 0.5},
    **{"ema_decay": 0.99, "augmentation": Augmentation(shift=1.5, elastic=0.1)},
    **{"overrides": {"embed_dim": 8}},
)


def settings_of(name="vit"):
    return Settings(
        **{"model": name, "config": small_config(name), "dataset": "digits", "recipe": RECIPE},
        **{"seed": 5, "device": "cpu", "threads": 2, "validation": 0.1, "ink_fraction": 0.7},
    )


def trainer_of(name="vit", seed=0, **options):
    config = small_config(name)
    trainer = Trainer(config, first_params(config, name, "float32"), threads=1, **options)
    rng = np.random.default_rng(seed)
    trainer.step(rng.standard_normal((4, 1, 8, 8)).astype("f4"), rng.integers(0, 10, 4))
    return trainer


@pytest.mark.parametrize("name", MODELS)
def test_settings_come_back(tmp_path, name):
    settings = settings_of(name)
    assert Settings.from_json(settings.to_json()) == settings
    run = RunFolder(tmp_path / "deep" / "run")
    run.create(settings)
    assert run.settings() == settings
    assert tree(run.path) == ["config.json"]
    assert str(run) == str(tmp_path / "deep" / "run")


def test_settings_of_before_there_were_precisions():
    values = json.loads(settings_of().to_json())
    assert values.pop("precision") == "fp32"
    assert Settings.from_json(json.dumps(values)) == settings_of()


def test_every_recipe_of_every_model_comes_back():
    for model in MODELS.values():
        for recipes in model.recipes.values():
            for recipe in recipes.values():
                settings = replace(settings_of(model.name), recipe=recipe)
                assert Settings.from_json(settings.to_json()) == settings


def test_a_run_is_not_overwritten(tmp_path):
    run = RunFolder(tmp_path)
    run.create(settings_of())
    before = run.config.read_bytes()
    with pytest.raises(InputError, match="holds a run already: go on with --resume"):
        RunFolder(tmp_path).create(settings_of("cnn"))
    assert run.config.read_bytes() == before


def test_missing_and_damaged_settings_are_one_line(tmp_path):
    run = RunFolder(tmp_path / "run")
    with pytest.raises(InputError, match="holds no run"):
        run.settings()
    run.create(settings_of())
    good = json.loads(run.config.read_text())
    text = run.config.read_text()
    bad = [text[:n] for n in range(0, len(text) - 2, 41)]
    bad += ["[]", "null", "7", '"vit"', "{}", "\0\1\2", "{" * 50]
    needed = good.keys() - {"precision"}  # runs of before there was a choice have none
    bad += [json.dumps({k: v for k, v in good.items() if k != name}) for name in needed]
    bad += [json.dumps(good | {"recipe": 3}), json.dumps(good | {"more": 3})]
    bad += [json.dumps(good | {"model": "resnet"}), json.dumps(good | {"model": "cnn"})]
    bad += [json.dumps(good | {"config": good["config"] | {"patch_size": 3}})]
    bad += [json.dumps(good | {"recipe": good["recipe"] | {"epochs": "many"}})]
    bad += [json.dumps(good | {"recipe": good["recipe"] | {"lr": -1}})]
    bad += [json.dumps(good | {"recipe": good["recipe"] | {"augmentation": {"shift": -1}}})]
    for content in bad:
        run.config.write_text(content)
        with pytest.raises(InputError) as caught:
            run.settings()
        message = " ".join(str(caught.value).split())
        assert str(run.config) in message, content
    run.config.write_bytes(b"\xff\xfe{}")
    with pytest.raises(InputError, match="config.json"):
        run.settings()


@pytest.mark.parametrize("ema_decay", [0.0, 0.9])
def test_save_and_load(tmp_path, ema_decay):
    run = RunFolder(tmp_path)
    first, second = trainer_of(ema_decay=ema_decay), trainer_of(ema_decay=ema_decay, seed=1)
    progress = {"step": 17, "seconds": 1 / 3, "rows": [{"epoch": 1}], "tally": {"loss": 0.1}}
    run.save(first, progress)
    assert tree(tmp_path) == ["checkpoint.safetensors", "resume.safetensors"]
    assert run.load(second) == progress
    assert second.step_count == 17
    for name, value in first.state().items():
        assert second.state()[name].tobytes() == value.tobytes()
    params, config = run.weights()
    assert config == first.config
    for name, value in first.best_params.items():
        assert params[name].tobytes() == value.tobytes()


def test_the_weights_are_written_before_the_state_that_says_so(tmp_path, monkeypatch):
    run = RunFolder(tmp_path)
    run.save(trainer_of(), {"step": 1})
    before = run.resume.read_bytes(), run.checkpoint.read_bytes()

    def killed(self):
        raise SystemExit

    later = trainer_of(seed=1)
    monkeypatch.setattr(type(later), "state", killed)
    with pytest.raises(SystemExit):
        run.save(later, {"step": 2})
    assert run.resume.read_bytes() == before[0]
    assert run.checkpoint.read_bytes() != before[1]


def test_a_state_that_is_damaged_or_of_another_run_is_one_line(tmp_path):
    run = RunFolder(tmp_path)
    run.save(trainer_of(), {"step": 1})
    whole = run.resume.read_bytes()

    def refused(trainer, what):
        with pytest.raises(InputError, match=what) as caught:
            run.load(trainer)
        assert "\n" not in str(caught.value) and str(run.resume) in str(caught.value)

    refused(trainer_of("cnn"), "params is")
    refused(trainer_of(ema_decay=0.9), "average is missing")
    for length in (0, 7, 100, len(whole) - 1):
        run.resume.write_bytes(whole[:length])
        refused(trainer_of(), "no whole safetensors")
    run.resume.write_bytes(run.checkpoint.read_bytes())
    refused(trainer_of(), "does not belong to this run")


def test_metrics_are_appended_and_written_anew(tmp_path):
    run = RunFolder(tmp_path)
    made = [{"epoch": i, "train_loss": 1 / 3 / i, "seconds": 0.1} for i in (1, 2, 3)]
    for row in made:
        run.append_metrics(row)
    assert [json.loads(line) for line in run.metrics.read_text().splitlines()] == made
    run.write_metrics(made[:1])
    run.append_metrics(made[1])
    assert [row["epoch"] for row in rows(tmp_path)] == [1, 2]
    run.write_metrics([])
    assert run.metrics.read_text() == ""


def test_a_finished_run_has_a_summary_and_nothing_to_go_on_with(tmp_path):
    run = RunFolder(tmp_path)
    run.save(trainer_of(), {"step": 1})
    run.finish({"test_accuracy": 0.9})
    assert json.loads(run.summary.read_text()) == {"test_accuracy": 0.9}
    assert tree(tmp_path) == ["checkpoint.safetensors", "summary.json"]
    run.finish({"test_accuracy": 1.0})  # with no resume.safetensors


def test_unused_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = []
    for _ in range(3):
        folder = unused_folder("digits-vit")
        names.append(str(folder))
        folder.mkdir(parents=True)
    assert names == [os.path.join("runs", f"digits-vit{end}") for end in ("", "-2", "-3")]


def test_newest_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="--resume DIR"):
        newest_run()
    (tmp_path / "runs" / "no-run").mkdir(parents=True)
    with pytest.raises(InputError):
        newest_run()
    for name, age in (("b", 30), ("a", 10), ("c", 20)):
        RunFolder(tmp_path / "runs" / name).create(settings_of())
        moment = 1e9 - age
        os.utime(tmp_path / "runs" / name / "config.json", (moment, moment))
    assert newest_run().name == "a"
