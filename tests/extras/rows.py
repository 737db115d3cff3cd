"""Creates SQLite databases with the table model_config, for tests."""

from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine, create_engine
from sqlalchemy.orm import Session

from easyllm_cli import ModelConfig

KEY = "sk-secret-of-the-row-0123456789"


def row(url: str | None, **columns: Any) -> ModelConfig:
    """Return a complete row `abc123` for a Chat Completions server."""
    defaults = {"id": "abc123", "provider_id": "openai", "endpoint": url, "model_name": "gpt-4o"}
    return ModelConfig(**{**defaults, "api_key": KEY, **columns})


def create_database(path: Path, *rows: ModelConfig) -> Engine:
    """Create a database file with the table and these rows; return its engine."""
    engine = create_engine(URL.create("sqlite", database=str(path)))
    ModelConfig.metadata.create_all(engine)
    with Session(engine) as session:
        session.add_all(rows)
        session.commit()
    return engine
