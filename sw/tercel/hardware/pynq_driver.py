"""The driver that pynq binds to the accelerator in an overlay."""

import pynq  # pyright: ignore[reportMissingImports]

__all__ = ["AcceleratorDriver"]


class AcceleratorDriver(pynq.DefaultIP):
    """The accelerator's registers: ``read(offset)`` and ``write(offset, value)``."""

    bindto = (
        "xilinx.com:module_ref:tercel_top:1.0",
        "xilinx.com:module_ref:tercel_top",
    )
