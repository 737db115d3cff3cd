"""The processes below a process, and their memory, as Linux tells them in /proc."""

import os
from pathlib import Path


def descendants(ancestor: int) -> list[int]:
    """Return the ids of all children of a process, and of theirs."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(") ")[2].split()  # behind the name: state, parent
        except OSError:
            continue  # it has just ended
        children.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found = [ancestor]
    for process in found:  # grows meanwhile
        found += children.get(process, [])
    return found[1:]


def resident_bytes(process: int) -> int:
    """Return the memory of a process that is in RAM; 0 = it has ended."""
    try:
        pages = Path(f"/proc/{process}/statm").read_text().split()[1]
    except OSError:
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")
