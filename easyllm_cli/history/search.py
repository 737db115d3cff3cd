"""Full-text search over prompts and answers; the index is made and continued by each search.

A chat does not write the index, because that would cost 25 ms for a prompt of 500 KB.
"""

from __future__ import annotations

from ..errors import UsageError
from .calls import CallFilter
from .schema import SEARCH_INDEX
from .store import HistoryStore, Row, placeholders

INDEXED = "indexed"  # key of `meta`: the highest call.n in the index
EXCERPT_CHARS = 80
# One transaction adds no more; it takes about 30 ms.
SLICE_CALLS = 200
SLICE_CHARS = 500_000
MERGE_PAGES = 250  # of 4 KB, rewritten in one transaction
# Scripts without blanks between words, where the index has whole phrases as one word.
FIRST_UNSPACED = "⺀"  # U+2E80, CJK radicals


def search_calls(
    store: HistoryStore, words: list[str], wanted: CallFilter, limit: int
) -> list[Row]:
    """The newest calls whose prompt or answer holds every word, in any case; newest first.

    Raises:
        UsageError: there is no word.
        ConfigError, OutputError: as `open_store`.
    """
    terms = [term for word in words for term in word.split()]
    if not any(char.isalnum() for term in terms for char in term):
        raise UsageError(
            "nothing to search for: no letter or digit is given",
            hint="easyllm history search WORDS",
        )
    update_index(store)
    condition, values = wanted.conditions()
    unspaced = [term for term in terms if max(term) >= FIRST_UNSPACED]
    for term in unspaced:
        condition += " AND (instr(lower(prompt), lower(?)) OR instr(lower(text), lower(?)))"
        values += [term, term]
    query = " ".join(_quote(term) for term in terms if term not in unspaced)
    if query:
        condition += " AND n IN (SELECT rowid FROM call_text WHERE call_text MATCH ?)"
        values.append(query)
    return store.select(
        f"SELECT * FROM call WHERE {condition} ORDER BY started_at DESC, n DESC LIMIT ?",
        [*values, limit],
    )


def _quote(term: str) -> str:
    """A term as an FTS5 string, in which no character has a meaning."""
    return '"' + term.replace('"', '""') + '"'


def update_index(store: HistoryStore) -> None:
    """Add the calls that are not in the index yet; creates the index.

    It works in short transactions, so that other processes can keep their answers meanwhile.
    """
    while not _is_up_to_date(store):
        with store.short_transaction():
            store.run(SEARCH_INDEX)
            indexed = store.meta(INDEXED) or 0
            last = _end_of_slice(store, indexed)
            store.run(
                "INSERT INTO call_text (rowid, prompt, text) SELECT n, prompt, text FROM call"
                " WHERE n > ? AND n <= ? AND (prompt IS NOT NULL OR text IS NOT NULL)",
                (indexed, last),
            )
            store.set_meta(INDEXED, last)


def _is_up_to_date(store: HistoryStore) -> bool:
    indexed = store.meta(INDEXED)
    return indexed is not None and (store.value("SELECT max(n) FROM call") or 0) <= indexed


def _end_of_slice(store: HistoryStore, indexed: int) -> int:
    """The `n` of the last call that one transaction adds behind `indexed`."""
    last, chars = indexed, 0
    for row in store.select(
        "SELECT n, ifnull(length(prompt), 0) + ifnull(length(text), 0) AS chars FROM call"
        " WHERE n > ? ORDER BY n LIMIT ?",
        (indexed, SLICE_CALLS),
    ):
        last, chars = row["n"], chars + row["chars"]
        if chars > SLICE_CHARS:
            break
    return last


def remove_from_index(store: HistoryStore, numbers: list[int]) -> None:
    """Remove at most MAX_VALUES calls from the index, inside the transaction that deletes them."""
    indexed = store.meta(INDEXED)
    if indexed is None:
        return
    store.run(
        "INSERT INTO call_text (call_text, rowid, prompt, text)"
        " SELECT 'delete', n, prompt, text FROM call"
        f" WHERE n IN ({placeholders(numbers)}) AND n <= ?"
        " AND (prompt IS NOT NULL OR text IS NOT NULL)",
        [*numbers, indexed],
    )


def rewind_index(store: HistoryStore) -> None:
    """Let the index begin again where calls were deleted, inside their transaction.

    SQLite gives the number of the newest call, once deleted, to the next one.
    """
    indexed = store.meta(INDEXED)
    if indexed is not None:
        newest = store.value("SELECT max(n) FROM call") or 0
        store.set_meta(INDEXED, min(indexed, newest))


def purge_index(store: HistoryStore, pages: int) -> bool:
    """Rewrite some pages of the index without the words of deleted calls, which it still holds.

    Returns whether there is more to rewrite. A negative number asks FTS5 to merge all of the index
    into one piece; a step that changes fewer than two rows had nothing to do
    (https://sqlite.org/fts5.html, "The merge command").
    """
    if store.meta(INDEXED) is None:
        return False
    with store.short_transaction():
        before = store.value("SELECT total_changes()")
        store.run("INSERT INTO call_text (call_text, rank) VALUES ('merge', ?)", (-pages,))
        return bool(store.value("SELECT total_changes()") - before >= 2)


def excerpt(row: Row, words: list[str], chars: int = EXCERPT_CHARS) -> str:
    """At most `chars` characters of prompt or answer around the first word that is found.

    Without words, the beginning of the prompt.
    """
    lines = [" ".join((row[key] or "").split()) for key in ("prompt", "text")]
    for line in lines:
        for word in words:
            at = line.lower().find(word.lower())
            if at >= 0:
                fits = at + len(word) < chars
                start = 0 if fits else min(at - chars // 3, len(line) - chars + 1)
                return _cut("…" * (start > 0) + line[start:], chars)
    return _cut(lines[0], chars)


def _cut(line: str, chars: int) -> str:
    return line if len(line) <= chars else line[: chars - 1] + "…"
