"""Measures sides in turn, so that what the machine does meanwhile falls on all of them alike."""

import statistics

from place import CannotMeasure, say


def interleave(sides, count, measure, label):
    """`count` rounds over all sides, every other one in reverse order: {side: [figures of each round]}.

    A side that cannot be measured leaves; why is returned beside.
    """
    found, gone = {side: [] for side in sides}, {}
    for number in range(count):
        order = list(sides) if number % 2 == 0 else list(reversed(sides))
        for side in order:
            if side in gone:
                continue
            try:
                found[side].append(measure(side))
            except CannotMeasure as error:
                gone[side] = str(error)
                say(f"  {label}: {side} is out: {error}")
        say(f"  {label}: round {number + 1} of {count}")
    return {side: rounds for side, rounds in found.items() if side not in gone}, gone


class Ratio:
    """The median of the rounds' ratios, with the smallest and the largest."""

    def __init__(self, over, under):
        pairs = [above / below for above, below in zip(over, under) if below]
        if not pairs:
            raise CannotMeasure("no pair of rounds")
        self.median, self.least, self.most = statistics.median(pairs), min(pairs), max(pairs)


def column(rounds, figure):
    return [figures[figure] for figures in rounds]
