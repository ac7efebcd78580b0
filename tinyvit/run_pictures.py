"""The pictures that a finished training leaves in its run folder."""

import numpy as np

from . import show
from .data import normalize
from .models import model_of

LOOKED_AT = 8  # images in the picture of the attention


def draw_run(run, settings, dataset, trainer, evaluation, rows):
    """Draw curves, confusion matrix, hardest images and, where the model has one, attention.

    run : `RunFolder` to draw into
    settings, dataset, trainer, evaluation, rows : of the training, as `fit` had and returned them

    Returns the names of the files.
    """
    images, labels = dataset.test_images, dataset.test_labels
    pictures = {
        "curves.png": show.curves(rows),
        "confusion.png": show.confusion(labels, evaluation.predictions, dataset.num_classes),
        "hardest.png": show.hardest(images, labels, evaluation.logits),
    }
    model = model_of(settings.config)
    if model.attention is not None:
        chosen = _one_of_each(labels)[:LOOKED_AT]
        looked = images[chosen]
        _, cache = model.forward(normalize(looked), trainer.best_params, settings.config)
        pictures["attention.png"] = show.attention(
            looked, model.attention(cache), labels[chosen], evaluation.predictions[chosen]
        )
    for name, figure in pictures.items():
        show.save(figure, run.path / name)
    return list(pictures)


def _one_of_each(labels):
    """Indices of the first image of each class, then of others."""
    _, first = np.unique(labels, return_index=True)
    others = np.setdiff1d(np.arange(min(len(labels), 100)), first)
    return np.concatenate([first, others])
