"""A Qwen3 so small that a CPU trains it, made on the spot from random weights, with a tokenizer of its own."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from sigma_env.tasks.messages import ABSTAIN_PROMPT, SYSTEM_PROMPT

END_OF_TEXT: Final = "<|endoftext|>"
START: Final = "<|im_start|>"
END: Final = "<|im_end|>"

CHAT_TEMPLATE: Final = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
"""ChatML, as Qwen3 has it, without thinking and tools."""

_QUOTES: Final = r" ?['`\"]"
"""Split off, with the space before it. Literals then tokenise alike in a request, which quotes them with backticks or
double quotes, and in YAML; only so does copying become learnable for a small model."""

CONSTANTS: Final = (SYSTEM_PROMPT, SYSTEM_PROMPT + ABSTAIN_PROMPT)
"""What every prompt says before its request, one token each. It tells a model that is trained on nothing else no more
than that, and spelt out it would be three quarters of all tokens."""


class Size(NamedTuple):
    """Measures of a model.

    Attributes:
        hidden: width of the residual stream.
        layers: number of decoder layers.
        heads: attention heads, each with its own key and value.
        head: width of a head.
        feed_forward: width of the gated layer.
        vocabulary: tokens, the 256 bytes, the special ones and CONSTANTS among them.
        positions: tokens of the longest prompt and answer together.
    """

    hidden: int = 128
    layers: int = 2
    heads: int = 4
    head: int = 32
    feed_forward: int = 384
    vocabulary: int = 1024
    positions: int = 4096


def make(folder: Path, texts: Sequence[str], size: Size = Size(), seed: int = 0) -> int:  # noqa: B008  # frozen
    """Writes a model and its tokenizer in Hugging Face's layout.

    Args:
        folder: where to.
        texts: what the tokenizer is fitted to; requests and answers.
        size: of the model.
        seed: of its weights. The same seed gives the same files.

    Returns:
        The number of parameters.
    """
    tokenizer = make_tokenizer(texts, size)
    model = make_model(tokenizer, size, seed)
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save_pretrained(folder)
    model.save_pretrained(folder)
    return sum(weights.numel() for weights in model.parameters())


def make_tokenizer(texts: Iterable[str], size: Size) -> Any:
    """A byte-level BPE tokenizer with ChatML's special tokens: every text can be encoded, and comes back the same."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_QUOTES), "isolated"),
            pre_tokenizers.Split("\n", "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size.vocabulary - len(CONSTANTS),
        special_tokens=[END_OF_TEXT, START, END],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_tokens([AddedToken(text, normalized=False) for text in CONSTANTS])
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token=END, pad_token=END_OF_TEXT, model_max_length=size.positions
    )
    fast.chat_template = CHAT_TEMPLATE
    return fast


def make_model(tokenizer: Any, size: Size, seed: int) -> Any:
    """A Qwen3 with random weights in float32, embeddings tied, for a tokenizer."""
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    config = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=size.hidden,
        intermediate_size=size.feed_forward,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        num_key_value_heads=size.heads,
        head_dim=size.head,
        max_position_embeddings=size.positions,
        tie_word_embeddings=True,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
    )
    with torch.random.fork_rng(devices=[]):  # transformers initialises from torch's global generator
        torch.manual_seed(seed)
        model = Qwen3ForCausalLM(config).to(torch.float32)
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    return model
