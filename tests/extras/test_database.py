"""Configs from database rows in the library: sessions, the host's own classes, threads."""

import asyncio
import sqlite3
import threading
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, LargeBinary, Numeric, String, Text, create_engine, event, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    mapped_column,
    scoped_session,
    sessionmaker,
)
from sqlalchemy.pool import StaticPool

from easyllm_cli import LLMService, ModelConfig
from easyllm_cli.errors import ConfigError, NetworkError
from easyllm_cli.secret import Secret
from tests.extras.rows import KEY, create_database, row
from tests.support.standins.openai import OpenAIServer
from tests.support.standins.server import StandIn

MESSAGES = [{"role": "user", "content": "hi"}]
URL = "http://127.0.0.1:9/v1"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "models.db"


@pytest.fixture
def engine(path: Path) -> Iterator[Engine]:
    """Yield an engine of a file with one complete row."""
    engine = create_database(path, row(URL, temperature=0.2, max_tokens=50, top_p=0.5, top_k=7))
    yield engine
    engine.dispose()


def load_config(source: Any, row_id: Any = "abc123", **more: Any) -> dict[str, Any]:
    return LLMService(db_session=source, **more).load_config_from_db(row_id)


def expect_config_error(source: Any, row_id: Any = "abc123", **more: Any) -> ConfigError:
    """Return the ConfigError; check that it is one line, exit code 2, without the key."""
    with pytest.raises(ConfigError) as caught:
        load_config(source, row_id, **more)
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)
    assert KEY not in str(caught.value)
    return caught.value


def connections_out(engine: Engine) -> int:
    """Return how many connections are checked out of the pool."""
    pool: Any = engine.pool
    return int(pool.checkedout())


def test_a_row_becomes_a_config(engine: Engine) -> None:
    with Session(engine) as session:
        config = load_config(session)
    assert config == {
        "provider": "openai", "endpoint": URL, "api_key": Secret(KEY), "model": "gpt-4o",
        "temperature": 0.2, "max_tokens": 50, "top_p": 0.5, "top_k": 7,
    }  # fmt: skip
    assert KEY not in f"{config} {config!r}"


def test_a_row_with_few_values(path: Path) -> None:
    engine = create_database(path, row(" ", api_key="", id="short"))
    with Session(engine) as session:
        config = load_config(session, "short")
    present = {key: value for key, value in config.items() if value is not None}
    assert present == {"provider": "openai", "model": "gpt-4o"}
    assert len(config) == 8
    engine.dispose()


async def test_the_key_goes_to_the_rows_endpoint(path: Path) -> None:
    server = OpenAIServer(key=KEY)
    with StandIn(server.handle) as stand_in:
        engine = create_database(path, row(f"{stand_in.url}/v1", temperature=0.2))
        with Session(engine) as session:
            service = LLMService(db_session=session)
            answer = await service.chat_with_config_id("abc123", MESSAGES)
    assert answer["text"] == "Hello from gpt-4o: hi"
    assert server.requests[0].json["temperature"] == 0.2
    engine.dispose()


async def test_a_key_never_goes_over_http_to_another_machine(path: Path) -> None:
    engine = create_database(path, row("http://192.0.2.1/v1"))
    with Session(engine) as session, pytest.raises(ConfigError, match="over http://"):
        await LLMService(db_session=session).chat_with_config_id("abc123", MESSAGES)
    engine.dispose()


HOST_IDS = {"5f1c": "ollama", "OpenAI-EU": "OpenAI", "7": "openrouter"}


@pytest.mark.parametrize(
    ("provider_id", "provider_of", "provider"),
    [
        ("OpenAI", None, "openai"),
        (" OLLAMA ", None, "ollama"),
        ("5f1c", HOST_IDS.get, "ollama"),
        ("5f1c", HOST_IDS.__getitem__, "ollama"),
        ("OpenAI-EU", HOST_IDS.get, "openai"),
        ("5f1c", lambda provider_id: f" {HOST_IDS[provider_id].upper()} ", "ollama"),
    ],
)
def test_the_host_maps_its_own_ids(
    path: Path, provider_id: str, provider_of: Any, provider: str
) -> None:
    engine = create_database(path, row(URL, id="own", provider_id=provider_id))
    with Session(engine) as session:
        assert load_config(session, "own", provider_of=provider_of)["provider"] == provider
    engine.dispose()


@pytest.mark.parametrize("provider_of", [HOST_IDS.get, HOST_IDS.__getitem__, lambda _: 5])
def test_an_id_unknown_to_the_host(path: Path, provider_of: Any) -> None:
    engine = create_database(path, row(URL, id="own", provider_id="unknown-id"))
    with Session(engine) as session:
        error_text = str(expect_config_error(session, "own", provider_of=provider_of))
    assert 'no provider is known for provider_id "unknown-id"' in error_text
    assert 'row "own"' in error_text
    engine.dispose()


def test_a_numeric_id_is_passed_unchanged(tmp_path: Path) -> None:
    class Base(DeclarativeBase):
        pass

    class Numbered(Base):
        __tablename__ = "numbered"
        id: Mapped[int] = mapped_column(primary_key=True)
        provider_id: Mapped[int]
        model_name: Mapped[str]

    engine = create_engine(f"sqlite:///{tmp_path}/n.db")
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add(Numbered(id=1, provider_id=7, model_name="m"))
        session.commit()
        more: dict[str, Any] = {"config_class": Numbered}
        assert "provider_of" in str(expect_config_error(session, 1, **more))
        config = load_config(
            session, 1, **more, provider_of=lambda provider_id: HOST_IDS[str(provider_id)]
        )
    assert config["provider"] == "openrouter"
    engine.dispose()


async def test_a_row_may_name_the_file_of_an_embedded_model(path: Path) -> None:
    """A row is trusted, as a Profile is."""
    engine = create_database(
        path, row(None, id="own", provider_id="local", model_name="/none/here.gguf")
    )
    with Session(engine) as session:
        service = LLMService(db_session=session)
        for call in (
            service.chat_with_config_id("own", MESSAGES),
            service.chat(service.load_config_from_db("own"), MESSAGES),
        ):
            with pytest.raises(ConfigError) as caught:
                await call
            assert "is not allowed in an untrusted" not in str(caught.value)
    engine.dispose()


def test_unknown_and_half_filled_rows(path: Path) -> None:
    rows = [row(URL, id="no model", model_name=""), row(URL, id="no provider", provider_id=" ")]
    rows += [row(URL, id="wrong", provider_id="opnai")]
    rows += [row(URL, id="hot", temperature=9.0), row(URL, id="cold", max_tokens=0)]
    engine = create_database(path, *rows)
    says = {
        "abc": 'no such row (row "abc" of model_config): check the id',
        "no model": 'the row has no model_name (row "no model" of model_config): fill it in',
        "no provider": 'the row has no provider_id (row "no provider" of model_config): fill it in',
        "wrong": 'no provider "opnai" (row "wrong" of model_config): did you mean "openai"?',
        "hot": 'temperature = 9.0 is out of range (row "hot" of model_config): between 0 and 2',
        "cold": 'max_tokens = 0 is out of range (row "cold" of model_config): at least 1',
    }
    with Session(engine) as session:
        assert {name: str(expect_config_error(session, name)) for name in says} == says
    engine.dispose()


def test_a_value_of_another_type(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("update model_config set temperature = 'hot'"))
    with Session(engine) as session:
        assert 'temperature must be a number, not "hot"' in str(expect_config_error(session))


class Base(DeclarativeBase):
    """The declarative base of a host application."""


class Host(Base):
    """A host's own columns: other number types, and a key that is not stored in the clear."""

    __tablename__ = "llm"

    id: Mapped[int] = mapped_column(primary_key=True)
    provider_id: Mapped[str] = mapped_column(String)
    model_name: Mapped[str | None]
    backwards: Mapped[str] = mapped_column(Text)
    temperature: Mapped[Decimal] = mapped_column(Numeric(3, 2))
    top_k: Mapped[float]

    @property
    def api_key(self) -> str:
        return self.backwards[::-1]


class Binary(Base):
    __tablename__ = "binary"

    id: Mapped[int] = mapped_column(primary_key=True)
    provider_id: Mapped[str]
    model_name: Mapped[str]
    api_key: Mapped[bytes] = mapped_column(LargeBinary)


class Other(Base):
    __tablename__ = "other"

    id: Mapped[int] = mapped_column(primary_key=True)
    providerId: Mapped[str]
    model_name: Mapped[str]


@pytest.mark.filterwarnings("ignore:Dialect sqlite.*does.*support Decimal")
def test_a_hosts_own_class(path: Path) -> None:
    engine = create_engine(f"sqlite:///{path}")
    Base.metadata.create_all(engine)
    host = Host(
        id=5, provider_id="ollama", model_name="llama3.2", backwards=KEY[::-1],
        temperature=Decimal("0.25"), top_k=40.0,
    )  # fmt: skip
    with Session(engine) as session:
        session.add_all(
            [host, Binary(id=1, provider_id="openai", model_name="m", api_key=KEY.encode())]
        )
        session.commit()
        config = load_config(session, 5, config_class=Host)
        wrong = expect_config_error(session, 1, config_class=Binary)
    assert {key: value for key, value in config.items() if value is not None} == {
        "provider": "ollama", "model": "llama3.2", "api_key": Secret(KEY), "temperature": 0.25,
        "top_k": 40,
    }  # fmt: skip
    assert (type(config["temperature"]), type(config["top_k"])) == (float, int)
    assert wrong.message.startswith("api_key must be text or a list of texts")
    assert str(wrong).endswith('not bytes (row "1" of binary)')
    engine.dispose()


def test_a_class_that_cannot_be_read(engine: Engine) -> None:
    with Session(engine) as session:
        assert "Other has no attribute provider_id" in str(
            expect_config_error(session, 1, config_class=Other)
        )
        assert "is not a mapped class: dict" in str(
            expect_config_error(session, 1, config_class=dict)
        )
        instance: Any = row(URL)
        assert "not a mapped class: ModelConfig" in str(
            expect_config_error(session, 1, config_class=instance)
        )


def test_a_session_is_neither_committed_nor_rolled_back(engine: Engine) -> None:
    with Session(engine) as session:
        session.add(row(URL, id="pending"))
        assert load_config(session)["model"] == "gpt-4o"
        assert session.in_transaction()
        with Session(engine) as other:
            assert other.get(ModelConfig, "pending") is None, "it was committed"
        session.commit()
        assert session.get(ModelConfig, "pending"), "it was rolled back"


def test_expired_and_deleted_instances(engine: Engine) -> None:
    with Session(engine) as session:
        instance = session.get(ModelConfig, "abc123")
        session.commit()  # which expires it
        assert load_config(session)["model"] == "gpt-4o"
        session.commit()
        with engine.begin() as connection:
            connection.execute(text("delete from model_config"))
        assert "no such row" in str(expect_config_error(session))
        assert instance is not None


def test_a_sessionmakers_session_is_closed(engine: Engine) -> None:
    factory = sessionmaker(engine)
    assert load_config(factory)["model"] == "gpt-4o"
    expect_config_error(factory, "unknown")
    assert connections_out(engine) == 0


def test_a_scoped_session_stays_open(engine: Engine) -> None:
    scoped = scoped_session(sessionmaker(engine))
    assert load_config(scoped)["model"] == "gpt-4o"
    assert scoped().in_transaction()
    scoped.remove()


def test_a_session_whose_transaction_has_failed(engine: Engine) -> None:
    with Session(engine) as session:
        session.add(row(URL))  # the id is taken
        with pytest.raises(IntegrityError):
            session.flush()
        error = expect_config_error(session)
        assert "transaction has failed" in error.message
        assert "rollback()" in error.hint
        session.rollback()
        assert load_config(session)["model"] == "gpt-4o"


def test_the_error_of_the_sessions_flush(engine: Engine) -> None:
    """The query flushes pending rows, as every query of the session does."""
    with Session(engine) as session:
        session.add(row(URL))
        session.add(row(URL, id="another"))
        assert "UNIQUE constraint failed" in str(expect_config_error(session, "other"))


def test_a_missing_table(path: Path) -> None:
    engine = create_engine(f"sqlite:///{path}")
    with Session(engine) as session:
        error = expect_config_error(session)
    assert "no such table: model_config" in error.message
    assert "ModelConfig.metadata.create_all(engine)" in error.hint
    engine.dispose()


def test_a_session_without_an_engine() -> None:
    assert "bind" in str(expect_config_error(Session()))


@pytest.mark.parametrize("source", [None, "sqlite:///x.db", Session, object()])
def test_no_session_at_all(source: Any) -> None:
    error = expect_config_error(source)
    assert "db_session" in error.message
    assert "session" in error.hint


def test_an_engine_is_no_session(engine: Engine) -> None:
    assert "must be a Session, not Engine" in str(expect_config_error(engine))


async def test_async_sessions_are_refused_with_a_hint(path: Path) -> None:
    create_database(path, row(URL)).dispose()
    engine = create_async_engine(f"sqlite+aiosqlite:///{path}")
    async with AsyncSession(engine) as session:
        old_factory: Any = sessionmaker
        sources = [session, async_sessionmaker(engine), old_factory(engine, class_=AsyncSession)]
        sources += [session.sync_session, sessionmaker(engine.sync_engine)]
        for source in sources:
            assert "sync engine" in expect_config_error(source).hint
            with pytest.raises(ConfigError, match="sync engine"):
                await LLMService(db_session=source).chat_with_config_id("abc123", MESSAGES)
        # what the documentation recommends instead
        config = await session.run_sync(lambda sync: load_config(sync))
    assert config["model"] == "gpt-4o"
    await engine.dispose()


def record_query_threads(engine: Engine) -> list[int]:
    """Return a list to which each query's thread is added."""
    threads: list[int] = []
    event.listen(engine, "before_cursor_execute", lambda *_: threads.append(threading.get_ident()))
    return threads


async def test_a_session_is_used_in_its_own_thread(engine: Engine) -> None:
    threads = record_query_threads(engine)
    with Session(engine) as session, pytest.raises(NetworkError):
        await LLMService(db_session=session).chat_with_config_id("abc123", MESSAGES)
    assert threads == [threading.get_ident()]


async def test_a_sessionmaker_does_not_block_the_loop(path: Path) -> None:
    """The row stays locked until the event loop unlocks it, which a blocked loop could not do."""
    server = OpenAIServer(key=KEY)
    with StandIn(server.handle) as stand_in:
        engine = create_database(path, row(f"{stand_in.url}/v1"))
        threads = record_query_threads(engine)
        lock = sqlite3.connect(path, isolation_level=None)
        lock.execute("begin exclusive")
        service = LLMService(db_session=sessionmaker(engine))
        task = asyncio.create_task(service.chat_with_config_id("abc123", MESSAGES))
        while not threads:
            await asyncio.sleep(0.01)
        lock.execute("commit")
        assert (await task)["text"] == "Hello from gpt-4o: hi"
    assert threading.get_ident() not in threads
    assert connections_out(engine) == 0
    lock.close()
    engine.dispose()


@pytest.mark.parametrize("pool", [None, StaticPool])
async def test_a_database_in_memory_is_used_in_its_own_thread(pool: Any) -> None:
    server = OpenAIServer(key=KEY)
    engine = create_engine("sqlite://", poolclass=pool)
    ModelConfig.metadata.create_all(engine)
    factory = sessionmaker(engine)
    with StandIn(server.handle) as stand_in:
        with factory.begin() as session:
            session.add(row(f"{stand_in.url}/v1"))
        answer = await LLMService(db_session=factory).chat_with_config_id("abc123", MESSAGES)
    assert answer["text"] == "Hello from gpt-4o: hi"
    engine.dispose()


def test_a_locked_file_and_a_file_that_is_no_database(path: Path, tmp_path: Path) -> None:
    create_database(path, row(URL)).dispose()
    engine = create_engine(f"sqlite:///{path}?timeout=0.1")
    lock = sqlite3.connect(path, isolation_level=None)
    lock.execute("begin exclusive")
    with Session(engine) as session:
        error = expect_config_error(session)
    assert ("locked" in error.message, error.hint) == (
        True,
        "another program is writing to it: try again",
    )
    lock.close()
    path.write_bytes(b"not a database at all" * 100)
    with Session(engine) as session:
        assert "file is not a database" in str(expect_config_error(session))
    engine.dispose()
