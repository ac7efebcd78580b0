"""What a training shows while it runs: a progress bar in a terminal, plain lines elsewhere."""

import time
from contextlib import nullcontext

LINE_EVERY = 2.0  # seconds between two lines about epochs


def make_console(**options):
    """A place for tables and lines: what it is given is shown as it is, [brackets] and all.

    options : of rich's Console: file, width; by itself it finds out both

    A closed pipe, as in `tinyvit summary digits | head`, is left to the command line.
    """
    from rich.console import Console

    console = Console(highlight=False, markup=False, emoji=False, **options)
    console.on_broken_pipe = _raise_again  # rich would end the process with status 1
    return console


def _raise_again():
    raise


def saying(what):
    """Say in a terminal what is being done, as long as it is: `with saying("timing A"): ...`."""
    from rich.console import Console

    console = Console(stderr=True)
    return console.status(f"{what} ...") if console.is_terminal else nullcontext()


class Display:
    """A bar with loss, accuracy, images a second and time left, and a line for an epoch.

    Used as `with Display(...) as display`; `fit` then calls `step` and `epoch`. Where the output
    is no terminal there is no bar, only the lines.

    epochs : of the whole training
    """

    def __init__(self, epochs):
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self._epochs = epochs
        self._console = make_console()
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[numbers]}"),
            TimeRemainingColumn(compact=True),
            console=self._console,
            disable=not self._console.is_terminal,
            transient=True,
            expand=True,
        )
        self._task = self._bar.add_task("", total=None, numbers="")
        self._line_at = -LINE_EVERY
        self._speed, self._step_at = None, None

    def __enter__(self):
        self._bar.start()
        return self

    def __exit__(self, *error):
        self._bar.stop()

    def step(self, step, total, tally, batch_size):
        """A step was taken.

        step : its number, from 1
        total : number of the last step
        tally : sums over the epoch so far: loss, correct, images
        batch_size : images in it
        """
        now = time.perf_counter()
        if self._step_at is not None:
            speed = batch_size / max(now - self._step_at, 1e-9)
            self._speed = 0.9 * self._speed + 0.1 * speed if self._speed else speed
        self._step_at = now
        loss, accuracy = tally["loss"] / tally["images"], tally["correct"] / tally["images"]
        numbers = f"loss {loss:.3f}  acc {accuracy:6.2%}  {self._speed or 0:5.0f} img/s"
        epoch = (step - 1) * self._epochs // total + 1
        self._bar.update(
            self._task,
            total=total,
            completed=step,
            description=f"epoch {epoch}/{self._epochs}",
            numbers=numbers,
        )

    def epoch(self, row):
        """An epoch was measured; a line tells of it, if the last one is a while ago.

        row : as in metrics.jsonl
        """
        now = time.perf_counter()
        if now - self._line_at < LINE_EVERY and row["epoch"] < self._epochs:
            return
        self._line_at = now
        name = "validation" if "validation_accuracy" in row else "test"
        width = len(str(self._epochs))
        self._console.print(
            f"epoch {row['epoch']:{width}}/{self._epochs}"
            f"  train loss {row['train_loss']:.4f}, accuracy {row['train_accuracy']:.2%}"
            f"  {name} accuracy {row[f'{name}_accuracy']:.2%}"
            f"  {row['seconds']:.0f} s",
            soft_wrap=True,
        )
        self._step_at = None
