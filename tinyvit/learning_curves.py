"""Learning curves: accuracy on test images against the number of images that were trained on.

    python -m tinyvit.learning_curves --dataset mnist --out learning_curves.json

Whatever the number of images, every training has the same number of steps, of the same batch size,
with the same augmentation, so that only the data differ.
"""

import argparse
import json
import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from .augment import Augmentation
from .batches import Batches
from .bench.machine import describe
from .data import load_dataset
from .errors import InputError
from .evaluate import evaluate
from .files import whole_file
from .models import get_model, model_of
from .params import count_params
from .train import Trainer
from .workers import granted_cores

SUBSET = 3  # which random stream of a seed: 1 and 2 are those of `Batches`


@dataclass(frozen=True)
class Entrant:
    """A model that takes part, with the two numbers of a recipe that are its own.

    config : configuration of a registered model
    lr : highest learning rate
    weight_decay : AdamW's, on weight matrices only
    """

    config: object
    lr: float
    weight_decay: float = 0.0

    @property
    def parameters(self):
        """Number of single numbers that are learned."""
        return count_params(model_of(self.config).param_shapes(self.config))


@dataclass(frozen=True)
class Plan:
    """What is the same for all entrants.

    sizes : numbers of training images
    seeds : each chooses the images, their order and the first weights; of one seed, a smaller
        choice of images is part of a larger one, and all entrants see the same images
    steps : optimiser steps of a training
    batch_size : images a step; all of them where there are fewer
    warmup_steps : steps over which the learning rate rises; then it falls to 0 on a cosine
    augmentation : how training images are moved and bent
    """

    sizes: tuple
    seeds: tuple = (0, 1, 2)
    steps: int = 1000
    batch_size: int = 64
    warmup_steps: int = 50
    augmentation: Augmentation = Augmentation()


def entrant(model, dataset, **overrides):
    """An entrant as the recipe of a data set makes it.

    model : "vit" or "cnn"
    dataset : "digits" or "mnist"
    overrides : fields of the configuration to replace
    """
    model = get_model(model)
    recipe = model.recipes["default"][dataset]
    config = model.config_class.preset(recipe.preset, **(recipe.overrides | overrides))
    return Entrant(config, recipe.lr, recipe.weight_decay)


def choose(dataset, size, seed):
    """Numbers (size,) of the training images that a seed chooses.

    Raises InputError where there are fewer images than `size`.
    """
    count = len(dataset.train_images)
    if not 1 <= size <= count:
        raise InputError(f"{dataset.name} has {count} training images: {size} are not to be had")
    return np.random.default_rng([seed, SUBSET]).permutation(count)[:size]


def accuracy_after(someone, dataset, size, seed, plan, threads=None):
    """Train on a part of the training images; measure on all test images.

    someone : `Entrant`
    dataset : `Dataset`
    size : number of training images
    seed : of all random numbers
    plan : `Plan`; of it the steps, the batch size, the warm-up and the augmentation
    threads : CPU threads; None takes one for each core granted

    Returns the share of right answers.
    """
    chosen = choose(dataset, size, seed)
    images, labels = dataset.train_images[chosen], dataset.train_labels[chosen]
    batches = Batches(images, labels, plan.batch_size, plan.augmentation, seed)
    trainer = Trainer(
        someone.config,
        model_of(someone.config).init_params(someone.config, seed),
        **{"threads": threads, "seed": seed, "lr": someone.lr},
        **{"weight_decay": someone.weight_decay, "warmup_steps": plan.warmup_steps},
        total_steps=plan.steps,
    )
    for step in range(plan.steps):
        trainer.step(*batches[step])
    return evaluate(dataset.test_images, dataset.test_labels, trainer.predict).accuracy


def measure(entrants, dataset, plan, threads=None, done=()):
    """Train every entrant on every number of images with every seed.

    entrants : dict name -> `Entrant`
    dataset : `Dataset`
    plan : `Plan`
    threads : CPU threads; None takes one for each core granted
    done : rows measured before, which are not measured again

    Yields a row, a dict, as soon as it is measured: `model` (the entrant's name), `size`, `seed`,
    `accuracy` [0 to 1], `seconds`. One seed is finished before the next begins.
    """
    known = {(row["model"], row["size"], row["seed"]) for row in done}
    for seed in plan.seeds:
        for size in plan.sizes:
            for name, someone in entrants.items():
                if (name, size, seed) in known:
                    continue
                start = time.perf_counter()
                accuracy = accuracy_after(someone, dataset, size, seed, plan, threads)
                seconds = round(time.perf_counter() - start, 1)
                row = {"model": name, "size": size, "seed": seed}
                yield row | {"accuracy": round(accuracy, 4), "seconds": seconds}


def summary(rows):
    """Mean and spread over the seeds.

    rows : as `measure` yields them

    Returns three dicts name -> (n,)
        sizes : numbers of training images
        means : of the accuracy [%]
        spreads : its standard deviation over the seeds (divided by n - 1; 0 for a single seed)
    """
    rows, sizes, means, spreads = list(rows), {}, {}, {}
    for name in dict.fromkeys(row["model"] for row in rows):
        mine = [row for row in rows if row["model"] == name]
        sizes[name] = np.array(sorted({row["size"] for row in mine}))
        groups = [[100 * row["accuracy"] for row in mine if row["size"] == n] for n in sizes[name]]
        means[name] = np.array([np.mean(group) for group in groups])
        spreads[name] = np.array([np.std(group, ddof=1) if group[1:] else 0.0 for group in groups])
    return sizes, means, spreads


PLANS = {
    "mnist": Plan(sizes=(100, 300, 1000, 3000, 10000, 60000), steps=1500, warmup_steps=100),
    "digits": Plan(sizes=(50, 150, 500, 1438), steps=300, warmup_steps=30),
}
COMMAND = "python -m tinyvit.learning_curves"
WIDE = 16  # channels of the wide CNN


def main(words=None):
    """Measure the learning curves of a ViT, the small CNN and a wider CNN; write them as JSON."""
    words = sys.argv[1:] if words is None else words
    parser = argparse.ArgumentParser(
        prog=COMMAND,
        description="Accuracy against the number of training images, for a ViT and two CNNs. "
        "Stopped, and started again in the same words, it goes on.",
    )
    add = parser.add_argument
    add("--dataset", choices=PLANS, default="digits", help="digits or mnist (digits)")
    add("--augment", action="store_true", help="as the ViT's recipe does; without: not at all")
    add("--out", type=Path, default=Path("learning_curves.json"), metavar="FILE")
    add("--steps", type=int, metavar="N", help="optimiser steps of a training")
    add("--sizes", type=int, nargs="+", metavar="N", help="numbers of training images")
    add("--seeds", type=int, nargs="+", metavar="N", help="(0 1 2)")
    add("--threads", type=int, metavar="N", help="CPU threads (one for each core)")
    args = parser.parse_args(words)
    given = {"steps": args.steps, "sizes": args.sizes, "seeds": args.seeds}
    plan = replace(PLANS[args.dataset], **{name: value for name, value in given.items() if value})
    if args.augment:
        recipe = get_model("vit").recipes["default"][args.dataset]
        plan = replace(plan, augmentation=recipe.augmentation)
    entrants = {
        "CNN": entrant("cnn", args.dataset),
        "ViT": entrant("vit", args.dataset),
        "wide CNN": entrant("cnn", args.dataset, channels=WIDE),
    }
    try:
        command = " ".join([COMMAND, *words])
        record(args.out, entrants, args.dataset, plan, args.threads or granted_cores(), command)
    except InputError as error:
        parser.error(str(error))


def record(path, entrants, dataset, plan, threads, command=""):
    """Measure, and write all that is known after each training; go on with what the file holds.

    path : of the JSON file: `command`, `settings`, `machine`, `date`, `rows` as `measure` yields
        them
    entrants, plan, threads : as for `measure`
    dataset : its name
    command : what was typed

    Raises InputError where the file holds what was measured with other settings.
    """
    settings = {"dataset": dataset, "plan": asdict(plan), "threads": threads, "entrants": {}}
    for name, someone in entrants.items():
        settings["entrants"][name] = asdict(someone) | {"parameters": someone.parameters}
    settings = json.loads(json.dumps(settings))  # tuples become lists, as in the file
    rows = []
    if path.exists():
        before = json.loads(path.read_text("utf-8"))
        if before["settings"] != settings:
            raise InputError(f"{path} was measured with other settings: give another --out")
        rows = before["rows"]
    for row in measure(entrants, load_dataset(dataset), plan, threads, done=rows):
        rows.append(row)
        machine = f"{describe()}, {granted_cores()} cores"
        found = {"command": command, "machine": machine, "date": time.strftime("%Y-%m-%d")}
        found |= {"settings": settings}
        with whole_file(path) as temporary:
            temporary.write_text(_as_text(found, rows), "utf-8")
        print(", ".join(f"{name} {value}" for name, value in row.items()), flush=True)


def _as_text(found, rows):
    """JSON with a row on a line."""
    head = json.dumps(found, indent=1).removesuffix("\n}")
    return head + ',\n "rows": [\n  ' + ",\n  ".join(map(json.dumps, rows)) + "\n ]\n}\n"


if __name__ == "__main__":
    main()
