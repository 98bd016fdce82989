"""The heads of FNet, named, called and answered as transformers' are.

Legend: b rows, l tokens of a row, d features, m masked positions of a row, v words, c labels.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from studiolo.nn import LayerNorm

from .model import EncoderOutput, FNetConfig, FNetModel, Mixers, ModelOutput, Pretrained, initialise


IGNORED_LABEL = -100


@dataclass(frozen=True)
class PreTrainingOutput(ModelOutput):
    """What `FNetForPreTraining` gives; `loss` is None where no label was given."""

    loss: Tensor | None
    prediction_logits: Tensor  # (b, l, v), or (b, m, v) at masked positions
    seq_relationship_logits: Tensor  # (b, 2)
    hidden_states: tuple[Tensor, ...] | None = None


@dataclass(frozen=True)
class LogitsOutput(ModelOutput):
    """What heads with one kind of logits give; `loss` is None where no label was given."""

    loss: Tensor | None
    logits: Tensor
    hidden_states: tuple[Tensor, ...] | None = None


@dataclass(frozen=True)
class SpanOutput(ModelOutput):
    """What `FNetForQuestionAnswering` gives: where the answer starts and ends, (b, l) each."""

    loss: Tensor | None
    start_logits: Tensor
    end_logits: Tensor
    hidden_states: tuple[Tensor, ...] | None = None


class WordHead(nn.Module):
    """LN(f(W h + b)) Eᵀ + bias, E the word embeddings."""

    def __init__(self, config: FNetConfig) -> None:
        super().__init__()
        d = config.hidden_size
        self.transform = nn.Linear(d, d)
        self.norm = LayerNorm(d, eps=config.layer_norm_eps)
        self.bias = nn.Parameter(torch.zeros(config.vocab_size))
        self.activation = config.activation
        initialise([self.transform], config.initializer_range)

    def forward(
        self,
        hidden: Float[Tensor, "b l d"],
        embeddings: Float[Tensor, "v d"],
        masked_positions: Int[Tensor, "b m"] | None = None,
    ) -> Float[Tensor, "b _ v"]:
        """Return the logits at all or at given positions."""
        if masked_positions is not None:
            hidden = hidden.take_along_dim(masked_positions[..., None], dim=1)
        return F.linear(self.norm(self.activation(self.transform(hidden))), embeddings, self.bias)


class _Headed(Pretrained):
    """An FNet below a head."""

    def __init__(self, config: FNetConfig, mixer: Mixers = None) -> None:
        super().__init__()
        self.config = config
        self.fnet = FNetModel(config, mixer)  # transformers' heads all have the pooler

    def _encoded(self, *inputs: Any, **keywords: Any) -> EncoderOutput:
        output = self.fnet(*inputs, **keywords)
        assert isinstance(output, EncoderOutput)
        return output

    def _head(self, outputs: int) -> nn.Linear:
        head = nn.Linear(self.config.hidden_size, outputs)
        initialise([head], self.config.initializer_range)
        return head


class FNetForPreTraining(_Headed):
    """FNet with the masked-word head and the next-sentence head.

    Source: https://arxiv.org/abs/2105.03824, section 4.1.
    """

    def __init__(self, config: FNetConfig, mixer: Mixers = None) -> None:
        super().__init__(config, mixer)
        self.words = WordHead(config)
        self.next_sentence = self._head(2)

    def forward(
        self,
        input_ids: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        labels: Int[Tensor, "b _"] | None = None,
        next_sentence_label: Int[Tensor, " b"] | None = None,
        output_hidden_states: bool = False,
        return_dict: bool = True,
        *,
        masked_positions: Int[Tensor, "b m"] | None = None,
        **padding: Any,
    ) -> Any:
        """Return both heads' logits and the sum of the losses whose labels are given.

        Args:
            masked_positions: compute word logits there only, which with 80 of 512 positions
                saves five sixths of the head; `labels` then belong to these positions.
            labels: the words; -100 where there is nothing to predict. A batch with nothing to
                predict has loss 0, not NaN.
            next_sentence_label: 0 where the second sentence follows the first, 1 where it is random.
            padding: `attention_mask` or `lengths`, as of `FNetModel`.

        Raises:
            ValueError: `labels` are not of the shape of the logits; says both.
        """
        encoded = self._encoded(
            input_ids, token_type_ids, position_ids, inputs_embeds, output_hidden_states, **padding
        )
        hidden, embeddings = encoded.last_hidden_state, self.fnet.word_embeddings.weight
        words = self.words(hidden, embeddings, masked_positions)
        sentences = self.next_sentence(encoded.pooler_output)
        losses = []
        if labels is not None:
            losses.append(token_loss(words, labels))
        if next_sentence_label is not None:
            losses.append(F.cross_entropy(sentences, next_sentence_label.flatten()))
        loss = torch.stack(losses).sum() if losses else None
        output = PreTrainingOutput(loss, words, sentences, encoded.hidden_states)
        return output if return_dict else output.to_tuple()


class FNetForMaskedLM(_Headed):
    """FNet with the masked-word head alone."""

    def __init__(self, config: FNetConfig, mixer: Mixers = None) -> None:
        super().__init__(config, mixer)
        self.words = WordHead(config)

    def forward(
        self,
        input_ids: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        labels: Int[Tensor, "b _"] | None = None,
        output_hidden_states: bool = False,
        return_dict: bool = True,
        *,
        masked_positions: Int[Tensor, "b m"] | None = None,
        **padding: Any,
    ) -> Any:
        """Return the logits of words, and their loss where `labels` are given; see `FNetForPreTraining`."""
        encoded = self._encoded(
            input_ids, token_type_ids, position_ids, inputs_embeds, output_hidden_states, **padding
        )
        embeddings = self.fnet.word_embeddings.weight
        logits = self.words(encoded.last_hidden_state, embeddings, masked_positions)
        loss = None if labels is None else token_loss(logits, labels)
        output = LogitsOutput(loss, logits, encoded.hidden_states)
        return output if return_dict else output.to_tuple()


class _Classifier(_Headed):
    """A linear layer over pooled rows or over tokens; `_loss` compares its logits with labels."""

    _pooled = True
    _loss: Callable[[FNetConfig, Tensor, Tensor], Tensor]

    def __init__(self, config: FNetConfig, mixer: Mixers = None) -> None:
        super().__init__(config, mixer)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)
        self.classifier = self._head(config.num_labels)

    def forward(
        self,
        input_ids: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        output_hidden_states: bool = False,
        return_dict: bool = True,
        **padding: Any,
    ) -> Any:
        """Return logits, and the loss where `labels` are given; `padding` as of `FNetModel`."""
        encoded = self._encoded(
            input_ids, token_type_ids, position_ids, inputs_embeds, output_hidden_states, **padding
        )
        features = encoded.pooler_output if self._pooled else encoded.last_hidden_state
        assert features is not None
        logits = self.classifier(self.dropout(features))
        loss = None if labels is None else type(self)._loss(self.config, logits, labels)
        output = LogitsOutput(loss, logits, encoded.hidden_states)
        return output if return_dict else output.to_tuple()


class FNetForSequenceClassification(_Classifier):
    """FNet with a class for each row, or a number where `num_labels` is 1.

    The loss follows the labels, as in transformers: squared error for one label or fractions of one
    shape with the logits and one label, cross-entropy for whole numbers, binary for several at once.
    """

    @staticmethod
    def _loss(config: FNetConfig, logits: Tensor, labels: Tensor) -> Tensor:
        if config.num_labels == 1:
            return F.mse_loss(logits.squeeze(), labels.squeeze().to(logits.dtype))
        if labels.is_floating_point():
            return F.binary_cross_entropy_with_logits(logits, labels)
        return F.cross_entropy(logits, labels.flatten())


class FNetForNextSentencePrediction(_Headed):
    """FNet that says whether the second sentence follows the first: label 0, or is random: label 1."""

    def __init__(self, config: FNetConfig, mixer: Mixers = None) -> None:
        super().__init__(config, mixer)
        self.next_sentence = self._head(2)

    def forward(
        self,
        input_ids: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        labels: Int[Tensor, " b"] | None = None,
        output_hidden_states: bool = False,
        return_dict: bool = True,
        **padding: Any,
    ) -> Any:
        """Return logits, and the loss where `labels` are given; `padding` as of `FNetModel`."""
        encoded = self._encoded(
            input_ids, token_type_ids, position_ids, inputs_embeds, output_hidden_states, **padding
        )
        logits = self.next_sentence(encoded.pooler_output)
        loss = None if labels is None else F.cross_entropy(logits, labels.flatten())
        output = LogitsOutput(loss, logits, encoded.hidden_states)
        return output if return_dict else output.to_tuple()


class FNetForMultipleChoice(_Headed):
    """FNet that gives each of several rows a number and chooses among them."""

    def __init__(self, config: FNetConfig, mixer: Mixers = None) -> None:
        super().__init__(config, mixer)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)
        self.classifier = self._head(1)

    def forward(
        self,
        input_ids: Int[Tensor, "b choices l"],
        token_type_ids: Int[Tensor, "b choices l"] | None = None,
        labels: Int[Tensor, " b"] | None = None,
        output_hidden_states: bool = False,
        return_dict: bool = True,
        *,
        attention_mask: Tensor | None = None,
    ) -> Any:
        """Return logits (b, choices), and the loss where `labels`, the right choices, are given."""
        flat = (
            None if part is None else part.flatten(0, 1)
            for part in (input_ids, token_type_ids, attention_mask)
        )
        ids, types, mask = flat
        encoded = self._encoded(ids, types, None, None, output_hidden_states, attention_mask=mask)
        pooled = encoded.pooler_output
        logits = self.classifier(self.dropout(pooled)).view(input_ids.shape[:2])
        loss = None if labels is None else F.cross_entropy(logits, labels)
        output = LogitsOutput(loss, logits, encoded.hidden_states)
        return output if return_dict else output.to_tuple()


class FNetForTokenClassification(_Classifier):
    """FNet with a class for each token; label -100 is ignored."""

    _pooled = False

    @staticmethod
    def _loss(config: FNetConfig, logits: Tensor, labels: Tensor) -> Tensor:
        return token_loss(logits, labels)


class FNetForQuestionAnswering(_Headed):
    """FNet that marks where an answer starts and ends."""

    def __init__(self, config: FNetConfig, mixer: Mixers = None) -> None:
        super().__init__(config, mixer)
        self.span = self._head(2)

    def forward(
        self,
        input_ids: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        start_positions: Int[Tensor, " b"] | None = None,
        end_positions: Int[Tensor, " b"] | None = None,
        output_hidden_states: bool = False,
        return_dict: bool = True,
        **padding: Any,
    ) -> Any:
        """Return both logits, and the mean of both losses where both positions are given.

        Positions beyond the row are ignored. `padding` as of `FNetModel`.
        """
        encoded = self._encoded(
            input_ids, token_type_ids, position_ids, inputs_embeds, output_hidden_states, **padding
        )
        start, end = self.span(encoded.last_hidden_state).unbind(-1)
        loss = None
        if start_positions is not None and end_positions is not None:
            l = start.shape[1]
            losses = [
                F.cross_entropy(logits, at.flatten().clamp(0, l), ignore_index=l)
                for logits, at in ((start, start_positions), (end, end_positions))
            ]
            loss = (losses[0] + losses[1]) / 2
        output = SpanOutput(loss, start.contiguous(), end.contiguous(), encoded.hidden_states)
        return output if return_dict else output.to_tuple()


def token_loss(logits: Float[Tensor, "b l c"], labels: Int[Tensor, "b l"]) -> Tensor:
    """Return the mean loss of the tokens that have a label, 0 where none has.

    Raises:
        ValueError: not one label a position; says both shapes.
    """
    if labels.shape != logits.shape[:2]:
        raise ValueError(
            f"labels are {tuple(labels.shape)}, but the logits stand at {tuple(logits.shape[:2])} "
            "positions: give one label a position, -100 where there is none."
        )
    total = F.cross_entropy(
        logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORED_LABEL, reduction="sum"
    )
    return total / (labels != IGNORED_LABEL).sum().clamp(min=1)
