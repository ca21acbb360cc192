"""Find a circle among objects that lead to each other."""

from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

Node = TypeVar("Node", bound=Hashable)


def find_circle(leads: Mapping[Node, Sequence[Node]]) -> Node | None:
    """
    Return a node from which one comes back to itself, None if there is none.

    Parameters
    ----------
    leads : mapping of node to sequence of node
        Where each node leads; nodes that lead nowhere may be left out.

    Returns
    -------
    node or None
        The first such node met in a walk from each node, in the order given.
    """
    done: set[Node] = set()
    for start in leads:
        path: dict[Node, int] = {start: 0}  # node -> how many of its arrows were taken
        while path:
            here, taken = path.popitem()
            targets = leads.get(here, ())
            if here in done or taken == len(targets):
                done.add(here)
                continue
            path[here] = taken + 1
            target = targets[taken]
            if target in path:
                return target
            if target not in done:
                path[target] = 0
    return None
