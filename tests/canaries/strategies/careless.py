"""Strategies that print what they know when they fail."""

import os

from pydantic import BaseModel, field_validator

from millrace_strategy import StartEvent, Strategy


class CarelessConfiguration(BaseModel):
    """Where it tells of itself."""

    webhook: str
    api_token: str
    proxy: str


class Careless(Strategy):
    """Fails at its start, and says with which parameters and in which environment."""

    Configuration = CarelessConfiguration
    configuration: CarelessConfiguration

    def on_start(self, event: StartEvent) -> None:
        """Fail."""
        settings = self.configuration
        print("starting with", settings)  # noqa: T201
        known = {name: text for name, text in os.environ.items() if name.startswith("MILLRACE_")}
        raise ValueError(f"cannot go on with {settings!r}, {settings.webhook}, {settings.api_token}, {known}")


class PickyConfiguration(BaseModel):
    """Never right."""

    webhook: str
    api_token: str

    @field_validator("webhook", "api_token")
    @classmethod
    def _refuse(cls, text: str) -> str:
        raise ValueError(f"{text} is not what I want, nor is {os.environ['MILLRACE_REDIS_URL']}")


class Picky(Strategy):
    """Refuses every configuration, and repeats it."""

    Configuration = PickyConfiguration
