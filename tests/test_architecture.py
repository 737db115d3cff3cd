"""The house as DESIGN §2 lays it out: floors, homes of packages, sizes, names, late imports."""

import ast
import io
import tokenize
from collections.abc import Callable, Iterator

import pytest

from tests.source_tree import Source, is_third_party, room_of, sources

# From the ground up; an import goes to a lower floor or stays in its own room.
FLOORS = (
    ("vendors", "pieces", "marks"),
    ("disguises",),
    ("errors", "secret", "folders", "stopping"),
    ("values", "plugins", "closed_file", "picture_header", "picture_file"),
    ("message_fields", "text_encoding"),
    ("messages", "events", "profiles", "places", "keys", "weights"),
    ("endpoints", "key_command"),
    ("credentials",),
    ("reasoning", "retry", "config", "database", "render", "transport"),
    ("providers", "editing", "origins"),
    ("service", "diagnosis"),
    ("cli",),
    ("__main__",),
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
# (file, imported module) that goes up: errors.py names Completion in an annotation, no more.
UPWARD = {("errors.py", "easyllm_cli.events")}
HOMES = {
    "typer": ("cli/",),
    "rich": ("render/",),
    "markdown_it": ("render/",),
    "pygments": ("render/",),
    "httpx2": ("transport/client.py",),
    "openai": ("transport/openai_sdk.py",),
    "google": ("transport/google_sdk.py",),
    "litellm": ("providers/litellm_calls.py",),
    "xllamacpp": ("providers/local_engine.py",),
    "tomllib": ("config.py",),
    "tomlkit": ("editing/document.py",),
    "keyring": ("keys/keyring_store.py",),
    "backoff": ("retry.py",),
    "sqlalchemy": ("database/",),
    "jsonschema": ("cli/schema.py",),
    "referencing": ("cli/schema.py",),
}
# Where our own modules may be imported inside a function: (file, outermost function).
LATE = {
    ("__init__.py", "__getattr__"),  # the public names
    ("messages.py", "of_bytes"),  # what only a picture needs
    ("messages.py", "of_path"),
    ("text_encoding.py", "_hint"),  # what only an error line tells
    ("providers/__init__.py", "provider_class"),  # the registry
    ("providers/__init__.py", "provider_names"),  # the same, those of other packages
    ("providers/__init__.py", "provider_for"),  # the protocol, looked at only under --think
    ("secret.py", "redact"),  # how a key is found in a text, where there is a key
    ("credentials.py", "_from_command"),  # what only a command that prints a key needs
    ("credentials.py", "_keys"),  # keys that are stored, where no variable is set
    ("keys/__init__.py", "_keyring"),  # the system keyring, where it holds the key
    ("config.py", "_plugins"),  # the same, for a name that is not built in
    ("providers/local.py", "_started"),  # the engine, and so its package, at the first question
    ("render/__init__.py", "choose"),
    ("transport/status.py", "_from_object"),  # words, read where an error has nothing else
    ("transport/__init__.py", "carrier_for"),  # the transport choice
    ("render/__init__.py", "choose_aside"),
    ("render/screen.py", "live_markdown"),  # the parser, while the first token is waited for
    ("render/panel.py", "write"),  # what draws, when there is something to draw
    ("render/panel.py", "_region"),
    ("cli/__init__.py", "command_line"),  # --version before typer
    ("cli/app.py", "load"),  # the command loader
    ("cli/app.py", "print_version"),
    ("cli/app.py", "format_help"),
    ("cli/topics.py", "profiles"),  # what one topic of the help tells
    ("cli/topics.py", "json"),
    ("cli/app.py", "run"),  # the printing of an error
    ("cli/app.py", "invoke"),  # the same, after Ctrl-C
    ("cli/allowed.py", "profiles"),  # completion, at a TAB
    ("cli/allowed.py", "models"),
    ("cli/allowed.py", "own_profiles"),
    ("cli/allowed.py", "providers"),
    ("cli/completion.py", "candidates"),
    ("cli/named_files.py", "_option_for"),  # whether a file that a word names is a picture
    ("cli/outcome.py", "finish"),  # json only for --json
    ("cli/outcome.py", "_object"),
    ("cli/run.py", "dry_run"),
    ("cli/print_list.py", "print_list"),  # tables: rich, on a terminal
    ("cli/road.py", "_show"),  # code blocks for -x, JSON for --schema
    ("cli/run.py", "schema_of"),  # --schema
    ("providers/openai.py", "request"),  # the same
    ("providers/gemini.py", "request"),
    ("providers/responses.py", "request"),
    ("providers/base.py", "_asked"),  # cot --elicit
    ("providers/base.py", "_on_pictures"),  # what only pictures need
    ("providers/openai.py", "prepare"),  # the same
    ("providers/litellm.py", "prepare"),
    ("service.py", "load_config_from_db"),  # the database loader
    ("service.py", "chat_with_config_id"),
    ("cli/profile.py", "chosen"),  # a row of a database
    ("cli/row.py", "row_of"),  # the same: SQLAlchemy
    ("cli/profile.py", "chosen"),  # what to do when no profile is named
}
# A command's file is loaded for its --help, too: what only its bodies need is imported in them.
COMMANDS = {f"cli/{name}.py" for name in ("chat", "stream", "vision", "models", "cot", "pull")}
COMMANDS |= {"cli/init.py", "cli/doctor.py", "cli/help.py"}
COMMANDS |= {
    f"cli/{group}/{name}.py"
    for group, names in (
        ("profiles", ("list", "show", "add", "set", "remove", "default", "path", "edit")),
        ("keys", ("list", "set", "remove")),
    )
    for name in names
}
LATE_PACKAGES = {("cli/completion.py", "typer")}  # to print a script needs none
LATE_PACKAGES |= {("retry.py", "backoff"), ("config.py", "tomllib")}
# The extra `keyring`, which may be missing.
LATE_PACKAGES |= {("keys/keyring_store.py", "keyring")}
# The extra `schema`, which may be missing.
LATE_PACKAGES |= {("cli/schema.py", "jsonschema"), ("cli/schema.py", "referencing")}
NO_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "misc"}
FILE_LINES, FUNCTION_LINES, COLUMNS = 400, 40, 100

Check = Callable[[Source], Iterator[str]]


def floors(source: Source) -> Iterator[str]:
    if source.room not in FLOOR and source.room:
        yield f"{source.path}: no floor is known for {source.room!r}: name it in FLOORS"
        return
    for one in source.imports:
        room = room_of(one.target)
        if not one.ours or room == source.room or not room:
            continue  # the package itself gives nothing but __version__; see `root`
        if FLOOR.get(room, 99) < FLOOR.get(source.room, 99):
            continue
        if not ((source.path, one.target) in UPWARD and one.typing_only):
            yield f"{source.path}:{one.line}: {source.room} imports {one.target}, not a floor below"


def root(source: Source) -> Iterator[str]:
    """The package itself gives only `__version__`, and imports nothing when it is imported."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ImportFrom) and source._absolute(node) == "easyllm_cli":
            for name in node.names:
                if name.name != "__version__" and f"easyllm_cli.{name.name}" not in MODULES:
                    yield f"{source.path}:{node.lineno}: {name.name} comes from the package itself"
    if source.path == "__init__.py":
        for one in source.imports:
            free = one.function or one.typing_only
            if not free and one.top not in {"__future__", "typing", "importlib"}:
                yield f"{source.path}:{one.line}: {one.target} loads with the package"


def homes(source: Source) -> Iterator[str]:
    for one in source.imports:
        home = HOMES.get(one.top, () if is_third_party(one) else None)
        if "click" in one.target.split(".") or "_click" in one.target.split("."):
            yield f"{source.path}:{one.line}: never click: typer carries its own"
        elif home is not None and not source.path.startswith(home):
            lives = " or ".join(home) or "nowhere"
            yield f"{source.path}:{one.line}: {one.target} lives in {lives}"


def sizes(source: Source) -> Iterator[str]:
    lines = source.text.splitlines()
    if len(lines) > FILE_LINES:
        yield f"{source.path}: {len(lines)} lines, at most {FILE_LINES}"
    for number, line in enumerate(lines, 1):
        if len(line) > COLUMNS:
            yield f"{source.path}:{number}: {len(line)} characters, at most {COLUMNS}"
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > FUNCTION_LINES:
                yield f"{source.path}:{node.lineno}: {node.name} has {length} lines"


def semicolons(source: Source) -> Iterator[str]:
    for token in tokenize.generate_tokens(io.StringIO(source.text).readline):
        if token.type == tokenize.OP and token.string == ";":
            yield f"{source.path}:{token.start[0]}: two statements on one line"


def names(source: Source) -> Iterator[str]:
    for part in source.module.split("."):
        if NO_NAMES & set(part.strip("_").split("_")):
            yield f"{source.path}: {part!r} says nothing: name it by what it holds"


def docstrings(source: Source) -> Iterator[str]:
    first = (ast.get_docstring(source.tree) or "").partition("\n")[0]
    if not first:
        yield f"{source.path}: no docstring"
    elif not first.endswith((".", "?")) or ". " in first:
        yield f"{source.path}: the docstring's first line is not one sentence: {first!r}"


def late_imports(source: Source) -> Iterator[str]:
    for one in source.imports:
        place = (source.path, one.function)
        if one.function and one.ours and place not in LATE and source.path not in COMMANDS:
            yield f"{source.path}:{one.line}: {one.function} imports {one.target}: see LATE"
        if one.function and is_third_party(one) and (source.path, one.top) not in LATE_PACKAGES:
            yield f"{source.path}:{one.line}: {one.function} imports the package {one.top}"
    for node, function, _ in places_of_import_module(source):
        if (source.path, function) not in LATE:
            yield f"{source.path}:{node.lineno}: {function or 'the module'} calls import_module"


def places_of_import_module(source: Source) -> Iterator[tuple[ast.Call, str, bool]]:
    for outer in ast.walk(source.tree):
        if isinstance(outer, ast.FunctionDef | ast.AsyncFunctionDef):
            for node in ast.walk(outer):
                name = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
                if isinstance(node, ast.Call) and name.endswith(("import_module", "__import__")):
                    yield node, outer.name, False


CHECKS = [floors, root, homes, sizes, semicolons, names, docstrings, late_imports]
SOURCES = sources()
MODULES = {source.module for source in SOURCES}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_house_is_in_order(check: Check) -> None:
    wrong = [complaint for source in SOURCES for complaint in check(source)]
    assert not wrong, "\n" + "\n".join(wrong)


def test_everything_named_here_still_stands() -> None:
    files = {source.path: source for source in SOURCES}
    for path, function in LATE - {("__init__.py", "__getattr__")}:
        late = {one.function for one in files[path].imports if one.ours}
        late |= {name for _, name, _ in places_of_import_module(files[path])}
        assert function in late, f"LATE names {path} {function}, which imports nothing late"
    for path, target in UPWARD:
        assert target in {one.target for one in files[path].imports}, f"UPWARD: {path}"
