"""The benchmark on the card: all contestants train the same model, and what is said of them.

PyTorch and JAX are tried on the CPU, tinyvit where there is CuPy.
"""

import json
import os
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from tiny import REPO

from tinyvit import ViTConfig, cli, init_params, vit_forward
from tinyvit.bench import gpu_data, measure, pictures
from tinyvit.bench.cases import B16, GPU_CASES, PREDICT, A, Case
from tinyvit.bench.contestants import LR, WEIGHT_DECAY, batch_of
from tinyvit.bench.process import Process
from tinyvit.commands import bench_gpu
from tinyvit.data.datasets import normalize
from tinyvit.errors import InputError
from tinyvit.train import Trainer

TINY = ViTConfig.preset("digits", embed_dim=8, num_heads=2, depth=2)
STEPS = 3


@pytest.fixture(autouse=True)
def few_images(monkeypatch):
    monkeypatch.setattr(gpu_data, "EPOCH", 50)


def eager(case, **options):
    pytest.importorskip("torch")
    from tinyvit.bench.torch_gpu import TorchGPU

    return TorchGPU(case, device="cpu", **options)


def compiled(case, **options):
    return eager(case, compiled=True, **options)


def jax_jit(case, **options):
    jax = pytest.importorskip("jax")
    from tinyvit.bench.jax_gpu import JaxGPU

    return JaxGPU(case, device=jax.devices("cpu")[0], **options)


slow_compiled = pytest.param(
    compiled, marks=[pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning")]
)
each_rival = pytest.mark.parametrize("make", [eager, slow_compiled, jax_jit])


def weights(contestant):
    if hasattr(contestant, "params"):
        return {name: np.asarray(value) for name, value in contestant.params.items()}
    return {name: value.numpy() for name, value in contestant.model.state_dict().items()}


def of_tinyvit(case):
    """tinyvit's loss and weights after some steps on the CPU."""
    images, labels, order = gpu_data.training_data(case)
    params = init_params(case.config)
    trainer = Trainer(case.config, params, threads=1, lr=LR, weight_decay=WEIGHT_DECAY)
    for chosen in order[:STEPS]:
        loss, _ = trainer.step(normalize(images[chosen]), labels[chosen])
    return loss, trainer.params


def compare(params, expected):
    """Hold weights to others, all but the keys' biases.

    Attention does not depend on these, so their gradient is rounding alone, and AdamW makes steps
    of full length of it.
    """
    assert params.keys() == expected.keys()
    for name, value in expected.items():
        keep = np.ones(len(value), bool)
        if name.endswith("qkv.bias"):
            keep[len(value) // 3 : 2 * len(value) // 3] = False
        np.testing.assert_allclose(params[name][keep], value[keep], rtol=0, atol=1e-5, err_msg=name)


@each_rival
def test_rivals_train_as_tinyvit_does(make):
    case = Case(TINY, 6)
    loss, expected = of_tinyvit(case)
    first = init_params(TINY)
    assert max(abs(expected[name] - first[name]).max() for name in first) > 2e-3  # it did train
    contestant = make(case, shift=0)
    contestant.steps = STEPS
    np.testing.assert_allclose(float(contestant.run()), loss, rtol=1e-5)
    compare(weights(contestant), expected)


def test_tinyvit_on_the_card_trains_as_on_the_cpu(cupy, monkeypatch):
    from tinyvit.bench import tinyvit_gpu

    monkeypatch.setattr(tinyvit_gpu, "SHIFT", 0)
    case = Case(TINY, 6)
    _, expected = of_tinyvit(case)
    contestant = tinyvit_gpu.TinyvitGPU(case)
    contestant.steps = STEPS
    contestant.run()
    compare(contestant._trainer.params, expected)
    assert contestant.launches is None or 10 < contestant.launches < 500  # None: emulated
    assert "CuPy" in contestant.about()


@pytest.mark.parametrize("make", [eager, jax_jit])
def test_batches_go_round(make):
    case = Case(TINY, 20)
    contestant = make(case)
    assert len(gpu_data.training_data(case)[2]) == 2
    contestant.steps = 5
    assert 1 < float(contestant.run()) < 4


@each_rival
@pytest.mark.parametrize("precision, tolerance", [("fp32", 1e-5), ("tf32", 1e-2), ("bf16", 5e-2)])
def test_rivals_predict_as_tinyvit_does(make, precision, tolerance):
    case = Case(TINY, 3, PREDICT, precision)
    expected, _ = vit_forward(batch_of(case)[0], init_params(TINY), TINY)
    contestant = make(case)
    logits = contestant.run()
    logits = np.asarray(logits.float() if hasattr(logits, "float") else logits, np.float32)
    np.testing.assert_allclose(logits, expected, rtol=0, atol=tolerance * abs(expected).max())


@each_rival
@pytest.mark.parametrize("precision", ["tf32", "bf16"])
def test_rivals_train_in_less_than_full_precision(make, precision):
    loss, _ = of_tinyvit(Case(TINY, 6))
    contestant = make(Case(TINY, 6, precision=precision), shift=0)
    contestant.steps = STEPS
    np.testing.assert_allclose(float(contestant.run()), loss, rtol=2e-2)
    assert {value.dtype.name for value in weights(contestant).values()} == {"float32"}


def test_jax_without_cudnn_keeps_its_own_attention():
    contestant = jax_jit(Case(TINY, 6, precision="bf16"))
    contestant._take_faster("cudnn")
    assert contestant.about().endswith("attention by xla") and 1 < float(contestant.run()) < 4


def test_tinyvit_predicts_on_the_card(cupy):
    from tinyvit.bench.tinyvit_gpu import TinyvitGPU

    case = Case(TINY, 3, PREDICT)
    expected, _ = vit_forward(batch_of(case)[0], init_params(TINY), TINY)
    np.testing.assert_allclose(TinyvitGPU(case).run().get(), expected, rtol=1e-4, atol=1e-5)


def moved_by_jax(images, chosen, shift):
    jax = pytest.importorskip("jax")
    from tinyvit.bench.jax_vit import moved

    bordered = jax.numpy.asarray(gpu_data.with_border(images, shift))
    return np.asarray(moved(bordered, chosen, shift, jax.random.key(0)))


def moved_by_pytorch(images, chosen, shift):
    torch = pytest.importorskip("torch")
    from tinyvit.bench.torch_gpu import moved

    bordered = torch.from_numpy(gpu_data.with_border(images, shift))
    return moved(bordered, torch.from_numpy(chosen), shift).numpy()


@pytest.mark.parametrize("moved", [moved_by_pytorch, moved_by_jax])
def test_images_are_moved_by_whole_pixels(moved):
    images = np.random.default_rng(0).integers(1, 256, (9, 2, 5, 5), dtype=np.uint8)
    chosen = np.random.default_rng(1).integers(0, 9, 200)
    bordered, offsets = gpu_data.with_border(images, 2), []
    for index, image in zip(chosen, moved(images, chosen, 2), strict=True):
        windows = {
            (row, col): normalize(bordered[index, :, row : row + 5, col : col + 5])
            for row in range(5)
            for col in range(5)
        }
        fits = [
            offset for offset, window in windows.items() if np.allclose(window, image, atol=1e-6)
        ]
        assert len(fits) == 1
        offsets += fits
    assert len(set(offsets)) == 25  # up to two pixels each way, each its own way


def test_data():
    images, labels, order = gpu_data.training_data(Case(TINY, 6))
    assert images.shape == (50, 1, 8, 8) and images.dtype == np.uint8 and images.std() > 70
    assert set(labels) == set(range(10))
    assert order.shape == (8, 6) and len(set(order.ravel())) == 48 and order.max() < 50


def test_bytes_of_bf16():
    weights = 12 * (4 * 768**2 + 2 * 768 * 3072)
    whole, half = Case(B16, 64, PREDICT), Case(B16, 64, PREDICT, "bf16")
    assert half.kept_bytes == whole.kept_bytes / 2 and half.flop == whole.flop
    assert half.least_bytes == 2 * weights + half.kept_bytes
    assert Case(B16, 2, precision="bf16").least_bytes == 36 * weights + 2 * half.kept_bytes / 32
    assert GPU_CASES["A"] == Case(A, 1024)


# ---- the command


class FakeProcess:
    """Takes its time from a table; JAX runs out of memory when it is started, or at work."""

    SECONDS = {"tinyvit": 0.001, "pytorch": 0.004, "compile": 0.002}

    def __init__(self, name, case, device):
        if name == "jax" and case.work == PREDICT:
            raise InputError("jax ended with status 1: RESOURCE_EXHAUSTED: out of memory")
        self._name, self._case = name, case
        self.about = f"{name} 1.0"

    def run(self):
        if self._name == "jax":
            raise InputError("jax ended with status -6: too little memory?")
        launches = 74 if self._name == "tinyvit" else None
        seconds = self.SECONDS[self._name]
        return {"seconds": [seconds, 3 * seconds], "peak_bytes": 1, "launches": launches}

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        pass


@pytest.fixture
def fake_card(monkeypatch, tmp_path):
    """A card that has all contestants, and takes no time."""
    about = {"name": "NVIDIA H200", "driver": "580.1", "cuda": "13.0", "cupy": "14.2.0"}
    card = types.SimpleNamespace(
        describe=lambda: about,
        peak_flops=lambda precision: 8e14,
        peak_bandwidth=lambda: 4e12,
        free=lambda: None,
    )
    package = types.SimpleNamespace(card=card)
    monkeypatch.setitem(sys.modules, "tinyvit.kernels.cuda", package)
    monkeypatch.setattr(bench_gpu, "require_device", lambda device: None)
    monkeypatch.setattr(bench_gpu, "find_spec", lambda name: True)
    monkeypatch.setattr(measure, "Process", FakeProcess)
    monkeypatch.chdir(tmp_path)


def test_the_figures(fake_card, capsys):
    assert cli.main(["bench", "--device", "gpu", "--seconds", "0", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["card"]["name"] == "NVIDIA H200" and report["precision"] == "bf16"
    assert report["not_installed"] == [] and list(report["cases"]) == list(GPU_CASES)
    row, case = report["cases"]["A"], Case(A, 1024, precision="bf16")
    assert list(row["contestants"]) == ["tinyvit", "pytorch", "compile"]
    assert row["failed"] == {"jax": "jax ended with status -6: too little memory?"}
    ours = row["contestants"]["tinyvit"]
    assert ours == {
        "seconds": 0.001,
        "median_seconds": 0.002,
        "images_per_second": 1_024_000,
        "epoch_seconds": 60_000 / 1024 * 0.001,
        "flops": case.flop / 0.001,
        "bytes_per_second": case.least_bytes / 0.001,
        "share_of_peak": case.flop / 0.001 / 8e14,
        "share_of_bandwidth": case.least_bytes / 0.001 / 4e12,
        "ratio_to_eager": 0.25,
        "ratio_to_compiled": 0.5,
        "launches": 74,
        "runs": 2,
        "about": "tinyvit 1.0",
    }
    predicting = report["cases"]["B16-predict-64"]
    assert predicting["contestants"]["compile"]["epoch_seconds"] is None
    assert "RESOURCE_EXHAUSTED" in predicting["failed"]["jax"]
    assert Path("gpu.png").stat().st_size > 10000


def test_the_table(fake_card, capsys):
    assert cli.main(["bench", "A", "--device", "gpu", "--seconds", "0"]) == 0
    said = capsys.readouterr().out
    assert max(map(len, said.splitlines())) <= 80 and "…" not in said
    assert "NVIDIA H200, driver 580.1, CUDA 13.0; bf16" in said and "1,024,000" in said
    assert "A: jax ended with status -6" in said and "not installed" not in said


def test_only_tinyvit_is_installed(fake_card, capsys, monkeypatch):
    monkeypatch.setattr(bench_gpu, "find_spec", lambda name: name == "cupy")
    words = ["bench", "A", "--device", "gpu", "--precision", "tf32", "--seconds", "0"]
    assert cli.main(words) == 0
    said = capsys.readouterr().out
    assert "jax is not installed: pip install" in said and "torch is not installed" in said
    assert cli.main([*words, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["not_installed"] == ["jax", "torch"] and report["precision"] == "tf32"
    row = report["cases"]["A"]
    assert list(row["contestants"]) == ["tinyvit"] and not row["failed"]
    assert row["contestants"]["tinyvit"]["ratio_to_eager"] is None


def test_the_picture_when_all_fail():
    row = {"contestants": {}, "failed": {"tinyvit": "no memory"}}
    assert pictures.batch_times({"A": row}, "fp32").axes


@pytest.mark.parametrize(
    "words, complaint",
    [
        ("mnist --device gpu", "no case 'mnist': use A, A128, B16-predict-64"),
        ("--device gpu --tricks", "--tricks has no meaning with --device gpu"),
        ("--device gpu --scaling", "--scaling has no meaning with --device gpu"),
        ("--device gpu --threads 2", "--threads has no meaning with --device gpu"),
        ("--precision bf16", "--precision has no meaning with --device cpu"),
        ("--device gpu --precision fp8", "invalid choice: 'fp8'"),
        ("--device gpu --seconds inf", "--seconds inf: a number"),
    ],
)
def test_bad_usage_is_one_line(words, complaint, capsys):
    assert cli.main(["bench", *words.split()]) == 2
    said = capsys.readouterr().err
    assert complaint in said and said.count("\n") == 1


def test_without_cupy(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "cupy", None)
    assert cli.main(["bench", "--device", "gpu"]) == 2
    said = capsys.readouterr().err
    assert "--device gpu needs CuPy" in said and said.count("\n") == 1


def test_a_rival_without_a_gpu_says_why(monkeypatch):
    if "cuda" in os.environ.get("JAX_PLATFORMS", "cuda") and Path("/dev/nvidia0").exists():
        pytest.skip("there is a GPU")
    monkeypatch.setenv("PYTHONPATH", str(REPO))
    with pytest.raises(InputError, match="jax ended with status 1: .*(Error|jax)"):
        Process("jax", Case(TINY, 1), device="gpu")


# ---- the card


@pytest.mark.parametrize("precision", ["fp32", "tf32", "bf16"])
def test_limits_of_the_card(cupy, monkeypatch, precision):
    from tinyvit.kernels.cuda import card

    monkeypatch.setattr(card, "SIDE", 128)
    monkeypatch.setattr(card, "COPIED", 1 << 20)
    held = cupy.get_default_memory_pool().total_bytes()
    assert card.peak_flops(precision) > 1e6 and card.peak_bandwidth() > 1e6
    about = card.describe()
    assert about["name"] and about["cupy"] == cupy.__version__ and float(about["cuda"]) >= 11
    card.synchronize()
    card.free()
    assert cupy.get_default_memory_pool().total_bytes() <= held


def test_all_of_it_on_the_card(cupy, monkeypatch, capsys, tmp_path):
    """In processes of their own, which have the emulated card as well."""
    from tinyvit.kernels.cuda import card

    if "fakegpu" in sys.modules:
        start = "import fakegpu\nif not fakegpu.real_gpus():\n    fakegpu.install()\n"
        (tmp_path / "sitecustomize.py").write_text(start)
    path = [str(tmp_path), str(REPO), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(card, "SIDE", 64)
    monkeypatch.setattr(card, "COPIED", 1 << 16)
    cases = {"train": Case(TINY, 4), "predict": Case(TINY, 2, PREDICT)}
    monkeypatch.setattr(bench_gpu, "GPU_CASES", cases)
    monkeypatch.setattr(bench_gpu, "find_spec", lambda name: name == "cupy")
    assert cli.main(["bench", "--device", "gpu", "--seconds", "0", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert [row["failed"] for row in report["cases"].values()] == [{}, {}]
    for row in report["cases"].values():
        ours = row["contestants"]["tinyvit"]
        assert ours["seconds"] > 0 and ours["runs"] >= 1
    assert (tmp_path / "gpu.png").stat().st_size > 5000
