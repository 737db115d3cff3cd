"""The request with which a session of the repl begins, in process."""

from typing import Any

from easyllm_cli.cli.options.budget import BudgetOptions
from easyllm_cli.cli.options.cache import CacheOptions
from easyllm_cli.cli.options.common import CommonOptions
from easyllm_cli.cli.options.history import HistoryOptions
from easyllm_cli.cli.options.input import InputOptions, ModelOptions
from easyllm_cli.cli.options.output import OutputOptions
from easyllm_cli.cli.options.run import RunOptions
from easyllm_cli.cli.options.sampling import SamplingOptions
from easyllm_cli.cli.options.template import TemplateOptions
from easyllm_cli.cli.request import AnswerRequest
from easyllm_cli.cli.stdin import Stdin


def repl_request(model: ModelOptions, **more: Any) -> AnswerRequest:
    """Return the request of `easyllm repl` without other options than the model's."""
    return AnswerRequest(
        [], model, InputOptions(), SamplingOptions(), OutputOptions(), CommonOptions(),
        RunOptions(), HistoryOptions(), CacheOptions(), BudgetOptions(), TemplateOptions(),
        command="repl", stdin=Stdin(disabled=True), **more,
    )  # fmt: skip
