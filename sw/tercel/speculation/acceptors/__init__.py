"""Rules that accept drafted tokens, one a module."""

from tercel.speculation.acceptors.agreement import Agreement
from tercel.speculation.acceptors.block_verification import BlockVerification
from tercel.speculation.acceptors.rejection import Rejection

__all__ = ["Agreement", "BlockVerification", "Rejection"]
