"""Options made from the fields of dataclasses: what a model or a recipe has can be set."""

import argparse
import re
from dataclasses import fields
from pathlib import Path

from ..augment import Augmentation
from ..models import MODELS, Recipe

SAVED_AS = (".png", ".jpg", ".pdf", ".svg")
FROM_THE_DATA = ("img_size", "in_chans", "num_classes")


def seed(text):
    """A seed on the command line: a whole number that is not negative."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} should be a whole number, not below 0")
    return int(text)


def add_threads(parser):
    """Add --threads to a parser; None where it is not given."""
    about = "CPU threads (one for each core)"
    parser.add_argument("--threads", type=_thread_count, metavar="N", help=about)


def picture(text):
    """The name of a picture to write: a kind that can be drawn, in a folder that is there."""
    if not text.lower().endswith(SAVED_AS):
        raise argparse.ArgumentTypeError(f"{text}: the name should end in {' or '.join(SAVED_AS)}")
    if not Path(text).parent.is_dir():
        raise argparse.ArgumentTypeError(f"{text}: there is no folder {Path(text).parent}")
    return text


def recipe_classes():
    """The dataclasses whose fields say how to train."""
    return Recipe, Augmentation


def config_classes():
    """The dataclasses whose fields say what to train: every registered model's configuration."""
    return tuple(model.config_class for model in MODELS.values())


def add_fields(parser, classes):
    """Add an option for every number, word or switch among the fields of some dataclasses.

    parser : argparse parser or group
    classes : dataclasses; `embed_dim` becomes --embed-dim, its help the docstring's words on it
    """
    for name, (kind, about) in _options(classes).items():
        flag = f"--{name.replace('_', '-')}"
        if kind is bool:
            action = argparse.BooleanOptionalAction
            parser.add_argument(flag, action=action, help=about, default=None)
        else:
            metavar = {int: "N", float: "X", str: "NAME"}[kind]
            parser.add_argument(flag, type=kind, metavar=metavar, help=about)


def given_fields(args, classes):
    """The fields that were set on the command line: dict name -> value."""
    values = {name: getattr(args, name) for name in _options(classes)}
    return {name: value for name, value in values.items() if value is not None}


def _thread_count(text):
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} should be a whole number, at least 1")
    return int(text)


def _options(classes):
    options = {}
    for cls in classes:
        about = dict(re.findall(r"^    (\w+) : (.*?)(?:;.*)?$", cls.__doc__, re.MULTILINE))
        for field in fields(cls):
            if field.type in (bool, int, float, str) and field.name not in FROM_THE_DATA:
                text = about.get(field.name, "").replace("%", "%%")
                options.setdefault(field.name, (field.type, text))
    return options
