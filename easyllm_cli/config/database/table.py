"""The database table `model_config`, for applications without a table of their own."""

from __future__ import annotations

from sqlalchemy import String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """Declarative base whose metadata contains only the table `model_config`."""


class ModelConfig(Base):
    """One row of the table `model_config`; `ModelConfig.metadata.create_all(engine)` creates it.

    `provider_id` is a provider name. A NULL column counts as not set.
    """

    __tablename__ = "model_config"

    id: Mapped[str] = mapped_column(String(255), primary_key=True)
    provider_id: Mapped[str] = mapped_column(String(255))
    endpoint: Mapped[str | None] = mapped_column(Text)
    api_key: Mapped[str | None] = mapped_column(Text)
    model_name: Mapped[str] = mapped_column(String(255))
    temperature: Mapped[float | None]
    max_tokens: Mapped[int | None]
    top_p: Mapped[float | None]
    top_k: Mapped[int | None]
