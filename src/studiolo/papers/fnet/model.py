"""FNet as a model: configuration and heads under transformers' names, exact to its weights.

Legend: b rows, l tokens, d features, m masked positions of a row, v words.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from studiolo.nn import LayerNorm, Lengths, Transformer
from studiolo.nn.transformer import ACTIVATIONS

from .mixing import FourierMixing


# transformers' names of the activations that `studiolo.nn` has
_ACTIVATIONS = {
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "gelu": "gelu",
    "relu": "relu",
}
IGNORED_LABEL = -100


@dataclass(frozen=True)
class FNetConfig:
    """Sizes of an FNet, named and defaulted as in transformers: the default is FNet-Base.

    Raises:
        ValueError: an activation that is not here; says which are.
    """

    vocab_size: int = 32000
    hidden_size: int = 768
    num_hidden_layers: int = 12
    intermediate_size: int = 3072
    hidden_act: str = "gelu_new"
    hidden_dropout_prob: float = 0.1
    max_position_embeddings: int = 512
    type_vocab_size: int = 4
    initializer_range: float = 0.02
    layer_norm_eps: float = 1e-12
    pad_token_id: int | None = 3

    def __post_init__(self) -> None:
        if self.hidden_act not in _ACTIVATIONS:
            raise ValueError(
                f"hidden_act is {self.hidden_act!r}: choose one of {', '.join(_ACTIVATIONS)}."
            )

    @classmethod
    def from_transformers(cls, config: Mapping[str, Any]) -> "FNetConfig":
        """Take the fields that are ours from `config.to_dict()` or a parsed `config.json`.

        The DFT-matrix fields are dropped: they choose an algorithm, not a function.

        Raises:
            ValueError: the output layer is not tied to the word embeddings.
        """
        if not config.get("tie_word_embeddings", True):
            raise ValueError(
                "tie_word_embeddings is false: FNet shares the word embeddings with its output "
                "layer, so such weights cannot be taken over."
            )
        names = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in config.items() if name in names})


class FNetModel(nn.Module):
    """Embeddings, mixing blocks and pooler.

    Args:
        mixer: gives the mixer of each block; Fourier in all of them unless told. FNet-Hybrid is
            `lambda layer: SelfAttention(768, 12) if layer >= 10 else FourierMixing()`.

    Source: https://arxiv.org/abs/2105.03824, section 3.2; order of the embedding layers, epsilon
    and pooler from the authors' code.
    """

    def __init__(self, config: FNetConfig, mixer: Callable[[int], nn.Module] | None = None) -> None:
        super().__init__()
        d, eps = config.hidden_size, config.layer_norm_eps
        self.config = config
        self.word_embeddings = nn.Embedding(config.vocab_size, d, padding_idx=config.pad_token_id)
        self.position_embeddings = nn.Embedding(config.max_position_embeddings, d)
        self.type_embeddings = nn.Embedding(config.type_vocab_size, d)
        self.embedding_norm = LayerNorm(d, eps=eps)
        self.projection = nn.Linear(d, d)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)
        self.encoder = Transformer(
            d,
            config.num_hidden_layers,
            mixer or (lambda layer: FourierMixing()),
            hidden=config.intermediate_size,
            activation=_ACTIVATIONS[config.hidden_act],
            dropout=config.hidden_dropout_prob,
            norm_eps=eps,
        )
        self.pooler = nn.Linear(d, d)
        _initialise(self, config.initializer_range)

    def embed(
        self, input_ids: Int[Tensor, "b l"], token_type_ids: Int[Tensor, "b l"] | None = None
    ) -> Float[Tensor, "b l d"]:
        """Return projected, normalised word + position + type embeddings; type 0 unless told.

        Raises:
            ValueError: rows longer than `max_position_embeddings`; says both.
        """
        l, longest = input_ids.shape[1], self.config.max_position_embeddings
        if l > longest:
            raise ValueError(
                f"The rows have {l} tokens, but this model has {longest} positions: cut them, or "
                "raise max_position_embeddings."
            )
        types = torch.zeros_like(input_ids) if token_type_ids is None else token_type_ids
        embedded = self.word_embeddings(input_ids) + self.type_embeddings(types)
        embedded = embedded + self.position_embeddings.weight[:l]
        return self.dropout(self.projection(self.embedding_norm(embedded)))

    def forward(
        self,
        input_ids: Int[Tensor, "b l"],
        token_type_ids: Int[Tensor, "b l"] | None = None,
        lengths: Lengths = None,
    ) -> Float[Tensor, "b l d"]:
        """Return the last hidden state.

        Args:
            lengths: tokens of each row; the rest is padding and changes nothing (its own outputs
                are meaningless). From a tokenizer that pads on the right: `attention_mask.sum(1)`.
        """
        return self.encoder(self.embed(input_ids, token_type_ids), lengths)

    def pool(self, hidden: Float[Tensor, "b l d"]) -> Float[Tensor, "b d"]:
        """Return tanh(W h + b) of each row's first token."""
        return self.pooler(hidden[:, 0]).tanh()


def _initialise(root: nn.Module, std: float) -> None:
    for module in root.modules():
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, std=std)
        if isinstance(module, nn.Linear):
            nn.init.zeros_(module.bias)
        if isinstance(module, nn.Embedding) and module.padding_idx is not None:
            nn.init.zeros_(module.weight[module.padding_idx])


@dataclass(frozen=True)
class PreTrainingOutput:
    """What `FNetForPreTraining` gives; `loss` is None where no label was given."""

    prediction_logits: Tensor  # (b, l, v), or (b, m, v) at masked positions
    seq_relationship_logits: Tensor  # (b, 2)
    loss: Tensor | None


class FNetForPreTraining(nn.Module):
    """FNet with the masked-word head and the next-sentence head.

    Source: https://arxiv.org/abs/2105.03824, section 4.1.
    """

    def __init__(self, config: FNetConfig, mixer: Callable[[int], nn.Module] | None = None) -> None:
        super().__init__()
        d = config.hidden_size
        self.fnet = FNetModel(config, mixer)
        self.word_transform = nn.Linear(d, d)
        self.word_norm = LayerNorm(d, eps=config.layer_norm_eps)
        self.word_bias = nn.Parameter(torch.zeros(config.vocab_size))
        self.next_sentence = nn.Linear(d, 2)
        _initialise(self.word_transform, config.initializer_range)
        _initialise(self.next_sentence, config.initializer_range)

    def forward(
        self,
        input_ids: Int[Tensor, "b l"],
        token_type_ids: Int[Tensor, "b l"] | None = None,
        lengths: Lengths = None,
        *,
        masked_positions: Int[Tensor, "b m"] | None = None,
        labels: Int[Tensor, "b _"] | None = None,
        next_sentence_label: Int[Tensor, " b"] | None = None,
    ) -> PreTrainingOutput:
        """Return both heads' logits and the sum of the losses whose labels are given.

        Args:
            masked_positions: compute word logits there only, which with 80 of 512 positions
                saves five sixths of the head; `labels` then belong to these positions.
            labels: the words; -100 where there is nothing to predict. A batch with nothing to
                predict has loss 0, not NaN.
            next_sentence_label: 0 where the second sentence follows the first, 1 where it is random.

        Raises:
            ValueError: `labels` are not of the shape of the logits; says both.
        """
        hidden = self.fnet(input_ids, token_type_ids, lengths)
        sentence_logits = self.next_sentence(self.fnet.pool(hidden))
        word_logits = self.word_logits(hidden, masked_positions)
        losses = []
        if labels is not None:
            losses.append(_word_loss(word_logits, labels))
        if next_sentence_label is not None:
            losses.append(F.cross_entropy(sentence_logits, next_sentence_label))
        loss = torch.stack(losses).sum() if losses else None
        return PreTrainingOutput(word_logits, sentence_logits, loss)

    def word_logits(
        self, hidden: Float[Tensor, "b l d"], masked_positions: Int[Tensor, "b m"] | None = None
    ) -> Float[Tensor, "b _ v"]:
        """Return LN(f(W h + b)) Eᵀ + bias, E the word embeddings, at all or at given positions."""
        if masked_positions is not None:
            hidden = hidden.take_along_dim(masked_positions[..., None], dim=1)
        activation = ACTIVATIONS[_ACTIVATIONS[self.fnet.config.hidden_act]]
        words = self.word_norm(activation(self.word_transform(hidden)))
        return F.linear(words, self.fnet.word_embeddings.weight, self.word_bias)


def _word_loss(logits: Tensor, labels: Tensor) -> Tensor:
    if labels.shape != logits.shape[:2]:
        raise ValueError(
            f"labels are {tuple(labels.shape)}, but word logits stand at {tuple(logits.shape[:2])} "
            "positions: give one label a position, -100 where there is none."
        )
    total = F.cross_entropy(
        logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORED_LABEL, reduction="sum"
    )
    return total / (labels != IGNORED_LABEL).sum().clamp(min=1)


# transformers' parameter names to ours, tried in order
_RENAMES: Sequence[tuple[str, str]] = (
    (r"fnet\.embeddings\.(word|position)_embeddings\.", r"fnet.\1_embeddings."),
    (r"fnet\.embeddings\.token_type_embeddings\.", "fnet.type_embeddings."),
    (r"fnet\.embeddings\.LayerNorm\.", "fnet.embedding_norm."),
    (r"fnet\.embeddings\.projection\.", "fnet.projection."),
    (
        r"fnet\.encoder\.layer\.(\d+)\.fourier\.output\.LayerNorm\.",
        r"fnet.encoder.blocks.\1.mixer_norm.",
    ),
    (
        r"fnet\.encoder\.layer\.(\d+)\.intermediate\.dense\.",
        r"fnet.encoder.blocks.\1.feed_forward.up.",
    ),
    (r"fnet\.encoder\.layer\.(\d+)\.output\.dense\.", r"fnet.encoder.blocks.\1.feed_forward.down."),
    (r"fnet\.encoder\.layer\.(\d+)\.output\.LayerNorm\.", r"fnet.encoder.blocks.\1.output_norm."),
    (r"fnet\.pooler\.dense\.", "fnet.pooler."),
    (r"cls\.predictions\.transform\.dense\.", "word_transform."),
    (r"cls\.predictions\.transform\.LayerNorm\.", "word_norm."),
    (r"cls\.predictions\.bias$", "word_bias"),
    (r"cls\.seq_relationship\.", "next_sentence."),
)
# copies of tied parameters, index buffers, and DFT matrices, which hold nothing learned
_DERIVED = re.compile(
    r"cls\.predictions\.decoder\.|fnet\.embeddings\.(position_ids|token_type_ids)$|.*\.dft_mat_"
)


def load_transformers_state_dict(
    model: FNetForPreTraining, state_dict: Mapping[str, Tensor]
) -> None:
    """Copy the weights of transformers' `FNetForPreTraining` into `model`, in place.

    Names that hold nothing learned (tied copies, index buffers, DFT matrices) are passed over.

    Raises:
        ValueError: a parameter that `model` has no place for, or one that is missing, or one of
            another shape; names them. `model` is then unchanged.
    """
    renamed: dict[str, Tensor] = {}
    unknown = []
    for name, tensor in state_dict.items():
        if _DERIVED.match(name):
            continue
        ours = next((re.sub(old, new, name) for old, new in _RENAMES if re.match(old, name)), None)
        if ours is None:
            unknown.append(name)
        else:
            renamed[ours] = tensor
    own = model.state_dict()
    unknown += sorted(renamed.keys() - own.keys())
    missing = sorted(own.keys() - renamed.keys())
    if unknown or missing:
        raise ValueError(
            f"These are not the weights of this model: no place for {unknown}, nothing for "
            f"{missing}. Compare num_hidden_layers, and take the state dict of FNetForPreTraining."
        )
    for name, tensor in renamed.items():
        if tensor.shape != own[name].shape:
            raise ValueError(
                f"{name} is {tuple(tensor.shape)} in the state dict, {tuple(own[name].shape)} in "
                "the model: make the model with FNetConfig.from_transformers of the same config."
            )
    model.load_state_dict(renamed)
