"""The spec's samples of "Database Configuration", against a real database and a real model."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from easyllm_cli import LLMService
from tests.extras.rows import made, row
from tests.servers.fixtures import RealServer

messages = [{"role": "user", "content": "What is Python?"}]


@pytest.fixture
def session(tmp_path: Path, smol: RealServer) -> Iterator[Session]:
    """A session of the host's database, in which the config of the real model stands."""
    engine = made(
        tmp_path / "models.db",
        row(f"{smol.url}/v1", provider_id="llamacpp", model_name=smol.model, max_tokens=8),
    )
    with Session(engine) as session:
        yield session
    engine.dispose()


async def test_the_specs_database_sample(session: Session) -> None:
    # Create service with database session
    service = LLMService(db_session=session)

    # Load config from database
    config = service.load_config_from_db(model_config_id="abc123")

    # Use loaded config
    response = await service.chat(config, messages)
    assert response["text"]
    assert response["usage"]["completion_tokens"] == 8

    # Or use config ID directly
    response = await service.chat_with_config_id(model_config_id="abc123", messages=messages)
    assert response["text"]
