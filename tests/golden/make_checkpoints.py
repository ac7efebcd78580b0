"""Writes checkpoints/: small random models as other projects save them, and what they answer.

    python tests/golden/make_checkpoints.py

Each folder holds a file of float32 weights, written by its project's own means, and answers.npz:
images, labels, and what the project makes of them in float64 with the same weights: logits, loss,
and its parameters after one step of plain SGD, in the names of its files.

timm and transformers compute their own answers. The .npz files and answers are of flax and of
`flax_vit.py`, which stands in for google-research/vision_transformer and big_vision: neither is a
package, and both compute in float32 alone. By hand, not here, their own sources were run with flax
0.12.8 on these weights: the tensors have the same names and shapes, and their logits in float32 are
those of `flax_vit.py` to the last bit (to 1e-7 where big_vision scans its blocks).

Needed only when a model is new or changed; the tests read the files, with or without the projects.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent)]

from side_by_side import LR, batch, mend_torchvision  # noqa: E402
from test_stored_checkpoints import FOLDER, STORED, tensors_of  # noqa: E402
from test_with_flax import FlaxSide, scanned  # noqa: E402
from test_with_timm import TimmSide, timm_model  # noqa: E402
from test_with_transformers import HuggingFaceSide, hf_model  # noqa: E402


class BigVisionSide(FlaxSide):
    """A model of big_vision's, in a file of its own way."""

    prefix, arranged = "params/", staticmethod(dict)

    def save(self, folder):
        folder.mkdir(exist_ok=True)
        tensors = self.arranged(self.tensors).items()
        np.savez(folder / "weights.npz", **{self.prefix + name: t for name, t in tensors})
        return folder / "weights.npz"


class ScannedSide(BigVisionSide):
    prefix, arranged = "params/img/", staticmethod(scanned)


def timm(config):
    return TimmSide(timm_model(config))


def hugging_face(config):
    return HuggingFaceSide(hf_model(config))


def big_vision(config):
    return BigVisionSide(config, big_vision=True)


def big_vision_scanned(config):
    return ScannedSide(config, big_vision=True)


MAKERS = {
    "timm": timm,
    "timm_average": timm,
    "timm_distilled": timm,
    "hugging_face": hugging_face,
    "google": FlaxSide,
    "google_gap": FlaxSide,
    "big_vision": big_vision,
    "big_vision_scanned": big_vision_scanned,
}


def in_float64(side):
    """The same weights, for answers in float64."""
    if isinstance(side, FlaxSide):
        tensors = {name: tensor.astype("float64") for name, tensor in side.tensors.items()}
        return type(side)(side.config, "float64", big_vision=side.big_vision, tensors=tensors)
    return type(side)(side.model, "float64", seed=None)


def main():
    mend_torchvision()
    FOLDER.mkdir(exist_ok=True)
    for name, (_, config, _) in STORED.items():
        side = MAKERS[name](config)
        side.save(FOLDER / name).chmod(0o644)
        side = in_float64(side)
        images, labels = batch(config, "float32")
        answers = {"images": images, "labels": labels, "lr": LR}
        answers["logits"] = side.logits(images.astype("float64"))
        answers["loss"] = side.step(images.astype("float64"), labels)
        with tempfile.TemporaryDirectory() as folder:
            after = tensors_of(side.save(Path(folder)))
        answers |= {f"after/{name}": tensor for name, tensor in after.items()}
        np.savez_compressed(FOLDER / name / "answers.npz", **answers)
    files = [file for file in FOLDER.rglob("*") if file.is_file()]
    print(f"{FOLDER}: {len(files)} files, {sum(file.stat().st_size for file in files)} bytes")


if __name__ == "__main__":
    main()
