"""What can be said of one case. A case returns if all is right, and raises one of these if not."""


class NotBuiltError(Exception):
    """The library itself does not build the model here: a file, a package or a device is missing."""


class RefusedError(Exception):
    """fastinit does not take the model, and says why."""


class WrongError(Exception):
    """fastinit took the model, and something that it says or does is not what the model's own code does."""


class TooLargeError(Exception):
    """The plan has every parameter and buffer of the model, which is too large to be drawn here."""
