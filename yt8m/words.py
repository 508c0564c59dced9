"""Words in messages and output."""


def count(number: int, noun: str, plural: str = "") -> str:
    """Write a number with its noun: `1 class`, `2,000 classes`.

    Args:
        number: The number.
        noun: Noun of one.
        plural: Noun of several. Empty means the noun with an s.
    """
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
