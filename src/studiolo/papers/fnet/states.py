"""transformers' weights of FNet: their names in ours and back, and the folder in which they are kept."""

import json
import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from studiolo.errors import FileError
from studiolo.files import UNCHECKED, load_bytes, save_bytes


WEIGHTS, CONFIG = "model.safetensors", "config.json"
_DTYPES = {
    "F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16,
    "I64": torch.int64, "I32": torch.int32, "U8": torch.uint8, "BOOL": torch.bool,
}  # fmt: skip
# our names and transformers', without the prefix of a head
_BODY = (
    ("word_embeddings.", "embeddings.word_embeddings."),
    ("position_embeddings.", "embeddings.position_embeddings."),
    ("type_embeddings.", "embeddings.token_type_embeddings."),
    ("embedding_norm.", "embeddings.LayerNorm."),
    ("projection.", "embeddings.projection."),
    ("encoder.blocks.#.mixer_norm.", "encoder.layer.#.fourier.output.LayerNorm."),
    ("encoder.blocks.#.feed_forward.up.", "encoder.layer.#.intermediate.dense."),
    ("encoder.blocks.#.feed_forward.down.", "encoder.layer.#.output.dense."),
    ("encoder.blocks.#.output_norm.", "encoder.layer.#.output.LayerNorm."),
    ("pooler.", "pooler.dense."),
)
_HEADS = (
    ("words.transform.", "cls.predictions.transform.dense."),
    ("words.norm.", "cls.predictions.transform.LayerNorm."),
    ("words.bias", "cls.predictions.bias"),
    ("next_sentence.", "cls.seq_relationship."),
    ("span.", "qa_outputs."),
)
# copies of tied parameters, index buffers, and DFT matrices, which hold nothing learned
_DERIVED = re.compile(
    r"cls\.predictions\.decoder\.|(fnet\.)?embeddings\.(position_ids|token_type_ids)$|.*\.dft_mat_"
)


def to_transformers_state_dict(model: nn.Module) -> dict[str, Tensor]:
    """Return the weights under the names of transformers' class of the same name, tied copies among them.

    What transformers does not have, such as the weights of attention, keeps its place in its block.
    """
    theirs = {_theirs(name): tensor for name, tensor in model.state_dict().items()}
    if "cls.predictions.bias" in theirs:
        theirs["cls.predictions.decoder.weight"] = theirs["fnet.embeddings.word_embeddings.weight"]
        theirs["cls.predictions.decoder.bias"] = theirs["cls.predictions.bias"]
    return theirs


def load_transformers_state_dict(
    model: nn.Module, state_dict: Mapping[str, Tensor], *, strict: bool = True
) -> list[str]:
    """Copy the weights of transformers' class of the same name into `model`, in place.

    Names that hold nothing learned (tied copies, index buffers, DFT matrices) are passed over.

    Args:
        strict: False takes what fits: a new head keeps its start, and another head is left out.

    Returns:
        The parameters that kept their start, none if `strict`.

    Raises:
        ValueError: a parameter that `model` has no place for, or one that is missing, or one of
            another shape; names them. `model` is then unchanged.
    """
    own = model.state_dict()
    places = {_theirs(name): name for name in own}
    given = {name: tensor for name, tensor in state_dict.items() if not _DERIVED.match(name)}
    if not strict and not any(name in places for name in given):  # with and without a head
        given = {
            name.removeprefix("fnet.") if name.startswith("fnet.") else f"fnet.{name}": tensor
            for name, tensor in given.items()
        }
    unknown = sorted(given.keys() - places.keys())
    missing = sorted(places[name] for name in places.keys() - given.keys())
    if len(missing) == len(places) or (strict and (unknown or missing)):
        raise ValueError(
            f"These are not the weights of this model: no place for {unknown}, nothing for "
            f"{missing}. Compare num_hidden_layers, and take the state dict of the class of the "
            f"same name, {type(model).__name__}."
        )
    fitting = {places[name]: tensor for name, tensor in given.items() if name in places}
    for name, tensor in fitting.items():
        if tensor.shape != own[name].shape:
            raise ValueError(
                f"{name} is {tuple(tensor.shape)} in the state dict, {tuple(own[name].shape)} in "
                "the model: make the model with FNetConfig.from_transformers of the same config."
            )
    model.load_state_dict(own | fitting)
    return missing


def _theirs(name: str) -> str:
    """Return transformers' name of a parameter of ours."""
    prefix = "fnet." if name.startswith("fnet.") else ""
    rest = name.removeprefix(prefix)
    for mine, other in (*_BODY, *_HEADS):
        pattern = re.escape(mine).replace(r"\#", r"(\d+)")
        if re.match(pattern, rest):
            return prefix + re.sub(pattern, other.replace("#", r"\1"), rest, count=1)
    return name


def save_folder(model: nn.Module, config: Mapping[str, object], folder: Path) -> None:
    """Write `config.json` and `model.safetensors`, as transformers does; the folder is made if need be.

    Raises:
        FileError: the folder cannot be written.
    """
    state = to_transformers_state_dict(model)
    kept = {n: t for n, t in state.items() if not n.startswith("cls.predictions.decoder.")}
    folder.mkdir(parents=True, exist_ok=True)
    content = {"architectures": [type(model).__name__], **config}
    save_bytes(folder / CONFIG, (json.dumps(content, indent=2) + "\n").encode(), UNCHECKED)
    save_bytes(folder / WEIGHTS, to_safetensors(kept), UNCHECKED)


def load_folder(folder: Path) -> tuple[dict[str, object], dict[str, Tensor]]:
    """Return the config and the weights of such a folder.

    Raises:
        FileError: one of the two files is missing or damaged; says which.
    """
    contents = []
    for name in (CONFIG, WEIGHTS):
        content = load_bytes(folder / name)
        if content is None:
            raise FileError(
                f"{folder / name} is not there: from_pretrained needs a folder with {CONFIG} and {WEIGHTS}."
            )
        contents.append(content)
    try:
        return json.loads(contents[0]), from_safetensors(contents[1])
    except (ValueError, KeyError, RuntimeError) as error:
        raise FileError(f"{folder} holds no model that can be read: {error}.") from error


def to_safetensors(tensors: Mapping[str, Tensor]) -> bytes:
    """Return tensors in the safetensors format: the length of a JSON header, the header, the numbers.

    Source: https://github.com/huggingface/safetensors
    """
    names = {dtype: name for name, dtype in _DTYPES.items()}
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    parts, at = [], 0
    for name, tensor in tensors.items():
        data = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
        header[name] = {
            "dtype": names[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [at, at + len(data)],
        }
        parts.append(data)
        at += len(data)
    encoded = json.dumps(header).encode()
    encoded += b" " * (-len(encoded) % 8)
    return len(encoded).to_bytes(8, "little") + encoded + b"".join(parts)


def from_safetensors(content: bytes) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file.

    Raises:
        ValueError: it is cut short.
    """
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        start, end = entry["data_offsets"]
        data = bytearray(content[8 + size + start : 8 + size + end])
        if len(data) != end - start:
            raise ValueError(f"{name} is cut short: {len(data)} of {end - start} bytes are there")
        flat = (
            torch.frombuffer(data, dtype=torch.uint8) if data else torch.empty(0, dtype=torch.uint8)
        )
        tensors[name] = flat.view(_DTYPES[entry["dtype"]]).reshape(entry["shape"])
    return tensors
