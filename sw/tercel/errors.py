"""The one exception type whose message is meant for the user."""

__all__ = ["TercelError"]


class TercelError(Exception):
    """A rule that the user's input breaks: states the rule, the value and the remedy.

    The command line prints the message alone and exits with status 2; nothing half written stays.
    """
