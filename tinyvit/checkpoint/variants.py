"""Which variants another project has."""

from ..errors import InputError


def require_variant(config, project, **wanted):
    """Refuse a model that another project's code cannot compute.

    config : ViTConfig
    project : whose code, as "transformers' ViT"
    wanted : the one value that it has of some fields

    Raises InputError, naming the field and both values.
    """
    for name, value in wanted.items():
        if getattr(config, name) != value:
            raise InputError(
                f"{project} has {name} {value!r} alone, not {getattr(config, name)!r} as this "
                "model: save it in timm's names, which tinyvit reads again"
            )
