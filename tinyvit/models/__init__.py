"""The models that can be trained, by name. A new one is a file beside this one and a line here."""

from ..errors import InputError
from .cnn import CNN
from .model import Model, OnCPU, Recipe
from .vit import VIT

MODELS = {model.name: model for model in (VIT, CNN)}


def get_model(name):
    """Return the model of that name.

    name : "vit", "cnn" ...

    Raises InputError for a name that is not registered.
    """
    if name not in MODELS:
        raise InputError(f"no model {name!r}: use {' or '.join(MODELS)}")
    return MODELS[name]


def model_of(config):
    """Return the model that a configuration belongs to.

    config : ViTConfig, CNNConfig ...

    Raises InputError when no registered model has such a configuration.
    """
    for model in MODELS.values():
        if isinstance(config, model.config_class):
            return model
    raise InputError(f"{type(config).__name__} is not the configuration of a registered model")


__all__ = ["MODELS", "Model", "OnCPU", "Recipe", "get_model", "model_of"]
