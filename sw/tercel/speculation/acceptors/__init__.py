"""Rules that accept drafted tokens, one a module, and their names."""

from tercel.speculation.acceptors.agreement import Agreement
from tercel.speculation.acceptors.block_verification import BlockVerification
from tercel.speculation.acceptors.blockwise import Blockwise, BlockwiseConfig
from tercel.speculation.acceptors.judge import (
    Judge,
    JudgeConfig,
    JudgeHead,
    load_judge,
    save_judge,
)
from tercel.speculation.acceptors.registry import (
    ACCEPTORS,
    AcceptorKind,
    AcceptorResources,
    make_acceptor,
)
from tercel.speculation.acceptors.rejection import Rejection
from tercel.speculation.acceptors.safety import SafetyComposite, SafetyConfig
from tercel.speculation.acceptors.threshold import Threshold, ThresholdConfig
from tercel.speculation.acceptors.truncation import Boundary, TruncateAt
from tercel.speculation.acceptors.typical import Typical, TypicalConfig
from tercel.speculation.acceptors.verilog import VerilogBoundary

__all__ = [
    "ACCEPTORS",
    "AcceptorKind",
    "AcceptorResources",
    "Agreement",
    "BlockVerification",
    "Blockwise",
    "BlockwiseConfig",
    "Boundary",
    "Judge",
    "JudgeConfig",
    "JudgeHead",
    "Rejection",
    "SafetyComposite",
    "SafetyConfig",
    "Threshold",
    "ThresholdConfig",
    "TruncateAt",
    "Typical",
    "TypicalConfig",
    "VerilogBoundary",
    "load_judge",
    "make_acceptor",
    "save_judge",
]
