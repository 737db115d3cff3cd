"""Our own table, for an application that has none."""

from __future__ import annotations

from sqlalchemy import String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """Holds the metadata of our own table, and of nothing else."""


class ModelConfig(Base):
    """Our own table, for an application that has none; `metadata.create_all(engine)` makes it.

    `provider_id` is a provider's name. What is NULL is not sent, or is the provider's default.
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
