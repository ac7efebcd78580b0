"""What a figure says, for the tests of the pictures."""

from matplotlib.text import Text


def texts(figure):
    """Everything that is written in a figure, once it is drawn."""
    figure.canvas.draw()
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]
