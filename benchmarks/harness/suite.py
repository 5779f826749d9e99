"""What every suite does around its scenarios."""

import os
import signal
import sys

from place import CannotMeasure, Place, say
from results import Results


def chosen(parser, kind, text, known):
    """The names of a flag's list, all of which must be known."""
    names = text.split(",")
    unknown = set(names) - set(known)
    if unknown:
        parser.error(f"no {kind} {', '.join(sorted(unknown))}; there are: {', '.join(known)}")
    return names


def attempt(results, name, part):
    try:
        part()
    except CannotMeasure as error:
        results.miss(name, str(error))


def run(name, options, measure, gate=False):
    """Calls `measure(place, options, results)` and judges the figures. Ends the program: with 1 when a figure is missing, or,
    for a gate, when a target is missed."""
    # A terminated run cleans up as one that was interrupted does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    say(f"load average {os.getloadavg()[0]:.2f} at the start; what else runs here adds noise")
    results = Results(name)
    place = Place()
    try:
        place.open()
        measure(place, options, results)
    except KeyboardInterrupt:
        sys.exit("interrupted")
    except CannotMeasure as error:
        sys.exit(f"cannot measure: {error}")
    finally:
        # A second interrupt must not leave half of it.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        place.close()
    missed = results.judge(gate=gate)
    sys.exit(1 if results.missing or missed else 0)
