"""A page in the browser that always shows the latest figure: beside the terminal, or projected."""

import os
import shutil
import sys
import webbrowser

from ..files import whole_file

PAGE = """\
<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>tinyvit: the figure</title>
<style>
body { margin: 0; height: 100vh; background: white; }
img { width: 100%; height: 100%; object-fit: contain; }
</style></head>
<body><img id="figure" src="latest.png" alt="the latest figure of the lesson">
<script>
setInterval(() => {
  const next = new Image();
  next.onload = () => { document.getElementById("figure").src = next.src; };
  next.src = "latest.png?" + Date.now();
}, 1000);
</script></body></html>
"""


class Screen:
    """The page; it opens with the first figure, where there is a browser to see it in.

    folder : of the figures
    """

    def __init__(self, folder):
        self._folder, self._opened = folder, False

    def show(self, path):
        """Let the page show another figure.

        path : of the picture, in the folder
        """
        with whole_file(self._folder / "latest.png") as temporary:
            shutil.copyfile(path, temporary)
        if not self._opened:
            page = self._folder / "latest.html"
            page.write_text(PAGE, "utf-8")
            if not (_has_a_display() and webbrowser.open(page.resolve().as_uri())):
                print(f"[open {page} in a browser: it always shows the latest figure]")
        self._opened = True


def _has_a_display():
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
