"""What stops us, as a sentence for the person at the terminal."""


class Problem(Exception):
    """It ends a command; its text is all that is told."""
