"""One model on two sides: another project makes, saves, runs and trains it, and so does tinyvit.

A side is an object with

    save(folder) -> path          by the project's own means; the folder is made, if need be
    logits(images) -> (B, K)      images (B, C, H, W), NumPy both ways
    step(images, labels) -> loss  one step of plain SGD on the mean cross entropy; changes the model
"""

from dataclasses import replace

import numpy as np
import pytest

from tinyvit import ViTConfig, load_checkpoint, vit_backward, vit_forward
from tinyvit.ops import cross_entropy_backward, cross_entropy_forward

LR = 0.1
TOLERANCE = {"float32": 1e-5, "float64": 1e-10}
ODD = ViTConfig(
    **{"img_size": 15, "patch_size": 5, "in_chans": 1, "num_classes": 7},
    **{"embed_dim": 12, "depth": 2, "num_heads": 3, "mlp_ratio": 1.25},
)
IN_COLOUR = replace(ODD, img_size=12, patch_size=4, in_chans=3, num_heads=2, qkv_bias=False)


def random_values(shapes, seed=0, dtype="float32"):
    """A value for every tensor, heads and biases and gains too, so that none is 0 and each matters.

    shapes : dict name -> shape, in any project's names

    Returns dict name -> array. What is drawn depends on the order of the names.
    """
    rng = np.random.default_rng(seed)
    values = {}
    for name, shape in shapes.items():
        value = rng.standard_normal(shape)
        if len(shape) > 1 and shape[0] > 1:
            value *= (max(shape) / value.size) ** 0.5  # a matrix: about 1 / sqrt(inputs)
        elif "norm" in name.lower() and name.endswith(("weight", "scale")):
            value = 1 + 0.3 * value
        else:
            value *= 0.3
        values[name] = value.astype(dtype)
    return values


def batch(config, dtype, count=2, seed=1):
    """Random images (B, C, H, W) and labels (B,) for a model."""
    rng = np.random.default_rng(seed)
    images = rng.standard_normal((count, config.in_chans, config.img_size, config.img_size))
    return images.astype(dtype), rng.integers(0, config.num_classes, count)


def difference(ours, theirs):
    """Largest difference, relative to the largest value."""
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    assert ours.shape == theirs.shape and np.abs(theirs).max() > 0
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())


def logits_here(path, images, **overrides):
    """What tinyvit makes of a file and some images."""
    params, config = load_checkpoint(path, **overrides)
    logits, _ = vit_forward(images, params, config)
    assert logits.dtype == images.dtype
    return logits


def step_here(params, config, images, labels, lr=LR):
    """One step of plain SGD: returns logits, loss and the new parameters."""
    logits, cache = vit_forward(images, params, config)
    loss, loss_cache = cross_entropy_forward(logits, labels)
    _, grads = vit_backward(cross_entropy_backward(1.0, loss_cache), cache)
    return logits, loss, {name: params[name] - lr * grads[name] for name in params}


def assert_same_logits_and_step(side, folder, dtype, **overrides):
    """Load what a side saved: the same logits, the same loss, and after one step the same weights.

    The weights of after the step come as the ones of before: saved there, loaded here. A tensor's
    largest difference counts relative to its largest value; in float64 the steps themselves, new
    minus old, count in the same way.

    Returns the configuration that was loaded.
    """
    tolerance = TOLERANCE[dtype]
    params, config = load_checkpoint(side.save(folder / "before"), **overrides)
    assert {str(value.dtype) for value in params.values()} == {dtype}
    images, labels = batch(config, dtype)
    logits, loss, after = step_here(params, config, images, labels)
    assert difference(logits, side.logits(images)) < tolerance
    assert difference(loss, side.step(images, labels)) < tolerance

    theirs, _ = load_checkpoint(side.save(folder / "after"), **overrides)
    assert list(theirs) == list(after)
    for name, value in after.items():
        assert difference(value, theirs[name]) < tolerance, name
        step = theirs[name] - params[name]
        assert np.abs(step).max() > 10 * tolerance * np.abs(value).max(), f"{name} did not move"
        if dtype == "float64":
            assert difference(value - params[name], step) < tolerance, name
    return config


class TorchSide:
    """The side of a model of PyTorch's; a project's own adds `save`.

    seed : for random values in all of its tensors; None leaves the model as it is
    """

    def __init__(self, model, dtype="float32", seed=0):
        import torch

        self.model = model.eval().to(getattr(torch, dtype))
        if seed is None:
            return
        shapes = {name: tuple(value.shape) for name, value in model.state_dict().items()}
        values = random_values(shapes, seed, dtype)
        model.load_state_dict({name: torch.from_numpy(v) for name, v in values.items()})

    def outputs(self, images):
        """Logits, as PyTorch's tensor."""
        return self.model(images)

    def logits(self, images):
        import torch

        with torch.no_grad():
            return self.outputs(torch.from_numpy(images)).numpy()

    def step(self, images, labels):
        import torch

        outputs = self.outputs(torch.from_numpy(images))
        loss = torch.nn.functional.cross_entropy(outputs, torch.from_numpy(labels))
        loss.backward()
        torch.optim.SGD(self.model.parameters(), lr=LR).step()
        return loss.item()


def mend_torchvision():
    """Make torchvision, which timm and transformers import, fit a PyTorch without CUDA.

    One that was built with CUDA describes two operators that its library declares, and without CUDA
    the library is not found. They are declared here instead; nothing here calls them.
    """
    torch = pytest.importorskip("torch")
    try:
        import torchvision  # noqa: F401
    except ImportError:
        pass
    except RuntimeError:
        for name in ("nms", "qnms"):
            torch.library.define(
                f"torchvision::{name}", "(Tensor dets, Tensor scores, float threshold) -> Tensor"
            )
