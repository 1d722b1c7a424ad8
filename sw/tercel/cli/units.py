"""Human-readable numbers and versions."""

from tercel.config import ModelConfig

__all__ = ["describe_version", "format_bytes", "format_count"]


def _scaled(value: float, units: tuple[str, ...]) -> str:
    for unit in units[:-1]:
        if abs(value) < 999.5:
            return f"{value:.3g} {unit}".rstrip()
        value /= 1000
    return f"{value:.4g} {units[-1]}"


def format_bytes(count: float) -> str:
    """Bytes with three digits and a decimal unit: ``12.5 MB``."""
    return _scaled(count, ("B", "kB", "MB", "GB", "TB"))


def format_count(count: float) -> str:
    """A count with three digits: ``729 M``."""
    return _scaled(count, ("", "k", "M", "G"))


def describe_version(config: ModelConfig) -> str:
    """The version of a model's image, and the reasons for the newer one."""
    parts = config.version_3_parts
    return f"version {config.image_version}" + (f", for {parts}" if parts else "")
