"""Tell a story again, or live through many: `python -m tests.simulation --seed 7`, `--seeds 100000`, `--worlds`."""

import argparse
import sys
import time

from tests.simulation.installed import standins
from tests.simulation.search import LARGER, WORLDS, search, told
from tests.simulation.story import live, lived


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, help="tell this one in full")
    parser.add_argument("--seeds", type=int, default=0, metavar="N", help="live through so many")
    parser.add_argument("--first", type=int, default=0, metavar="SEED", help="where --seeds begins")
    parser.add_argument("--worlds", action="store_true", help="search every path through the small worlds")
    parser.add_argument("--states", type=int, default=1_000_000, metavar="N", help="where --worlds gives up")
    asked = parser.parse_args()
    if asked.seed is not None:
        return _tell(asked.seed)
    if asked.worlds:
        return _search(asked.states)
    return _live(range(asked.first, asked.first + asked.seeds))


def _tell(seed: int) -> int:
    with standins():
        story = live(seed, is_told=True)
    print("\n".join(story.trace))
    print(story.broken or f"It ends well after {story.seconds:.1f} s and {story.steps} steps.")
    return int(story.broken is not None)


def _live(seeds: range) -> int:
    began, broken, steps, seconds = time.process_time(), 0, 0, 0.0
    for story in lived(seeds):
        steps += story.steps
        seconds += story.seconds
        if story.broken is not None:
            broken += 1
            print(f"seed {story.seed}: {story.broken}")
    took = time.process_time() - began
    print(
        f"{len(seeds)} stories, {broken} broken; {len(seeds) / took:.0f} stories, {steps / took:.0f} steps "
        f"and {seconds / took:.0f} simulated seconds for a second of one core"
    )
    return int(broken > 0)


def _search(most_states: int) -> int:
    broken = 0
    for small in WORLDS + LARGER:
        began = time.process_time()
        with standins():
            found = search(small, most_states)
            story = [] if found.broken is None else told(small, found.choices)
        extent = "all" if found.is_complete else "the first"
        took = time.process_time() - began
        print(
            f"{small.name}: {extent} {found.paths} paths, {found.states} states, {took:.1f} s of one core", flush=True
        )
        if found.broken is not None:
            broken += 1
            print("\n".join([*story, found.broken]))
    return int(broken > 0)


if __name__ == "__main__":
    sys.exit(main())
