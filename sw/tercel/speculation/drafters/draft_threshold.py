"""The probability below which a draft ends, adapted to what was accepted."""

from dataclasses import dataclass

from tercel.errors import TercelError

__all__ = ["DraftThreshold", "ThresholdConfig"]


@dataclass(frozen=True, kw_only=True)
class ThresholdConfig:
    """Parameters of the rule of Draft & Verify (Zhang et al., arXiv 2309.08168).

    Raises
    ------
    TercelError
        If a field breaks its rule.
    """

    greedy_start: float = 0.8
    """First threshold of greedy decoding."""
    sampling_start: float = 0.5
    """First threshold at a temperature."""
    acceptance: float = 0.9
    """Wanted rate of accepted tokens, alpha."""
    step: float = 0.01
    """Change of the threshold before smoothing, epsilon."""
    rate_smoothing: float = 0.5
    """Weight of the rate so far, beta 1."""
    threshold_smoothing: float = 0.9
    """Weight of the threshold so far, beta 2."""

    def __post_init__(self):
        for name, value in vars(self).items():
            if not 0 <= value <= 1:
                raise TercelError(f"{name} of a draft's threshold must be in 0..1, not {value!r}")


class DraftThreshold:
    """A draft ends after a token whose probability is below :attr:`value`.

    Parameters
    ----------
    config
    greedy
        True for greedy decoding, which starts from a higher threshold.
    """

    def __init__(self, config: ThresholdConfig, *, greedy: bool):
        self._config = config
        self._rate = 0.0
        """Smoothed rate of accepted tokens."""
        self.value = config.greedy_start if greedy else config.sampling_start

    def observe(self, *, accepted: int, drafted: int, longest: bool) -> None:
        """Learn from a round.

        Parameters
        ----------
        accepted
        drafted
            One or more.
        longest
            True if the draft had as many tokens as it was allowed: a lower threshold would not have
            made it longer.
        """
        config = self._config
        old = config.rate_smoothing
        self._rate = old * self._rate + (1 - old) * accepted / drafted
        wanted = self.value
        if self._rate < config.acceptance:
            wanted += config.step
        elif not longest:
            wanted -= config.step
        old = config.threshold_smoothing
        self.value = old * self.value + (1 - old) * wanted
