"""`tinyvit train`: train a model, and leave a folder with weights, numbers and pictures."""

import sys
from dataclasses import replace
from pathlib import Path

from ..backend import require_device
from ..config import replace_fields
from ..data import NAMES, load_dataset
from ..display import Display
from ..errors import InputError
from ..fit import Diverged, Interrupted, fit, summarize
from ..models import MODELS, get_model
from ..params import count_params
from ..picture import ink_fraction
from ..runs import RunFolder, Settings, newest_run, unused_folder
from ..train import PRECISIONS, describe, require_room
from ..workers import granted_cores
from .options import add_fields, add_threads, config_classes, given_fields, recipe_classes, seed

EXAMPLES = """\
examples:
  tinyvit train                              the embedded digits, in under a minute
  tinyvit train --dataset mnist              MNIST, downloaded where it is not there
  tinyvit train --dataset mnist --model cnn
  tinyvit train --depth 6 --lr 5e-4 --out runs/deeper
  tinyvit train --resume runs/digits-vit     go on after a stop
"""


def add_arguments(parser):
    """Add this command's options to its parser."""
    add = parser.add_argument
    add("--dataset", metavar="NAME", help="digits, mnist, or a folder of IDX files (digits)")
    add("--model", metavar="NAME", help=f"{' or '.join(MODELS)} (vit)")
    add("--recipe", metavar="NAME", help="a named way of training: default, or best for mnist")
    add("--out", metavar="DIR", help="the run's folder (runs/DATASET-MODEL)")
    add(
        "--resume",
        nargs="?",
        const=True,
        metavar="DIR",
        help="go on with a run that was stopped (the one in --out, else the newest)",
    )
    add("--seed", type=seed, metavar="N", help="of all random numbers (0)")
    add("--device", choices=("cpu", "gpu"), help="where to compute (cpu)")
    add(
        "--precision",
        choices=PRECISIONS,
        help="on a GPU: float32, matrix products with 10 bits, or activations in bf16 (fp32)",
    )
    add_threads(parser)
    add(
        "--validation",
        type=float,
        metavar="SHARE",
        help="keep this share of the training images aside and measure on them, to choose settings",
    )
    add_fields(parser.add_argument_group("the recipe"), recipe_classes())
    add_fields(parser.add_argument_group("the model"), config_classes())


def run(args):
    """Train, then measure on the test images and draw; returns the exit status."""
    from ..run_pictures import draw_run  # here, as matplotlib is slow to import

    folder, settings, dataset = _prepare(args)
    recipe = settings.recipe
    if folder.summary.exists():
        folder.resume.unlink(missing_ok=True)  # it was killed between the two
        print(f"{folder} is finished: nothing to resume")
        return 0
    images = f"{len(dataset.train_images)} images of {dataset.image_size}x{dataset.image_size}"
    shapes = get_model(settings.model).param_shapes(settings.config)
    print(
        f"{settings.model} with {count_params(shapes):,} parameters; {settings.dataset}: {images}"
    )
    where = describe(settings.config, settings.device, settings.precision, settings.threads)
    goes_on = "going on in" if folder.resume.exists() else "into"
    print(f"{where}, seed {settings.seed}; {goes_on} {folder}")
    try:
        with Display(recipe.epochs) as display:
            trainer, evaluation, rows, seconds = fit(folder, settings, dataset, display)
    except Interrupted:
        print(f"stopped and saved; go on with: tinyvit train --resume {folder}")
        return 130
    except Diverged as error:
        print(f"tinyvit: {error}", file=sys.stderr)
        return 1
    pictures = draw_run(folder, settings, dataset, trainer, evaluation, rows)
    folder.finish(summarize(settings, evaluation, seconds))
    print(
        f"test accuracy {evaluation.accuracy:.2%} ({evaluation.errors} of "
        f"{len(evaluation.labels)} wrong) after {seconds:.1f} s of training"
    )
    print(f"in {folder}: {', '.join(pictures)}")
    return 0


def _prepare(args):
    """The run's folder, settings and data, of a new run or of one that goes on."""
    if args.resume:
        named = args.resume is not True and args.out
        same = not named or Path(args.out) == Path(args.resume)
        _require(same, f"--resume {args.resume} and --out {args.out} differ: name the run once")
        folder = RunFolder(args.out or (newest_run() if args.resume is True else args.resume))
        if folder.config.is_file() or args.resume is not True or not args.out:
            settings = folder.settings()
            _refuse_changes(args, settings, folder)
            require_device(settings.device)
            return folder, settings, load_dataset(settings.dataset)
    dataset = load_dataset(_from_anywhere(args.dataset or "digits"))
    settings = _settings(args, dataset)
    name = f"{Path(settings.dataset).name}-{settings.model}"
    folder = RunFolder(args.out or unused_folder(name))
    folder.create(settings)
    return folder, settings, dataset


def _settings(args, dataset):
    model = get_model(args.model or "vit")
    recipe = _recipe(args, model, dataset.name)
    config = replace_fields(
        model.config_class.preset(recipe.preset),
        **{
            "img_size": dataset.image_size,
            "in_chans": dataset.train_images.shape[1],
            "num_classes": dataset.num_classes,
            **recipe.overrides,
            **given_fields(args, config_classes()),
        },
    )
    device = args.device or "cpu"
    validation = args.validation or 0.0
    _require(0 <= validation < 1, f"--validation {validation}: a share from 0 to below 1, as 0.1")
    count = len(dataset.train_images)
    _require(round(validation * count) < count, f"--validation {validation} leaves no image")
    precision = args.precision or "fp32"
    require_room(config, min(recipe.batch_size, count), device, precision)
    return Settings(
        model=model.name,
        config=config,
        dataset=dataset.name,
        recipe=recipe,
        seed=args.seed or 0,
        device=device,
        threads=args.threads or granted_cores(),
        validation=validation,
        ink_fraction=ink_fraction(dataset.train_images),
        precision=precision,
    )


def _recipe(args, model, dataset):
    """The named recipe, with what the command line says in place of its own numbers."""
    name = args.recipe or "default"
    if name not in model.recipes:
        raise InputError(f"no recipe {name!r} for {model.name}: use {' or '.join(model.recipes)}")
    recipes = model.recipes[name]
    recipe = recipes.get(dataset, recipes["mnist"])
    given = given_fields(args, recipe_classes())
    augmentation = {k: given.pop(k) for k in list(given) if hasattr(recipe.augmentation, k)}
    return replace(recipe, **given, augmentation=replace(recipe.augmentation, **augmentation))


def _from_anywhere(dataset):
    """A folder's whole path, so that the run can go on from another place; a name as it is."""
    if dataset in NAMES or not Path(dataset).is_dir():
        return dataset
    return str(Path(dataset).resolve())


def _refuse_changes(args, settings, folder):
    """A run goes on as it began, or its result would belong to no settings at all."""
    recipe = settings.recipe
    began = {"dataset": settings.dataset, "model": settings.model, "seed": settings.seed}
    began |= {"device": settings.device, "threads": settings.threads}
    began |= {"validation": settings.validation, "precision": settings.precision}
    began |= vars(recipe) | vars(recipe.augmentation) | vars(settings.config)
    asked = {name: value for name, value in vars(args).items() if value is not None}
    if "dataset" in asked:
        asked["dataset"] = _from_anywhere(asked["dataset"])
    other = "leave the option out to go on, or begin a new run with another --out"
    for name in sorted(asked.keys() - {"run", "out", "resume", "recipe"}):
        flag = f"--{name.replace('_', '-')}"
        if name not in began:
            raise InputError(f"{folder} holds a {settings.model}, which has no {flag}: {other}")
        if asked[name] != began[name]:
            raise InputError(
                f"{folder} was begun with {flag} {began[name]}, not {asked[name]}: {other}"
            )
    if args.recipe and _recipe(args, get_model(settings.model), settings.dataset) != recipe:
        raise InputError(f"{folder} was begun with another recipe than {args.recipe}: {other}")


def _require(condition, message):
    if not condition:
        raise InputError(message)
