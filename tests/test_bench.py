"""The benchmark: it counts right, both contestants do the same, and doing without a trick too."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from tiny import environment

from tinyvit import ViTConfig, cli, init_params, vit_forward
from tinyvit.bench import machine, measure
from tinyvit.bench.cases import B16, CASES, PREDICT, A, Case, forward_flop
from tinyvit.bench.contestants import PyTorch, Tinyvit, batch_of
from tinyvit.bench.process import Process
from tinyvit.bench.tricks import TRICKS
from tinyvit.commands import bench
from tinyvit.errors import InputError

TINY = ViTConfig.preset("digits", embed_dim=8, num_heads=2, depth=2)
STEPS = 3


@pytest.fixture
def tiny_cases(monkeypatch):
    """Two cases that take no time, and no PyTorch."""
    cases = {"A": Case(TINY, 4), "one": Case(TINY, 1, PREDICT)}
    monkeypatch.setattr(bench, "CASES", cases)
    growing = {size: Case(TINY, size) for size in (2, 4)}
    monkeypatch.setattr(
        bench, "SCALING", {"batch": growing, "depth": {1: Case(TINY, 2), 2: Case(TINY, 2)}}
    )
    monkeypatch.setattr(bench, "find_spec", lambda name: None)
    monkeypatch.setattr(measure, "GENERATIONS", 1)
    monkeypatch.setattr(machine, "SIDE", 64)
    monkeypatch.setattr(machine, "LENGTH", 1 << 12)
    monkeypatch.setenv("PYTHONPATH", environment()["PYTHONPATH"])
    return cases


def test_floating_point_operations():
    assert abs(forward_flop(B16) / 2 / 17.56e9 - 1) < 0.005  # multiply-adds of ViT-B/16
    D, N, M = 64, 50, 256
    block = N * D * 3 * D + N * D * D + 2 * N * D * M + 2 * N * N * D
    assert forward_flop(A) == 2 * (49 * 16 * D + 6 * block + 10 * D)
    assert Case(A, 128).flop == 3 * 128 * forward_flop(A)
    assert Case(A, 128, PREDICT).flop == 128 * forward_flop(A)
    assert CASES["A"] == Case(replace(A), 128)


def test_weights_move_at_least():
    weights = 4 * 12 * (4 * 768**2 + 2 * 768 * 3072)
    assert Case(B16, 1, PREDICT).least_bytes == weights + Case(B16, 1, PREDICT).kept_bytes
    assert Case(B16, 2).least_bytes == 10 * weights + 2 * Case(B16, 2).kept_bytes
    assert Case(B16, 2).kept_bytes == 2 * Case(B16, 1).kept_bytes


@pytest.mark.parametrize("work", ["train", "predict"])
def test_both_contestants_do_the_same(work):
    pytest.importorskip("torch")
    case = Case(TINY, 6, work)
    ours, theirs = Tinyvit(case, 2), PyTorch(case, 1)
    assert "core type" in ours.about() and theirs.about().startswith("PyTorch")
    for _ in range(STEPS):
        np.testing.assert_allclose(ours.run(), theirs.run(), rtol=1e-4, atol=1e-5)


def test_prediction_is_the_forward_pass():
    case = Case(TINY, 3, PREDICT)
    images, _ = batch_of(case)
    expected, _ = vit_forward(images, init_params(TINY), TINY)
    np.testing.assert_allclose(Tinyvit(case, 2).run(), expected, rtol=1e-4, atol=1e-5)


LOSSES = f"""
import json, sys
from tinyvit import ViTConfig, models, train, workers
from tinyvit.bench.cases import Case
from tinyvit.bench.contestants import Tinyvit
from tinyvit.bench.tricks import switch_off
from tinyvit.kernels.cpu import attention, block, buffers, mlp, vit

places = [train.Trainer, workers, workers.Workers, attention, block, buffers.Buffers, mlp, vit]
before = [dict(vars(place)) for place in places], models.MODELS["vit"].on_cpu
settings = switch_off(sys.argv[1]) if sys.argv[1] else {{}}
after = [dict(vars(place)) for place in places], models.MODELS["vit"].on_cpu
if sys.argv[1]:
    assert settings or before != after  # something was replaced, and nothing added
    assert [place.keys() for place in before[0]] == [place.keys() for place in after[0]]
config = ViTConfig.preset("digits", embed_dim=8, num_heads=2, depth=2)
contestant = Tinyvit(Case(config, 70), 2, settings)
print(json.dumps([contestant.run() for _ in range({STEPS})]))
"""


def losses_without(trick):
    words = [sys.executable, "-c", LOSSES, trick]
    done = subprocess.run(words, env=environment(), stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def test_without_a_trick_the_training_is_the_same():
    expected = losses_without("")
    for trick in TRICKS:
        np.testing.assert_allclose(losses_without(trick), expected, rtol=1e-5, err_msg=trick)


def test_exponents():
    x = [1, 2, 5, 9]
    assert abs(measure.exponent(x, [3 * v**1.7 for v in x]) - 1.7) < 1e-12


def test_limits_of_the_machine(monkeypatch):
    monkeypatch.setattr(machine, "SIDE", 128)
    monkeypatch.setattr(machine, "LENGTH", 1 << 16)
    assert machine.peak_flops(1) > 1e8 and machine.peak_bandwidth(2) > 1e7
    assert machine.free_bytes() > 1e6
    assert "Python 3." in machine.describe()


def test_a_process_that_ends_is_said(monkeypatch, capfd):
    monkeypatch.setenv("PYTHONPATH", environment()["PYTHONPATH"])
    with pytest.raises(InputError, match="nobody ended with status 1: KeyError: 'nobody'"):
        Process("nobody", Case(TINY, 1), 1)


def test_the_table_and_the_picture(tiny_cases, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["bench", "--seconds", "0", "--threads", "2"]) == 0
    said = capsys.readouterr().out
    assert "core type" in said and "one" in said and "PyTorch is not installed" in said
    assert max(map(len, said.splitlines())) <= 80
    assert (tmp_path / "roofline.png").stat().st_size > 10000


def test_the_figures_as_json(tiny_cases, capsys, tmp_path):
    picture = tmp_path / "x.svg"
    words = ["bench", "one", "--seconds", "0", "--json", "--save", str(picture)]
    assert cli.main(words) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["picture"] == str(picture) and picture.exists()
    assert list(report["cases"]) == ["one"]
    row = report["cases"]["one"]
    assert row["flop"] == tiny_cases["one"].flop
    assert row["tinyvit"]["flops"] == row["flop"] / row["tinyvit"]["seconds"]
    assert row["share_of_peak"] == row["tinyvit"]["flops"] / report["peak_flops"]
    assert row["tinyvit"]["peak_bytes"] > 1e7 and row["tinyvit"]["runs"] >= 1


def test_scaling(tiny_cases, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["bench", "--scaling", "--seconds", "0"]) == 0
    said = capsys.readouterr().out
    assert "time ~ batch^" in said and "arithmetic alone: batch^1.00" in said
    assert (tmp_path / "scaling.png").stat().st_size > 10000


def test_tricks(tiny_cases, capsys, monkeypatch):
    monkeypatch.setattr(bench, "TRICKS", {name: TRICKS[name] for name in ("gelu", "all")})
    assert cli.main(["bench", "--tricks", "--seconds", "0", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["tricks"]
    assert list(rows) == ["", "gelu", "all"] and rows[""]["ratio"] == 1


@pytest.mark.parametrize(
    "words, complaint",
    [
        (["B"], "no case 'B': use A, A128"),
        (["A", "--threads", "0"], "--threads: 0 should be"),
        (["A", "--save", "nowhere/x.png"], "there is no folder nowhere"),
        (["A", "--save", "x.txt"], "should end in .png or"),
        (["A", "--seconds", "nan"], "--seconds nan: a number"),
        (["A", "--seconds", "-1"], "--seconds -1.0: a number"),
        (["--tricks", "--scaling"], "not allowed with"),
    ],
)
def test_bad_usage_is_one_line(words, complaint, capsys):
    assert cli.main(["bench", *words]) == 2
    said = capsys.readouterr().err
    assert complaint in said and said.count("\n") == 1
