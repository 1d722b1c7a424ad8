"""The one exception type whose message is meant for the user."""

__all__ = ["TercelError"]


class TercelError(Exception):
    """User input breaks a rule; the message states the rule, the value and the remedy.

    The command line prints only the message and exits with status 2. No partial output remains.
    """
