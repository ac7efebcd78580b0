"""Learning curves: the same images for all, rows that add up, a file that can be gone on with."""

import json
from dataclasses import replace

import numpy as np
import pytest
from tiny import REPO, small_config

from tinyvit import learning_curves
from tinyvit.augment import Augmentation
from tinyvit.data import load_dataset
from tinyvit.errors import InputError
from tinyvit.learning_curves import (
    Entrant,
    Plan,
    accuracy_after,
    choose,
    entrant,
    main,
    measure,
    record,
    summary,
)

DIGITS = load_dataset("digits")
ENTRANTS = {name: Entrant(small_config(name), lr=1e-2) for name in ("cnn", "vit")}
PLAN = Plan(sizes=(10, 30), seeds=(0, 5), steps=2, batch_size=8, warmup_steps=1)


def settled(rows):
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


def test_a_smaller_choice_of_a_seed_is_part_of_its_larger_one():
    many = choose(DIGITS, 100, seed=3)
    assert len(set(many)) == 100
    np.testing.assert_array_equal(choose(DIGITS, 40, seed=3), many[:40])
    assert set(choose(DIGITS, 100, seed=4)) != set(many)
    assert sorted(choose(DIGITS, len(DIGITS.train_images), 0)) == list(range(1438))


@pytest.mark.parametrize("size", [0, 1439])
def test_images_that_are_not_there_are_refused(size):
    with pytest.raises(InputError, match=f"1438 training images: {size}"):
        choose(DIGITS, size, seed=0)


def test_more_steps_read_more_images():
    someone = replace(ENTRANTS["cnn"], lr=3e-2)
    few, many = (
        accuracy_after(someone, DIGITS, 300, 0, replace(PLAN, steps=steps, batch_size=32), 1)
        for steps in (1, 120)
    )
    assert many > 0.5 > 0.3 > few


def test_every_setting_counts():
    def accuracy(seed=0, **changes):
        plan = replace(PLAN, steps=20, **changes)
        return accuracy_after(ENTRANTS["vit"], DIGITS, 60, seed, plan, 1)

    usual = accuracy()
    assert accuracy() == usual
    moved = Augmentation(shift=2.0)
    others = [accuracy(seed=1), accuracy(batch_size=30), accuracy(augmentation=moved)]
    assert usual not in [*others, accuracy(warmup_steps=19)]


def test_a_row_for_every_entrant_size_and_seed():
    rows = list(measure(ENTRANTS, DIGITS, PLAN, 1))
    places = [(row["seed"], row["size"], row["model"]) for row in rows]
    assert places == [
        (seed, size, name) for seed in (0, 5) for size in (10, 30) for name in ("cnn", "vit")
    ]
    assert all(0 <= row["accuracy"] <= 1 and row["seconds"] >= 0 for row in rows)
    rest = list(measure(ENTRANTS, DIGITS, PLAN, 1, done=rows[:5]))
    assert settled(rest) == settled(rows[5:])


def test_summary():
    rows = [{"model": "b", "size": 20, "seed": 0, "accuracy": 0.5}]
    rows += [{"model": "b", "size": 10, "seed": s, "accuracy": a} for s, a in ((0, 0.2), (1, 0.4))]
    rows += [{"model": "a", "size": 10, "seed": 0, "accuracy": 0.9}]
    sizes, means, spreads = summary(iter(rows))
    assert list(sizes) == ["b", "a"]
    assert sizes["b"].tolist() == [10, 20]
    np.testing.assert_allclose(means["b"], [30, 50])
    np.testing.assert_allclose(spreads["b"], [np.sqrt(200), 0])  # sqrt((10² + 10²) / 1), one seed
    assert means["a"].tolist() == [90] and spreads["a"].tolist() == [0]


def test_an_entrant_is_the_recipes():
    someone = entrant("cnn", "digits", channels=16)
    assert (someone.lr, someone.weight_decay, someone.config.channels) == (1e-2, 0.0, 16)
    assert someone.parameters == 16 * 10 + 16 * 16 * 9 + 16 + 10 * 16 * 4 + 10
    assert entrant("vit", "mnist").parameters == 306_826


def test_the_file_is_gone_on_with(tmp_path, monkeypatch, capsys):
    path = tmp_path / "curves.json"
    record(path, ENTRANTS, "digits", PLAN, 1)
    assert len(capsys.readouterr().out.splitlines()) == 8
    whole = json.loads(path.read_text("utf-8"))
    assert whole["settings"]["plan"]["sizes"] == [10, 30]
    assert whole["settings"]["entrants"]["cnn"]["parameters"] == ENTRANTS["cnn"].parameters
    assert "cores" in whole["machine"] and len(whole["date"]) == 10

    whole["rows"], lost = whole["rows"][:6], whole["rows"][6:]
    path.write_text(json.dumps(whole), "utf-8")
    record(path, ENTRANTS, "digits", PLAN, 1)
    assert len(capsys.readouterr().out.splitlines()) == 2
    rows = json.loads(path.read_text("utf-8"))["rows"]
    assert settled(rows) == settled(whole["rows"] + lost)

    with pytest.raises(InputError, match="other settings"):
        record(path, ENTRANTS, "digits", replace(PLAN, steps=3), 1)


def test_the_command(tmp_path, capsys):
    path = tmp_path / "curves.json"
    words = ["--out", str(path), "--steps", "1", "--sizes", "9", "--seeds", "0", "--threads", "1"]
    main([*words, "--augment"])
    found = json.loads(path.read_text("utf-8"))
    assert [row["model"] for row in found["rows"]] == ["CNN", "ViT", "wide CNN"]
    assert found["settings"]["plan"]["augmentation"]["shift"] == 1.0
    assert found["command"].startswith("python -m tinyvit.learning_curves --out ")
    with pytest.raises(SystemExit) as stopped:
        main(words)
    assert stopped.value.code == 2
    assert "other settings" in capsys.readouterr().err


def test_what_ships_with_the_lessons_is_what_the_code_measures():
    found = json.loads((REPO / "lessons/models/learning_curves.json").read_text("utf-8"))
    settings = found["settings"]
    assert found["command"] == "python -m tinyvit.learning_curves --dataset mnist"
    plan = learning_curves.PLANS["mnist"]
    assert settings["plan"] == json.loads(json.dumps(learning_curves.asdict(plan)))
    assert list(settings["entrants"]) == ["CNN", "ViT", "wide CNN"]
    for name, model in (("CNN", "cnn"), ("ViT", "vit")):
        assert settings["entrants"][name]["parameters"] == entrant(model, "mnist").parameters
    places = [(row["seed"], row["size"], row["model"]) for row in found["rows"]]
    expected = [(s, n, m) for s in plan.seeds for n in plan.sizes for m in settings["entrants"]]
    assert places == expected
    assert all(0.4 < row["accuracy"] < 1 for row in found["rows"])
