"""Where you stopped, in which lesson: a small readable file in your folder for such things."""

import json
from contextlib import suppress
from pathlib import Path

from ..files import whole_file


def places_file():
    """The path of the file."""
    from platformdirs import user_state_path

    return Path(user_state_path("tinyvit", appauthor=False)) / "lessons.json"


def read_places():
    """What was kept: dict lesson ("04_layernorm") -> number of the cell to go on with, or "done".

    A file that is missing or damaged is the same as none; "last" names the lesson used last.
    """
    try:
        places = dict(json.loads(places_file().read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return {}
    return {name: place for name, place in places.items() if name == "last" or _is_place(place)}


def keep_place(lesson, place):
    """Keep a place; where the folder cannot be written nothing is kept.

    lesson : "04_layernorm"
    place : number of the cell to go on with, from 0, or "done"
    """
    path = places_file()
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        places = read_places() | {lesson: place, "last": lesson}
        with whole_file(path) as temporary:
            temporary.write_text(json.dumps(places, indent=2) + "\n", "utf-8")


def _is_place(place):
    return place == "done" or (type(place) is int and place >= 0)
