"""Heads of FNet beside transformers': answers, losses, gradients, state dicts and folders."""

from typing import Any

import pytest
import torch

from studiolo.errors import FileError

from . import heads
from .hybrid import grow, shrink
from .model import FNetConfig, FNetModel
from .states import (
    from_safetensors,
    load_transformers_state_dict,
    to_safetensors,
    to_transformers_state_dict,
)


SIZES: dict[str, Any] = {
    "vocab_size": 97, "hidden_size": 24, "num_hidden_layers": 2, "intermediate_size": 40,
    "max_position_embeddings": 32, "hidden_dropout_prob": 0.0, "num_labels": 3,
}  # fmt: skip
TINY = FNetConfig(**SIZES)
HEADS = [
    "ForPreTraining", "ForMaskedLM", "ForNextSentencePrediction", "ForSequenceClassification",
    "ForMultipleChoice", "ForTokenClassification", "ForQuestionAnswering", "Model",
]  # fmt: skip


LABELS = {"ForQuestionAnswering": {"num_labels": 2}}  # start and end


def ours_named(name):
    return FNetModel if name == "Model" else getattr(heads, f"FNet{name}")


def theirs_named(name, **fields):
    transformers = pytest.importorskip(
        "transformers", reason="transformers is not installed: the comparison needs it"
    )
    torch.manual_seed(0)
    model = getattr(transformers, f"FNet{name}")(transformers.FNetConfig(**SIZES | fields)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model


def inputs_of(name, l):
    torch.manual_seed(l)
    shape = (2, 3, l) if name == "ForMultipleChoice" else (3, l)
    given = {"input_ids": torch.randint(97, shape), "token_type_ids": torch.randint(4, shape)}
    rows = torch.tensor([0, 2, 1])
    labels = {
        "Model": {},
        "ForPreTraining": {
            "labels": given["input_ids"].where(torch.rand(shape) < 0.5, -100),
            "next_sentence_label": rows.clamp(max=1),
        },
        "ForMaskedLM": {"labels": given["input_ids"].where(torch.rand(shape) < 0.5, -100)},
        "ForNextSentencePrediction": {"labels": rows.clamp(max=1)},
        "ForSequenceClassification": {"labels": rows},
        "ForMultipleChoice": {"labels": rows[:2]},
        "ForTokenClassification": {"labels": torch.randint(3, shape)},
        "ForQuestionAnswering": {
            "start_positions": torch.tensor([0, l - 1, l + 4]),
            "end_positions": torch.tensor([l - 1, 0, 0]),
        },
    }[name]
    if "labels" in labels and labels["labels"].ndim == 2:
        labels["labels"][0, 0] = 1  # something to predict
    return given | labels


@pytest.mark.parametrize("name", HEADS)
@pytest.mark.parametrize("l", [17, 32])
def test_heads_equal_transformers_in_values_losses_and_gradients(name, l):
    theirs = theirs_named(name, **LABELS.get(name, {}))
    ours = ours_named(name)(FNetConfig.from_transformers(theirs.config)).eval()
    assert load_transformers_state_dict(ours, theirs.state_dict()) == []
    given = inputs_of(name, l)
    a = theirs(**given, output_hidden_states=True)
    b = ours(**given, output_hidden_states=True)
    assert b.keys() == list(a.keys())
    for key in b:
        pairs = zip(a[key], b[key], strict=True) if key == "hidden_states" else [(a[key], b[key])]
        for theirs_is, ours_is in pairs:
            torch.testing.assert_close(ours_is, theirs_is, rtol=0, atol=5e-5)
    for output in (a, b):
        (output[0] if name != "Model" else output[0].square().mean()).backward()
    grads = to_transformers_state_dict(_gradients(ours))
    for parameter_name, parameter in theirs.named_parameters():
        if parameter.grad is not None and parameter.grad.norm() > 1e-6:
            error = (grads[parameter_name] - parameter.grad).norm() / parameter.grad.norm()
            assert error < 5e-5, parameter_name


def _gradients(model):
    """The gradients under the names of the weights."""

    class Named(torch.nn.Module):
        def state_dict(self):
            return {n: p.grad for n, p in model.named_parameters() if p.grad is not None}

    return Named()


@pytest.mark.parametrize("name", HEADS)
def test_state_dicts_go_there_and_back(name):
    theirs, ours = theirs_named(name, **LABELS.get(name, {})), ours_named(name)(TINY)
    theirs.load_state_dict(to_transformers_state_dict(ours), strict=True)
    again = ours_named(name)(TINY)
    load_transformers_state_dict(again, theirs.state_dict())
    for key, tensor in ours.state_dict().items():
        assert torch.equal(again.state_dict()[key], tensor), key


def test_outputs_are_read_as_transformers_outputs_are():
    model = heads.FNetForSequenceClassification(TINY).eval()
    ids, labels = torch.randint(97, (3, 8)), torch.tensor([0, 1, 2])
    output = model(ids, labels=labels)
    assert output[0] is output["loss"] is output.loss
    assert output[1] is output.logits
    assert list(output) == output.keys() == ["loss", "logits"]
    assert len(output) == len(output[:2]) == len(output.values()) == 2
    loss, logits = model(ids, labels=labels, return_dict=False)
    assert torch.equal(loss, output.loss)
    assert torch.equal(logits, output.to_tuple()[1])
    assert model(ids).keys() == ["logits"]


@pytest.mark.parametrize("name", ["ForMaskedLM", "Model"])
def test_folders_are_read_by_transformers_and_by_us(name, tmp_path):
    ours = ours_named(name)(TINY).eval()
    ours.save_pretrained(tmp_path / "ours")
    ids = torch.randint(97, (2, 9))
    ours_again = ours_named(name).from_pretrained(tmp_path / "ours")
    assert torch.equal(ours_again(ids)[0], ours(ids)[0])
    assert ours_again.config == ours.config
    theirs_class = type(theirs_named(name))
    theirs = theirs_class.from_pretrained(tmp_path / "ours").eval()
    torch.testing.assert_close(theirs(ids)[0], ours(ids)[0], rtol=0, atol=5e-5)
    theirs.save_pretrained(tmp_path / "theirs")
    back = ours_named(name).from_pretrained(tmp_path / "theirs")
    assert torch.equal(back(ids)[0], ours(ids)[0])


def test_pretrained_body_goes_below_a_new_head(tmp_path):
    trained = heads.FNetForPreTraining(TINY)
    trained.save_pretrained(tmp_path)
    classifier = heads.FNetForSequenceClassification.from_pretrained(tmp_path, strict=False)
    assert torch.equal(classifier.fnet.projection.weight, trained.fnet.projection.weight)
    body = FNetModel(TINY)
    load_transformers_state_dict(body, to_transformers_state_dict(trained), strict=False)
    assert torch.equal(body.projection.weight, trained.fnet.projection.weight)
    with pytest.raises(ValueError, match=r"nothing for \['classifier.bias', 'classifier.weight'\]"):
        heads.FNetForSequenceClassification.from_pretrained(tmp_path)


def test_folder_without_a_model_is_told(tmp_path):
    with pytest.raises(
        FileError, match=r"config.json is not there: from_pretrained needs a folder"
    ):
        FNetModel.from_pretrained(tmp_path)
    FNetModel(TINY).save_pretrained(tmp_path)
    file = tmp_path / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-4])
    with pytest.raises(FileError, match=r"holds no model that can be read: .* is cut short"):
        FNetModel.from_pretrained(tmp_path)


@pytest.mark.parametrize(
    "dtype", [torch.float64, torch.bfloat16, torch.float16, torch.int64, torch.bool]
)
def test_safetensors_keep_every_type_and_shape(dtype):
    given = {
        "a": torch.arange(6).view(2, 3).to(dtype),
        "none": torch.empty(0, 4, dtype=dtype),
        "one": torch.ones((), dtype=dtype),
    }
    back = from_safetensors(to_safetensors(given))
    assert back.keys() == given.keys()
    for name, tensor in given.items():
        assert back[name].dtype == dtype
        assert torch.equal(back[name], tensor)


def test_config_is_taken_from_an_object_a_mapping_or_not_at_all():
    class Theirs:
        num_labels = 7

        def to_dict(self):
            return {"hidden_size": 12, "use_tpu_fourier_optimizations": True}

    assert FNetConfig.from_transformers(Theirs()) == FNetConfig(hidden_size=12, num_labels=7)
    assert FNetConfig.from_transformers(TINY.to_transformers()) == TINY
    with pytest.raises(TypeError, match="is a mapping or has to_dict"):
        FNetConfig.from_transformers(3)


def test_hybrid_keeps_its_attention_in_a_folder(tmp_path):
    config = FNetConfig(**SIZES, num_attention_layers=1, num_attention_heads=3)
    model = FNetModel(config).eval()
    model.save_pretrained(tmp_path)
    ids = torch.randint(97, (2, 5))
    assert torch.equal(FNetModel.from_pretrained(tmp_path)(ids)[0], model(ids)[0])


# Growing a trained FNet into a hybrid, and back.


def test_growing_and_shrinking_keep_the_function():
    model = heads.FNetForMaskedLM(TINY).double().eval()
    ids = torch.randint(97, (3, 11))
    mask = torch.ones(3, 11)
    mask[1, :4] = 0
    before, masked = model(ids).logits, model(ids, attention_mask=mask).logits
    new = grow(model, [-1], num_heads=2)
    torch.testing.assert_close(model(ids).logits, before, rtol=0, atol=1e-12)
    torch.testing.assert_close(model(ids, attention_mask=mask).logits, masked, rtol=0, atol=1e-12)
    assert len(new) == 4
    assert new[0].dtype == torch.float64
    assert all(any(p is q for q in model.parameters()) for p in new)
    with pytest.raises(ValueError, match="Block -1 mixes by FourierWithAttention"):
        grow(model, [0, -1])
    assert shrink(model) == [1]
    torch.testing.assert_close(model(ids).logits, before, rtol=0, atol=1e-12)
    with pytest.raises(ValueError, match="Linear has no FNetModel in it"):
        grow(torch.nn.Linear(1, 1), [0])


def test_grown_attention_moves_the_output_with_its_first_update():
    torch.manual_seed(0)
    model = heads.FNetForMaskedLM(TINY)
    ids = torch.randint(97, (3, 11))
    new = grow(model, [0], num_heads=2)
    before = model(ids).logits
    model(ids, labels=ids).loss.backward()
    torch.optim.Adam(new, lr=1e-3).step()
    moved = (model(ids).logits - before).norm() / before.norm()
    assert moved > 1e-3  # without the factor it would be 1e-5
