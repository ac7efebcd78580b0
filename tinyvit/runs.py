"""A run folder: the settings of one training, what it measured, and what it needs to go on."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from .augment import Augmentation
from .checkpoint import load_checkpoint, read_safetensors, save_checkpoint
from .errors import InputError
from .files import whole_file
from .models import Recipe, get_model


@dataclass(frozen=True)
class Settings:
    """All that a training depends on; two runs with the same settings end with the same bits.

    model : name of a registered model
    config : its configuration
    dataset : "digits", "mnist" or a folder
    recipe : how it is trained
    seed : of the first weights, the order of the images, the augmentation and the dropouts
    device : "cpu" or "gpu"
    threads : CPU threads
    validation : share of the training images, taken from their end, that is kept aside and
        measured after each epoch in place of the test images; 0 keeps none
    ink_fraction : how much of an image's side a typical training image fills, for `predict`
    precision : of a GPU's arithmetic: "fp32", "tf32" or "bf16"
    """

    model: str
    config: object
    dataset: str
    recipe: Recipe
    seed: int
    device: str
    threads: int
    validation: float
    ink_fraction: float
    precision: str = "fp32"

    def to_json(self):
        """These settings as text, for config.json."""
        return json.dumps(asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, text):
        """The settings that `to_json` wrote.

        Raises InputError, TypeError, KeyError or ValueError when the text is something else.
        """
        values = json.loads(text)
        recipe = values["recipe"]
        recipe["augmentation"] = Augmentation(**recipe["augmentation"])
        values["recipe"] = Recipe(**recipe)
        values["config"] = get_model(values["model"]).config_class(**values["config"])
        return cls(**values)


class RunFolder:
    """The files of one run: config.json, metrics.jsonl, checkpoint.safetensors, summary.json.

    resume.safetensors is there while the training is not finished.

    path : the folder
    """

    def __init__(self, path):
        self.path = Path(path)
        self.config = self.path / "config.json"
        self.metrics = self.path / "metrics.jsonl"
        self.checkpoint = self.path / "checkpoint.safetensors"
        self.resume = self.path / "resume.safetensors"
        self.summary = self.path / "summary.json"

    def __str__(self):
        return str(self.path)

    def create(self, settings):
        """Make the folder and write the settings into it.

        Raises InputError when it holds a run already, OSError where it cannot be written.
        """
        if self.config.exists():
            raise InputError(
                f"{self}: holds a run already: go on with --resume {self}, or choose another --out"
            )
        self.path.mkdir(parents=True, exist_ok=True)
        self._write(self.config, settings.to_json())

    def settings(self):
        """Read the settings.

        Raises InputError when the folder holds no run, or config.json is damaged.
        """
        if not self.config.is_file():
            raise InputError(
                f"{self}: holds no run (no config.json): tinyvit train --out {self} begins one"
            )
        try:
            return Settings.from_json(self.config.read_text())
        except (InputError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(f"{self.config}: is not a run's settings: {error}") from error

    def weights(self):
        """Read the checkpoint: params, config. Raises InputError when it is missing or damaged."""
        return load_checkpoint(self.checkpoint)

    def save(self, trainer, progress):
        """Write the weights to evaluate, then what is needed to go on; each whole or not at all.

        In this order a kill between the two loses nothing: the steps since are taken again, and the
        weights written again. The other way round, the weights of the last step could be missed.

        trainer : a `Trainer`
        progress : what the training loop needs to go on, of numbers, strings, lists and dicts
        """
        from safetensors.numpy import save

        save_checkpoint(self.checkpoint, trainer.best_params, trainer.config)
        with whole_file(self.resume) as temporary:
            note = {"progress": json.dumps(progress)}
            temporary.write_bytes(save(trainer.state(), metadata=note))

    def load(self, trainer):
        """Set a trainer to where `save` left it; returns the progress.

        Raises InputError when the file is damaged, or was written by another training.
        """
        state, metadata = read_safetensors(self.resume)
        try:
            progress = json.loads(metadata["progress"])
            trainer.restore(state, progress["step"])
        except (InputError, KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"{self.resume}: does not belong to this run ({error}): begin a new one"
            ) from error
        return progress

    def append_metrics(self, row):
        """Add a line to metrics.jsonl."""
        with open(self.metrics, "a") as file:
            file.write(json.dumps(row) + "\n")

    def write_metrics(self, rows):
        """Write metrics.jsonl anew: lines written after the last checkpoint are dropped."""
        self._write(self.metrics, "".join(json.dumps(row) + "\n" for row in rows))

    def finish(self, summary):
        """Write summary.json; the file to go on with is no longer needed."""
        self._write(self.summary, json.dumps(summary, indent=2) + "\n")
        self.resume.unlink(missing_ok=True)

    def _write(self, path, text):
        with whole_file(path) as temporary:
            temporary.write_text(text)


def unused_folder(name):
    """The first of runs/NAME, runs/NAME-2, runs/NAME-3 ... that does not exist yet."""
    path, number = Path("runs") / name, 1
    while path.exists():
        number += 1
        path = Path("runs") / f"{name}-{number}"
    return path


def newest_run():
    """The run in runs/ that was started last.

    Raises InputError when there is none.
    """
    configs = sorted(Path("runs").glob("*/config.json"), key=lambda path: path.stat().st_mtime)
    if not configs:
        raise InputError("runs/ holds no run to resume: name its folder: --resume DIR")
    return configs[-1].parent
