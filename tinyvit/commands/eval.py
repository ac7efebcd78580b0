"""`tinyvit eval`: measure a trained model on the test images of its data set."""

import numpy as np

from ..backend import to_device
from ..data import load_dataset
from ..display import make_console
from ..evaluate import evaluate
from ..predict import predict
from ..runs import RunFolder
from ..workers import Workers
from .options import add_threads

EXAMPLES = """\
example:
  tinyvit eval runs/digits-vit
"""


def add_arguments(parser):
    """Add this command's options to its parser."""
    parser.add_argument("folder", metavar="RUN", help="a run's folder")
    parser.add_argument("--dataset", metavar="NAME", help="other data than the run's own")
    parser.add_argument("--device", choices=("cpu", "gpu"), default="cpu")
    add_threads(parser)


def run(args):
    """Print accuracy, loss and each class's errors; returns the exit status."""
    from rich.table import Table

    folder = RunFolder(args.folder)
    settings = folder.settings()
    params, config = folder.weights()
    dataset = load_dataset(args.dataset or settings.dataset)
    dataset.require_fit(config)
    params = to_device(params, args.device)
    workers = Workers(args.threads)
    result = evaluate(
        dataset.test_images,
        dataset.test_labels,
        lambda images: predict(images, params, config, device=args.device, workers=workers),
    )
    table = Table("class", "images", "right", "most often taken for")
    for label in range(config.num_classes):
        answers = result.predictions[result.labels == label]
        if len(answers):
            wrong = np.bincount(answers[answers != label], minlength=1)
            taken = f"{wrong.argmax()} ({wrong.max()} times)" if wrong.any() else ""
            right = f"{(answers == label).mean():.2%}"
            table.add_row(str(label), str(len(answers)), right, taken)
    make_console().print(table)
    print(
        f"{dataset.name}: test accuracy {result.accuracy:.2%} ({result.errors} of "
        f"{len(result.labels)} wrong), loss {result.loss:.4f} nats"
    )
    return 0
