"""Google's models loaded here, and ours there: the same logits, and the same step of training.

flax (google/flax) makes, runs and trains them, as `flax_vit.py` defines them; np.savez writes their
files, as google-research/vision_transformer and big_vision do.
"""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from side_by_side import (
    LR,
    ODD,
    TOLERANCE,
    assert_same_logits_and_step,
    batch,
    difference,
    logits_here,
    random_values,
    step_here,
)

from tinyvit import ViTConfig, load_checkpoint, save_checkpoint, vit_forward
from tinyvit.params import param_shapes
from tinyvit.vit import sincos2d

ODD = replace(ODD, activation="gelu_tanh")
GAP = replace(ODD, global_pool="avg", class_token=False, img_size=12, patch_size=4, in_chans=3)
SMALL = {"token": ODD, "gap": GAP}
FULL_SIZE = ("vit_tiny_patch16_224", "vit_base_patch16_224", "vit_base_patch32_224")

both_types = pytest.mark.parametrize("dtype", ["float32", "float64"])
small = pytest.mark.parametrize("config", SMALL.values(), ids=SMALL)
pytestmark = pytest.mark.usefixtures("flax")


@pytest.fixture(scope="module")
def flax():
    pytest.importorskip("jax")
    return pytest.importorskip("flax")


class FlaxSide:
    """A model of flax's, saved as its flattened tree of parameters.

    tensors : its parameters by name, words joined by /; None draws them at random
    """

    def __init__(self, config, dtype="float32", *, big_vision=False, tensors=None):
        self.config, self.dtype, self.big_vision = config, dtype, big_vision
        self.tensors = tensors or random_values(shapes(config, big_vision), dtype=dtype)

    def save(self, folder):
        from flax_vit import published

        folder.mkdir(exist_ok=True)
        tensors = self.tensors if self.big_vision else published(self.tensors)
        np.savez(folder / "weights.npz", **tensors)
        return folder / "weights.npz"

    def loss_logits_grads(self, images, labels):
        import jax
        from flax.traverse_util import flatten_dict, unflatten_dict

        with jax.enable_x64(self.dtype == "float64"):
            tree = unflatten_dict(self.tensors, sep="/")
            run = compiled(self.config, self.big_vision)
            (loss, logits), grads = run(tree, images.transpose(0, 2, 3, 1), labels)
            return float(loss), np.asarray(logits), flatten_dict(grads, sep="/")

    def logits(self, images):
        return self.loss_logits_grads(images, np.zeros(len(images), "int64"))[1]

    def step(self, images, labels):
        loss, _, grads = self.loss_logits_grads(images, labels)
        self.tensors = {name: t - LR * np.asarray(grads[name]) for name, t in self.tensors.items()}
        return loss


@cache
def shapes(config, big_vision=False):
    """Name and shape of each of a model's tensors."""
    import jax
    from flax.traverse_util import flatten_dict
    from flax_vit import ViT

    images, _ = batch(config, "float32")
    init = ViT(config, big_vision).init
    tree = jax.eval_shape(init, jax.random.key(0), images.transpose(0, 2, 3, 1))
    return {name: leaf.shape for name, leaf in flatten_dict(tree["params"], sep="/").items()}


@cache
def compiled(config, big_vision):
    """(parameters, images, labels) -> (loss, logits), gradients of the parameters."""
    import jax
    from flax_vit import ViT

    def loss_and_logits(params, images, labels):
        logits = ViT(config, big_vision).apply({"params": params}, images)
        chosen = jax.nn.log_softmax(logits)[jax.numpy.arange(len(labels)), labels]
        return -chosen.mean(), logits

    return jax.jit(jax.value_and_grad(loss_and_logits, has_aux=True))


@pytest.mark.parametrize(
    "config, dtype",
    [
        pytest.param(ODD, "float32", id="token-float32"),
        pytest.param(ODD, "float64", id="token-float64"),
        pytest.param(GAP, "float64", id="gap-float64"),
        pytest.param(GAP, "float32", id="gap-float32", marks=pytest.mark.slow),  # to compile it
    ],
)
def test_small_models(tmp_path, config, dtype):
    side = FlaxSide(config, dtype)
    assert config == assert_same_logits_and_step(side, tmp_path, dtype)


@pytest.mark.slow
@both_types
@pytest.mark.parametrize("name", FULL_SIZE)
def test_full_size_models(tmp_path, name, dtype):
    config = ViTConfig.preset(name, activation="gelu_tanh")
    side = FlaxSide(config, dtype)
    assert config == assert_same_logits_and_step(side, tmp_path, dtype)


@pytest.mark.slow
@both_types
def test_big_vision_without_a_class_token(tmp_path, dtype):
    side = FlaxSide(GAP, dtype, big_vision=True)
    assert assert_same_logits_and_step(side, tmp_path, dtype) == GAP


@pytest.mark.slow
@both_types
def test_big_vision_with_fixed_positions(tmp_path, dtype):
    """It computes them, and its files have no table; flax gets the table here."""
    side = FlaxSide(GAP, dtype, big_vision=True)
    table = side.tensors["pos_embedding"] = sincos2d(GAP, dtype)
    path = side.save(tmp_path)
    np.savez(path, **{name: t for name, t in side.tensors.items() if t is not table})
    params, config = load_checkpoint(path, img_size=GAP.img_size)
    assert config == replace(GAP, pos_embed="sincos2d") and "pos_embed" not in params
    images, _ = batch(config, dtype)
    ours, _ = vit_forward(images, params, config)
    assert difference(ours, side.logits(images)) < TOLERANCE[dtype]


def test_big_vision_with_a_class_token(tmp_path):
    """Its class token has no position; here it has one, of zeros, and a step moves it."""
    side = FlaxSide(ODD, "float64", big_vision=True)
    params, config = load_checkpoint(side.save(tmp_path))
    assert config == ODD and not params["pos_embed"][:, 0].any()
    images, labels = batch(ODD, "float64")
    logits, loss, after = step_here(params, config, images, labels)
    assert difference(logits, side.logits(images)) < 1e-10
    assert difference(loss, side.step(images, labels)) < 1e-10
    theirs, _ = load_checkpoint(side.save(tmp_path))
    assert after["pos_embed"][:, 0].any() and not theirs["pos_embed"][:, 0].any()
    after["pos_embed"][:, 0] = 0
    for name, value in after.items():
        assert difference(value, theirs[name]) < 1e-10, name


def scanned(tensors):
    """All blocks in one, an axis more in front: how big_vision keeps them when it scans."""
    kept = {name: t for name, t in tensors.items() if "encoderblock_" not in name}
    for first in [name for name in tensors if "encoderblock_0/" in name]:
        before, _, after = first.partition("_0/")
        blocks = [tensors[f"{before}_{i}/{after}"] for i in range(ODD.depth)]
        kept[f"{before}/{after}"] = np.stack(blocks)
    return kept


def as_made(tensors):
    return tensors


@pytest.mark.parametrize("prefix", ["", "params/", "params/img/", "opt/target/"])
@pytest.mark.parametrize("write", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("big_vision", [False, True], ids=["vit_jax", "big_vision"])
@pytest.mark.parametrize("how", [as_made, scanned])
def test_all_their_ways_of_writing(tmp_path, how, big_vision, write, prefix):
    side = FlaxSide(ODD, big_vision=big_vision)
    expected, config = load_checkpoint(side.save(tmp_path))
    tensors = how(side.tensors)
    assert ("Transformer/encoderblock/LayerNorm_0/scale" in tensors) is (how is scanned)
    write(tmp_path / "b.npz", **{prefix + name: tensor for name, tensor in tensors.items()})
    params, again = load_checkpoint(tmp_path / "b.npz")
    assert again == config == ODD
    assert list(params) == list(expected)
    for name, value in expected.items():
        assert value.tobytes() == params[name].tobytes(), name


@pytest.mark.parametrize("at", ["pos_embedding", "Transformer/pos_embedding"])
def test_old_big_vision_with_a_position_for_the_class_token(tmp_path, at):
    side = FlaxSide(ODD)
    expected, _ = load_checkpoint(side.save(tmp_path))
    tensors = dict(side.tensors)
    tensors[at] = tensors.pop("Transformer/posembed_input/pos_embedding")
    np.savez(tmp_path / "b.npz", **tensors)
    params, config = load_checkpoint(tmp_path / "b.npz")
    assert config == ODD
    assert params["pos_embed"].tobytes() == expected["pos_embed"].tobytes()


def ours_in_a_file(path, config):
    """Save a random model of ours; return images and logits."""
    params = random_values(param_shapes(config), seed=2)
    save_checkpoint(path, params, config, format="google")
    images, _ = batch(config, "float32")
    logits, _ = vit_forward(images, params, config)
    return images, logits


def loaded_there(path, config):
    """Read a file as vit_jax/checkpoint.py does, which renames the layers of before linen."""
    from flax.training.checkpoints import convert_pre_linen
    from flax.traverse_util import flatten_dict, unflatten_dict

    with np.load(path, allow_pickle=False) as file:
        tree = convert_pre_linen(unflatten_dict(dict(file), sep="/"))
    return FlaxSide(config, tensors=flatten_dict(tree, sep="/"))


@small
def test_ours_loaded_there(tmp_path, config):
    images, ours = ours_in_a_file(tmp_path / "ours.npz", config)
    there = loaded_there(tmp_path / "ours.npz", config)
    assert {name: t.shape for name, t in there.tensors.items()} == shapes(config)
    assert difference(ours, there.logits(images)) < TOLERANCE["float32"]


@pytest.mark.slow
@pytest.mark.parametrize("name", FULL_SIZE)
def test_ours_of_full_size_loaded_there(tmp_path, name):
    config = ViTConfig.preset(name, activation="gelu_tanh")
    images, ours = ours_in_a_file(tmp_path / "ours.npz", config)
    there = loaded_there(tmp_path / "ours.npz", config)
    assert difference(ours, there.logits(images)) < TOLERANCE["float32"]


def test_another_image_size(tmp_path):
    """vit_jax/checkpoint.py keeps the class token's position, and zooms the others."""
    zoom = pytest.importorskip("scipy.ndimage").zoom
    side = FlaxSide(ODD)
    path, config = side.save(tmp_path), replace(ODD, img_size=25)
    at = "Transformer/posembed_input/pos_embedding"
    first, grid = side.tensors[at][:, :1], side.tensors[at][0, 1:].reshape(3, 3, -1)
    grid = zoom(grid, (5 / 3, 5 / 3, 1), order=1).reshape(1, -1, ODD.embed_dim)
    there = FlaxSide(config, tensors=side.tensors | {at: np.concatenate([first, grid], axis=1)})
    images, _ = batch(config, "float32")
    ours = logits_here(path, images, img_size=25)
    assert difference(ours, there.logits(images)) < TOLERANCE["float32"]
