"""FNet as a model: configuration, embeddings, blocks and pooler under transformers' names.

Legend: b rows, l tokens, d features, t tokens of a ragged batch without its padding.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal, TypeVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from studiolo.nn import LayerNorm, Lengths
from studiolo.nn.transformer import ACTIVATIONS

from .blocks import FNetBlock
from .layouts import LAYOUTS, MIXINGS, attention_layers, make_mixer
from .ragged import Packing, packed_rows, token_rows
from .states import load_folder, load_transformers_state_dict, save_folder


# transformers' names of the activations that `studiolo.nn` has
_ACTIVATIONS = {
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "gelu": "gelu",
    "relu": "relu",
}
Mixing = Literal["fourier", "hartley", "attention", "linear", "random", "none"]
Layout = Literal["top", "bottom", "middle", "mixed"]
Mixers = Callable[[int], nn.Module] | None


@dataclass(frozen=True)
class FNetConfig:
    """Sizes of an FNet, named and defaulted as in transformers: the default is FNet-Base.

    Attributes:
        mixing: what mixes tokens: fourier, hartley, attention, linear, random or none.
        num_attention_layers: blocks that attend instead; the paper's hybrid has 2.
        attention_layout: where these are: top, bottom, middle or mixed (spread evenly).
        num_attention_heads: heads of every attention; by default one for 64 features.
        norm_first: normalise before mixer and feed-forward net, and once more at the end.

    Raises:
        ValueError: a name that is not here; says which are.
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
    mixing: Mixing = "fourier"
    num_attention_layers: int = 0
    attention_layout: Layout = "top"
    num_attention_heads: int | None = None
    norm_first: bool = False
    num_labels: int = 2

    def __post_init__(self) -> None:
        for name, allowed in (
            ("hidden_act", tuple(_ACTIVATIONS)),
            ("mixing", MIXINGS),
            ("attention_layout", LAYOUTS),
        ):
            if getattr(self, name) not in allowed:
                raise ValueError(
                    f"{name} is {getattr(self, name)!r}: choose one of {', '.join(allowed)}."
                )

    @property
    def activation(self) -> Callable[[Tensor], Tensor]:
        """What `hidden_act` names."""
        return ACTIVATIONS[_ACTIVATIONS[self.hidden_act]]

    @classmethod
    def from_transformers(cls, config: Any) -> "FNetConfig":
        """Take the fields that are ours from a transformers config, its `to_dict()` or its `config.json`.

        The DFT-matrix fields are dropped: they choose an algorithm, not a function.

        Raises:
            ValueError: the output layer is not tied to the word embeddings.
            TypeError: `config` is neither a mapping nor has `to_dict`.
        """
        if not isinstance(config, Mapping):
            if not hasattr(config, "to_dict"):
                raise TypeError(f"A config is a mapping or has to_dict(), unlike {config!r}.")
            config = {**config.to_dict(), "num_labels": config.num_labels}
        if not config.get("tie_word_embeddings", True):
            raise ValueError(
                "tie_word_embeddings is false: FNet shares the word embeddings with its output "
                "layer, so such weights cannot be taken over."
            )
        names = {field.name for field in fields(cls)}
        taken = {name: value for name, value in config.items() if name in names}
        if "id2label" in config and "num_labels" not in config:
            taken["num_labels"] = len(config["id2label"])
        return cls(**taken)

    def to_transformers(self) -> dict[str, Any]:
        """Return the content of a `config.json` that transformers reads; fields of ours stay in it."""
        labels = {str(i): f"LABEL_{i}" for i in range(self.num_labels)}
        own = {name: value for name, value in asdict(self).items() if name != "num_labels"}
        return {
            "model_type": "fnet",
            **own,
            "id2label": labels,
            "label2id": {label: int(i) for i, label in labels.items()},
        }

    def mixer(self, layer: int) -> nn.Module:
        """Make the mixer of block `layer`."""
        attending = attention_layers(
            self.attention_layout, self.num_hidden_layers, self.num_attention_layers
        )
        return make_mixer(
            "attention" if layer in attending else self.mixing,
            width=self.hidden_size,
            num_tokens=self.max_position_embeddings,
            num_heads=self.num_attention_heads or max(1, self.hidden_size // 64),
            std=self.initializer_range,
        )


class ModelOutput:
    """Fields that are read by name, by key, by number and by slice; those that are None do not count.

    As in transformers, iterating gives the names: unpack `to_tuple()`, or call with return_dict=False.
    """

    def to_tuple(self) -> tuple[Any, ...]:
        """Return what is there, in order."""
        return tuple(value for _, value in self.items())

    def items(self) -> list[tuple[str, Any]]:
        """Return names and values of what is there."""
        pairs = ((f.name, getattr(self, f.name)) for f in fields(self))  # type: ignore[arg-type]
        return [(name, value) for name, value in pairs if value is not None]

    def keys(self) -> list[str]:
        """Return the names of what is there."""
        return [name for name, _ in self.items()]

    def values(self) -> list[Any]:
        """Return what is there."""
        return [value for _, value in self.items()]

    def __getitem__(self, key: str | int | slice) -> Any:
        """Return a field by name, or by its place among those that are there."""
        return dict(self.items())[key] if isinstance(key, str) else self.to_tuple()[key]

    def __iter__(self) -> Iterator[str]:
        """Yield the names of what is there."""
        return iter(self.keys())

    def __len__(self) -> int:
        """Return how many fields are there."""
        return len(self.items())


@dataclass(frozen=True)
class EncoderOutput(ModelOutput):
    """What `FNetModel` gives."""

    last_hidden_state: Tensor  # (b, l, d)
    pooler_output: Tensor | None  # (b, d)
    hidden_states: tuple[Tensor, ...] | None = None  # embeddings, then each block; (b, l, d)


class Encoder(nn.Module):
    """The blocks, on whole rows or on packed ones."""

    def __init__(self, config: FNetConfig, mixer: Callable[[int], nn.Module]) -> None:
        super().__init__()
        norm = LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.norm = norm if config.norm_first else nn.Identity()
        self.blocks = nn.ModuleList(
            FNetBlock(
                mixer(layer),
                config.hidden_size,
                config.intermediate_size,
                activation=_ACTIVATIONS[config.hidden_act],
                dropout=config.hidden_dropout_prob,
                norm_eps=config.layer_norm_eps,
                norm_first=config.norm_first,
            )
            for layer in range(config.num_hidden_layers)
        )

    def forward(
        self,
        x: Tensor,
        lengths: Lengths = None,
        packing: Packing | None = None,
        *,
        every: bool = False,
    ) -> list[Tensor]:
        """Return the last hidden state, or `x` and what each block makes of it if `every`."""
        states = [x]
        for block in self.blocks:
            x = block(x, lengths, packing)
            states = [*states, x] if every else [x]
        return [*states[:-1], self.norm(x)]


Model = TypeVar("Model", bound="Pretrained")


class Pretrained(nn.Module):
    """A model of an `FNetConfig` that is kept in a folder, as transformers keeps its own."""

    config: FNetConfig

    def save_pretrained(self, folder: str | Path) -> None:
        """Write `config.json` and `model.safetensors`, which transformers reads too.

        Raises:
            FileError: the folder cannot be written.
        """
        save_folder(self, self.config.to_transformers(), Path(folder))

    @classmethod
    def from_pretrained(cls: type[Model], folder: str | Path, *, strict: bool = True) -> Model:
        """Read such a folder, written here or by transformers, as a model in evaluation mode.

        Args:
            strict: False takes what fits, such as a pre-trained FNet below a new head.

        Raises:
            FileError: a file is missing or damaged.
            ValueError: the weights are not those of this class.
        """
        config, state = load_folder(Path(folder))
        make: Any = cls
        model: Model = make(FNetConfig.from_transformers(config))
        load_transformers_state_dict(model, state, strict=strict)
        return model.eval()


class FNetModel(Pretrained):
    """Embeddings, mixing blocks and pooler, called as transformers' `FNetModel` is.

    Args:
        mixer: gives the mixer of each block where the names in `config` do not suffice, such as one
            that is trained already: its weights stay as they are.
        add_pooling_layer: False leaves the pooler out.

    Source: https://arxiv.org/abs/2105.03824, section 3.2; order of the embedding layers, epsilon
    and pooler from the authors' code.
    """

    def __init__(
        self, config: FNetConfig, mixer: Mixers = None, *, add_pooling_layer: bool = True
    ) -> None:
        super().__init__()
        d, eps = config.hidden_size, config.layer_norm_eps
        self.config = config
        self.word_embeddings = nn.Embedding(config.vocab_size, d, padding_idx=config.pad_token_id)
        self.position_embeddings = nn.Embedding(config.max_position_embeddings, d)
        self.type_embeddings = nn.Embedding(config.type_vocab_size, d)
        self.embedding_norm = LayerNorm(d, eps=eps)
        self.projection = nn.Linear(d, d)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)
        self.encoder = Encoder(config, mixer or config.mixer)
        self.pooler = nn.Linear(d, d) if add_pooling_layer else None
        own = (module for name, module in self.named_modules() if ".mixer" not in name)
        initialise(own, config.initializer_range)

    def embed(
        self,
        input_ids: Int[Tensor, "b l"] | None,
        token_type_ids: Int[Tensor, "b l"] | None = None,
        position_ids: Int[Tensor, "_ l"] | None = None,
        inputs_embeds: Float[Tensor, "b l d"] | None = None,
    ) -> Float[Tensor, "b l d"]:
        """Return projected, normalised word + position + type embeddings; type 0 unless told.

        Raises:
            ValueError: rows longer than `max_position_embeddings`; says both.
        """
        words = self.word_embeddings(input_ids) if inputs_embeds is None else inputs_embeds
        l, longest = words.shape[1], self.config.max_position_embeddings
        if position_ids is None and l > longest:
            raise ValueError(
                f"The rows have {l} tokens, but this model has {longest} positions: cut them, or "
                "raise max_position_embeddings."
            )
        positions = self.position_embeddings.weight[:l]
        if position_ids is not None:
            positions = self.position_embeddings(position_ids)
        types = self.type_embeddings.weight[0]
        if token_type_ids is not None:
            types = self.type_embeddings(token_type_ids)
        return self.dropout(self.projection(self.embedding_norm(words + types + positions)))

    def forward(
        self,
        input_ids: Int[Tensor, "b l"] | None = None,
        token_type_ids: Int[Tensor, "b l"] | None = None,
        position_ids: Int[Tensor, "_ l"] | None = None,
        inputs_embeds: Float[Tensor, "b l d"] | None = None,
        output_hidden_states: bool = False,
        return_dict: bool = True,
        *,
        attention_mask: Tensor | None = None,
        lengths: Lengths = None,
    ) -> Any:
        """Return an `EncoderOutput`, or its tuple without `return_dict`.

        Args:
            attention_mask: 1 or True for tokens, 0 or False for padding, on any side. Padding then
                changes nothing and costs nothing, and outputs at padding are zero.
            lengths: instead of a mask, tokens of each row that is padded on the right.

        The weights that Google released were trained with padding to 512 tokens *included* in the
        transform, and transformers' FNet knows no mask. To get their numbers give neither argument,
        and pad as they did; with one of them a row gives what it gives alone, unpadded.

        Raises:
            ValueError: ids that are not rows of tokens, or a mask or lengths that do not fit.
        """
        given = input_ids if inputs_embeds is None else inputs_embeds
        if given is None or (input_ids is not None and inputs_embeds is not None):
            raise ValueError("Give input_ids or inputs_embeds, one of them.")
        if given.ndim != (2 if inputs_embeds is None else 3):
            raise ValueError(
                f"input_ids are {tuple(given.shape)}, not (rows, tokens): input_ids[None] is a batch "
                "of one row."
            )
        inside = token_rows(attention_mask, lengths, given.shape[0], given.shape[1])
        parts = (input_ids, token_type_ids, position_ids, inputs_embeds)
        every = bool(output_hidden_states)
        if inside is not None and torch.compiler.is_compiling():
            states = self._traced(parts, inside.to(given.device), every)
        elif (packing := packed_rows(inside, given.device)) is not None:
            ids, types = (_packed(part, packing) for part in parts[:2])
            embedded = self.embed(ids, types, *_placed(parts, packing))
            states = [
                packing.unpack(state)
                for state in self.encoder(embedded[0], packing=packing, every=every)
            ]
        else:
            inside = None
            states = self.encoder(self.embed(*parts), every=every)
        pooled = None if self.pooler is None else self.pool(states[-1], inside)
        output = EncoderOutput(states[-1], pooled, tuple(states) if every else None)
        return output if return_dict else output.to_tuple()

    def _traced(
        self, parts: Sequence[Tensor | None], inside: Bool[Tensor, "b l"], every: bool
    ) -> list[Tensor]:
        """Return the hidden states of a graph that serves all masks: tokens go left and back again."""
        order = inside.long().argsort(dim=1, descending=True, stable=True)

        def moved(part: Tensor | None) -> Tensor | None:
            if part is None:
                return None
            at = order if part.ndim == 2 else order[..., None]
            return part.expand(len(order), *part.shape[1:]).take_along_dim(at, dim=1)

        embedded = self.embed(*(moved(part) for part in parts))
        states = self.encoder(embedded, inside.sum(1), every=every)
        back = order.argsort(dim=1)[..., None]
        return [state.take_along_dim(back, dim=1) * inside[..., None] for state in states]

    def pool(
        self, hidden: Float[Tensor, "b l d"], inside: Bool[Tensor, "b l"] | None = None
    ) -> Float[Tensor, "b d"]:
        """Return tanh(W h + b) of each row's first token."""
        assert self.pooler is not None
        first = hidden[:, 0]
        if inside is not None:
            at = inside.to(hidden.device).long().argmax(1)
            first = hidden.take_along_dim(at[:, None, None], dim=1)[:, 0]
        return self.pooler(first).tanh()


def _packed(part: Tensor | None, packing: Packing) -> Tensor | None:
    """Return (b, l) or (b, l, d) as one row of tokens."""
    return None if part is None else part.flatten(0, 1)[packing.kept][None]


def _placed(parts: Sequence[Tensor | None], packing: Packing) -> tuple[Tensor, Tensor | None]:
    """Return the positions, those in the row without padding unless told, and the packed embeddings."""
    _, _, position_ids, inputs_embeds = parts
    if position_ids is None:
        places = [torch.arange(n, device=packing.kept.device) for n in packing.lengths]
        return torch.cat(places)[None], _packed(inputs_embeds, packing)
    whole = position_ids.expand(len(packing.lengths), -1)
    packed = _packed(whole, packing)
    assert packed is not None
    return packed, _packed(inputs_embeds, packing)


def initialise(modules: Iterable[nn.Module], std: float) -> None:
    """Draw weights of linear layers and embeddings from normal(0, std); biases and padding are zero."""
    for module in modules:
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, std=std)
        if isinstance(module, nn.Linear):
            nn.init.zeros_(module.bias)
        if isinstance(module, nn.Embedding) and module.padding_idx is not None:
            nn.init.zeros_(module.weight[module.padding_idx])
