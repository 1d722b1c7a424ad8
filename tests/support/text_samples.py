"""Texts that tokenizers treat differently: scripts, emoji, digits, white space, special tokens."""

import random
from collections.abc import Sequence

PARTS = (
    *("the ", " weights", "Hello", "HELLO", "it's", "don't", "WE'LL", "naïve", "straße", "x_y"),
    *(" ", "  ", "   ", "\n", "\n\n", "\r\n", " \n", "\t", "\t\t ", "\u00a0", "\u3000", "\u200b"),
    *("1", "23", "4567", "890123", "3.14", "-1e5", "٣٤", "½", "Ⅷ", "①"),
    *("你好", "世界。", "日本語", "テスト", "한국어", "ﬁ", "ünï", "e\u0301", "é", "A\u030a", "Å"),
    *("العربية", "עברית", "हिन्दी", "ไทย", "Ελληνικά", "Привет"),
    *("😀", "👩‍👩‍👧", "🇫🇷", "👍🏽", "\ufe0f", "\U0001d518", "\U0010ffff"),
    *("...", "--", "!?", "(", ")]}", "#include <x>", "/*", "\\n", "'", '"', "▁", "Ġ", "<0x41>"),
)


def text_samples(count: int, seed: int, special: Sequence[str] = ()) -> list[str]:
    """Random texts of up to 12 parts; the special tokens are among the parts."""
    choose = random.Random(seed)
    parts = [*PARTS, *special, *special]
    return ["".join(choose.choices(parts, k=choose.randint(1, 12))) for _ in range(count)]
