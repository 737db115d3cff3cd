"""The table of built-in providers: endpoint, key variables and differences of each vendor.

Sources: the vendors' API references (see docs/protocols.md). A new OpenAI-compatible vendor is one
row here.
"""

from __future__ import annotations

from typing import Any

from .frozen_dataclass import FrozenDataclass

LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "::1")


class Vendor(FrozenDataclass):
    """One built-in provider.

    `adapter`: the name of its adapter in providers.ADAPTERS.
    `base_url`: the default endpoint; "" = none. `{NAME}` in it is the value of that environment
    variable, e.g. a region.
    `hosts`: the vendor's own hosts. The key from `key_variables` is sent to these only.
    `host_pattern`: a regular expression of more own hosts, for vendors that have one for each
    customer or region.
    `endpoint_path`: the path of an endpoint that is given without one.
    `default_api`: the `api` of profiles that set none.
    `key_header`: the request header of the key at these hosts. "Authorization" carries
    `Bearer KEY`, another header the key alone. Other hosts always get `Authorization`.
    `keeps_key_header`: whether `key_header` is used at the endpoint of `endpoint_variable`, too.
    `endpoint_variable`: the environment variable of the endpoint; "" = NAME_BASE_URL.
    `key_required`: False for servers that users run themselves.
    `token_limit_parameter`: the request field that limits the tokens of the answer.
    `seed_parameter`: the request field of the seed.
    `reasoning_style`: how a request controls reasoning: "effort" (reasoning_effort), "switch"
    (thinking.type, as DeepSeek), "adaptive" (thinking.type, as MiniMax), "template"
    (chat_template_kwargs), "enable" (enable_thinking), "openai" (reasoning_effort, only for model
    families that reason).
    `reasoning_body`: extra request fields if reasoning is on.
    `separates_reasoning`: whether every model's reasoning arrives in a field of its own.
    `ignores_model_name`: whether the server accepts any model name.
    `start_command`: the command that starts a server that users run themselves.
    `model_prefixes`: how the names of its well-known models begin, in lower case; a path before
    the last `/` is part of the vendor's name of the model, and users leave it out.
    `bearer_variables`: those of `key_variables` whose value always goes as `Bearer KEY`.
    `messages_url`: the base URL of the vendor's Anthropic Messages API (`api = "anthropic"`)
    without `/v1`; "" = none is known. `messages_key_header`: as `key_header`, for that API.
    `messages_thinking`: the `thinking.type` to try first there.
    `takes_schema`: False if `response_format` supports json_object only.
    `models_note`: where to find the names of models, if the server's list lacks them.
    """

    adapter: str
    base_url: str
    hosts: tuple[str, ...]
    key_variables: tuple[str, ...] = ()
    key_header: str = "Authorization"
    endpoint_variable: str = ""
    key_required: bool = True
    token_limit_parameter: str = "max_tokens"
    seed_parameter: str = "seed"
    reasoning_style: str = "effort"
    reasoning_body: dict[str, Any] | None = None
    separates_reasoning: bool = True
    ignores_model_name: bool = False
    start_command: str = ""
    takes_schema: bool = True
    model_prefixes: tuple[str, ...] = ()
    bearer_variables: tuple[str, ...] = ()
    messages_url: str = ""
    messages_key_header: str = "Authorization"
    messages_thinking: str = "adaptive"
    host_pattern: str = ""
    endpoint_path: str = ""
    default_api: str = "chat"
    models_note: str = ""
    keeps_key_header: bool = False

    def has_host(self, host: str) -> bool:
        """Whether the host is the vendor's own, which may get the key from `key_variables`."""
        if host in self.hosts or not self.host_pattern:
            return host in self.hosts
        import re  # azure and bedrock only

        return re.fullmatch(self.host_pattern, host) is not None


VENDORS: dict[str, Vendor] = {
    "openai": Vendor(
        "openai", "https://api.openai.com/v1", ("api.openai.com",), ("OPENAI_API_KEY",),
        token_limit_parameter="max_completion_tokens", reasoning_style="openai",
        model_prefixes=("gpt-", "chatgpt-", "o1", "o3", "o4"),
    ),
    "anthropic": Vendor(
        "anthropic", "https://api.anthropic.com", ("api.anthropic.com",),
        ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"), key_header="x-api-key",
        bearer_variables=("ANTHROPIC_AUTH_TOKEN",), model_prefixes=("claude-",),
    ),
    "ollama": Vendor(
        "ollama", "http://127.0.0.1:11434", ("ollama.com", "www.ollama.com"), ("OLLAMA_API_KEY",),
        endpoint_variable="OLLAMA_HOST",
        # https://docs.ollama.com/api/anthropic-compatibility
        messages_url="http://127.0.0.1:11434",
        model_prefixes=(
            "gpt-oss", "deepseek-r1", "llama2", "llama3", "gemma", "gemma2", "gemma3",
            "qwen2", "qwen3", "phi3", "phi4",
        ),
    ),
    "openrouter": Vendor(
        "openrouter", "https://openrouter.ai/api/v1", ("openrouter.ai",), ("OPENROUTER_API_KEY",),
        messages_url="https://openrouter.ai/api",
        model_prefixes=("anthropic/claude-",),
    ),
    "gemini": Vendor(
        "gemini", "https://generativelanguage.googleapis.com/v1beta",
        ("generativelanguage.googleapis.com",), ("GEMINI_API_KEY", "GOOGLE_API_KEY"),
        endpoint_variable="GOOGLE_GEMINI_BASE_URL", model_prefixes=("gemini-",),
    ),
    "deepseek": Vendor(
        "openai", "https://api.deepseek.com", ("api.deepseek.com",), ("DEEPSEEK_API_KEY",),
        reasoning_style="switch", takes_schema=False, model_prefixes=("deepseek-",),
        # https://api-docs.deepseek.com/guides/anthropic_api
        messages_url="https://api.deepseek.com/anthropic", messages_key_header="x-api-key",
        messages_thinking="enabled",
    ),
    "groq": Vendor(
        "openai", "https://api.groq.com/openai/v1", ("api.groq.com",), ("GROQ_API_KEY",),
        token_limit_parameter="max_completion_tokens",
        reasoning_body={"reasoning_format": "parsed"},
    ),
    "mistral": Vendor(
        "openai", "https://api.mistral.ai/v1", ("api.mistral.ai",), ("MISTRAL_API_KEY",),
        seed_parameter="random_seed",  # https://docs.mistral.ai/api/#tag/chat
        model_prefixes=("mistral-", "ministral-", "magistral-", "codestral-", "devstral-"),
    ),
    "together": Vendor(
        "openai", "https://api.together.xyz/v1", ("api.together.xyz", "api.together.ai"),
        ("TOGETHER_API_KEY",),
    ),
    "xai": Vendor(
        "openai", "https://api.x.ai/v1", ("api.x.ai",), ("XAI_API_KEY",),
        model_prefixes=("grok-",),
    ),
    "fireworks": Vendor(
        "openai", "https://api.fireworks.ai/inference/v1", ("api.fireworks.ai",),
        ("FIREWORKS_API_KEY",),
    ),
    "siliconflow": Vendor(
        "openai", "https://api.siliconflow.cn/v1", ("api.siliconflow.cn", "api.siliconflow.com"),
        ("SILICONFLOW_API_KEY",), reasoning_style="enable",
    ),
    "zhipu": Vendor(
        "openai", "https://open.bigmodel.cn/api/paas/v4", ("open.bigmodel.cn", "api.z.ai"),
        ("ZHIPU_API_KEY", "ZHIPUAI_API_KEY"), reasoning_style="switch", model_prefixes=("glm-",),
        messages_url="https://open.bigmodel.cn/api/anthropic", messages_thinking="enabled",
    ),
    "alibailian": Vendor(
        "openai", "https://dashscope.aliyuncs.com/compatible-mode/v1",
        ("dashscope.aliyuncs.com", "dashscope-intl.aliyuncs.com"),
        ("DASHSCOPE_API_KEY",), reasoning_style="enable", model_prefixes=("qwen-", "qwq-"),
    ),
    "moonshot": Vendor(
        "openai", "https://api.moonshot.cn/v1", ("api.moonshot.cn", "api.moonshot.ai"),
        ("MOONSHOT_API_KEY",), reasoning_style="switch", model_prefixes=("kimi-", "moonshot-"),
        messages_url="https://api.moonshot.cn/anthropic", messages_thinking="enabled",
    ),
    "cohere": Vendor(
        "cohere", "https://api.cohere.com", ("api.cohere.com", "api.cohere.ai"),
        ("CO_API_KEY", "COHERE_API_KEY"), endpoint_variable="CO_API_URL",
        model_prefixes=("command-",),
    ),
    # https://platform.minimax.io/docs/api-reference/text-openai-api
    "minimax": Vendor(
        "openai", "https://api.minimax.io/v1", ("api.minimax.io", "api.minimaxi.com"),
        ("MINIMAX_API_KEY",), token_limit_parameter="max_completion_tokens",
        reasoning_style="adaptive", separates_reasoning=False, takes_schema=False,
        messages_url="https://api.minimax.io/anthropic",
    ),
    # https://inference-docs.cerebras.ai/resources/openai
    "cerebras": Vendor(
        "openai", "https://api.cerebras.ai/v1", ("api.cerebras.ai",), ("CEREBRAS_API_KEY",),
        token_limit_parameter="max_completion_tokens",
        reasoning_body={"reasoning_format": "parsed"},
    ),
    # https://build.nvidia.com, the code beside each model
    "nvidia": Vendor(
        "openai", "https://integrate.api.nvidia.com/v1", ("integrate.api.nvidia.com",),
        ("NVIDIA_API_KEY",), reasoning_style="template", separates_reasoning=False,
    ),
    # https://huggingface.co/docs/inference-providers
    "huggingface": Vendor(
        "openai", "https://router.huggingface.co/v1", ("router.huggingface.co",), ("HF_TOKEN",),
        separates_reasoning=False,
    ),
    # Chat Completions of Sonar ended on 2026-09-27; the Agent API speaks OpenAI's Responses.
    # https://docs.perplexity.ai/docs/grounded-llm/openai-compatibility
    "perplexity": Vendor(
        "openai", "https://api.perplexity.ai/v1", ("api.perplexity.ai",), ("PERPLEXITY_API_KEY",),
        default_api="responses",
    ),
    # https://learn.microsoft.com/azure/foundry-classic/openai/api-version-lifecycle
    "azure": Vendor(
        "openai", "", (), ("AZURE_OPENAI_API_KEY",), key_header="api-key",
        endpoint_variable="AZURE_OPENAI_ENDPOINT", endpoint_path="/openai/v1",
        host_pattern=r"[^.]+\.(openai|cognitiveservices|services\.ai)\.azure\.com",
        token_limit_parameter="max_completion_tokens",
        models_note="a model's name is your deployment's: https://ai.azure.com shows them",
        # Other clouds and API Management take the key in this header, too. https://learn.microsoft
        # .com/azure/api-management/api-management-authenticate-authorize-azure-openai
        keeps_key_header=True,
    ),
    # https://docs.aws.amazon.com/bedrock/latest/userguide/inference-chat-completions.html
    "bedrock": Vendor(
        "openai", "https://bedrock-runtime.{AWS_REGION}.amazonaws.com/openai/v1", (),
        ("AWS_BEARER_TOKEN_BEDROCK",),
        endpoint_path="/openai/v1",
        host_pattern=r"bedrock-(runtime(-fips)?\.[a-z]+(-[a-z]+)+-\d+\.amazonaws\.com"
        r"|mantle\.[a-z]+(-[a-z]+)+-\d+\.api\.aws)",
        models_note="the names of models are in "
        "https://docs.aws.amazon.com/bedrock/latest/userguide/models-supported.html",
    ),
    "lmstudio": Vendor(
        "openai", "http://127.0.0.1:1234/v1", LOOPBACK_HOSTS, ("LMSTUDIO_API_KEY",),
        key_required=False, separates_reasoning=False, start_command="lms server start",
        # https://lmstudio.ai/docs/developer/anthropic-compat
        messages_url="http://127.0.0.1:1234",
    ),
    "vllm": Vendor(
        "openai", "http://127.0.0.1:8000/v1", LOOPBACK_HOSTS, ("VLLM_API_KEY",),
        key_required=False, reasoning_style="template", separates_reasoning=False,
        start_command="vllm serve MODEL", messages_url="http://127.0.0.1:8000",
    ),
    "llamacpp": Vendor(
        "openai", "http://127.0.0.1:8080/v1", LOOPBACK_HOSTS, ("LLAMACPP_API_KEY",),
        key_required=False, reasoning_style="template", separates_reasoning=False,
        ignores_model_name=True,
        start_command="llama-server -m MODEL.gguf", messages_url="http://127.0.0.1:8080",
    ),
    # No endpoint and no key: LiteLLM derives both from the model's name.
    "litellm": Vendor("litellm", "", (), key_required=False, separates_reasoning=False),
    # The model runs in this process: no endpoint and no key to configure.
    "local": Vendor(
        "local", "http://127.0.0.1/v1", LOOPBACK_HOSTS, key_required=False,
        reasoning_style="template", separates_reasoning=False,
    ),
}  # fmt: skip


PNG_AND_JPEG_TYPES = ("image/png", "image/jpeg")
COMMON_IMAGE_TYPES = (*PNG_AND_JPEG_TYPES, "image/webp", "image/gif")
# The image formats that a host documents. Other hosts get every format.
IMAGE_TYPES_BY_HOST: dict[str, tuple[str, ...]] = {
    "api.openai.com": COMMON_IMAGE_TYPES,  # https://platform.openai.com/docs/guides/images-vision
    "openrouter.ai": COMMON_IMAGE_TYPES,  # https://openrouter.ai/docs/features/multimodal/images
    # https://docs.anthropic.com/en/docs/build-with-claude/vision
    "api.anthropic.com": COMMON_IMAGE_TYPES,
    "api.mistral.ai": COMMON_IMAGE_TYPES,  # https://docs.mistral.ai/capabilities/vision
    # https://platform.moonshot.ai/docs/guide/use-kimi-vision-model
    "api.moonshot.ai": COMMON_IMAGE_TYPES, "api.moonshot.cn": COMMON_IMAGE_TYPES,
    "api.x.ai": PNG_AND_JPEG_TYPES,  # https://docs.x.ai/docs/guides/image-understanding
    # https://docs.z.ai/api-reference/llm/chat-completion
    "api.z.ai": PNG_AND_JPEG_TYPES, "open.bigmodel.cn": PNG_AND_JPEG_TYPES,
    # https://docs.fireworks.ai/guides/querying-vision-language-models
    "api.fireworks.ai": (*PNG_AND_JPEG_TYPES, "image/gif", "image/bmp"),
}  # fmt: skip
# The image formats that llama.cpp decodes.
LLAMACPP_IMAGE_TYPES = (*PNG_AND_JPEG_TYPES, "image/gif", "image/bmp")

# For plugins: the profile or environment variables give the endpoint and the key.
PLUGIN_VENDOR = Vendor("", "", (), key_required=False, separates_reasoning=False)


def get_vendor(name: str | None) -> Vendor:
    """The row of a built-in provider; PLUGIN_VENDOR for any other name."""
    return VENDORS.get(name or "", PLUGIN_VENDOR)


def get_endpoint_variable(name: str) -> str:
    """The environment variable of the provider's endpoint, e.g. OPENAI_BASE_URL, OLLAMA_HOST."""
    return get_vendor(name).endpoint_variable or f"{name.upper().replace('-', '_')}_BASE_URL"


def get_variables(name: str) -> list[str]:
    """The environment variables of a provider: those of its key, its region and its endpoint."""
    vendor = get_vendor(name)
    region = vendor.base_url.partition("{")[2].partition("}")[0]
    return [*vendor.key_variables, *([region] if region else []), get_endpoint_variable(name)]
