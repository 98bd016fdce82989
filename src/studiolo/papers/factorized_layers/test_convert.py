import copy

import pytest
import torch
from torch import nn
from torch.nn.utils import prune

from studiolo.audit import audit
from studiolo.measure import flops

from . import reference
from .candidates import cheaper_unfolding
from .convert import (
    choose_ranks,
    collapse,
    densify,
    factorize,
    factorize_with,
    factorized_like,
    paper_ranks,
    plan,
)
from .decay import factor_pairs
from .inits import kaiming_init, spectral_init, whitened_init
from .model import FactorizedConv2d, FactorizedEmbedding, FactorizedLinear
from .networks import ResNet, WideResNet
from .report import report
from .test_paper import assert_same, count, normal, seeded, small_net


@pytest.mark.parametrize("budget", [0.3, 0.55, 0.9, 1.0])
@pytest.mark.parametrize("unfolding", ["spatial", "channel"])
def test_factorize_meets_the_budget_and_leaves_the_model_alone(budget, unfolding):
    model = small_net()
    before = copy.deepcopy(model.state_dict())
    small = factorize(model, budget, keep=[], unfolding=unfolding)
    assert count(small) <= budget * count(model)
    ranks = choose_ranks(model, budget, keep=[], unfolding=unfolding)
    assert {name for name, m in small.named_modules() if hasattr(m, "U")} == set(ranks)
    after = model.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert not {id(p) for p in small.parameters()} & {id(p) for p in model.parameters()}
    assert small(normal(2, 3, 7, 8)).shape == (2, 10)


def test_ranks_are_the_largest_common_share_that_fits():
    net = nn.Sequential(nn.Linear(100, 60), nn.Linear(60, 40))
    # at a share s the ranks are 60 s and 40 s: 160 · 60 s + 100 · 40 s + 100 biases <= 4250 gives s = 0.305
    ranks = choose_ranks(net, 0.5, keep=[])
    assert ranks == {"0": 18, "1": 12}
    assert count(factorize(net, 0.5, keep=[])) == 18 * 160 + 12 * 100 + 100


def test_factorize_keeps_what_it_is_told_to_and_modes_and_frozen_weights():
    model = small_net().eval()
    model[3].weight.requires_grad_(False)
    small = factorize(model, 0.6, keep=["0"])
    assert type(small[0]) is nn.Conv2d
    assert isinstance(small[3], FactorizedConv2d)
    assert not small[3].training
    assert not small[3].U.requires_grad
    assert small[5].U.requires_grad


def test_layers_that_others_read_stay_dense_and_the_plan_says_why():
    tied = nn.ModuleDict({"embed": nn.Embedding(20, 16), "head": nn.Linear(16, 20, bias=False)})
    tied["head"].weight = tied["embed"].weight
    hooked = nn.Linear(16, 16)
    hooked.register_forward_hook(lambda *_: None)
    scaled = nn.utils.parametrizations.weight_norm(nn.Linear(16, 16))
    pruned = prune.l1_unstructured(nn.Linear(16, 16), "weight", 0.5)
    whole = nn.ModuleDict(
        {
            "tied": tied,
            "hooked": hooked,
            "grouped": nn.Conv2d(16, 16, 3, groups=4),
            "scaled": scaled,
            "pruned": pruned,
            "one": nn.Conv1d(16, 16, 3),
            "done": FactorizedLinear(16, 16, rank=2),
            "thin": nn.Linear(16, 1),
            "rows": nn.Embedding(8, 8, max_norm=1.0),
            "free": nn.Linear(64, 64),
        }
    )
    planned = plan(whole, 0.8, keep=[])
    assert set(planned.ranks) == {"free"}
    why = {layer.name: layer.why for layer in planned.layers if layer.why}
    assert why == {
        "tied.embed": "its weight is shared with tied.head",
        "tied.head": "its weight is shared with tied.embed",
        "hooked": "a hook is registered on it",
        "grouped": "it has 4 groups",
        "scaled": "it is a ParametrizedLinear, whose weight others may read or is parametrised",
        "pruned": "its weight is parametrised or pruned",
        "one": "a Conv1d cannot be factorized here",
        "done": "it is factorized already; densify(model) turns it back",
        "thin": "factors would save nothing",
        "rows": "it has max_norm, scale_grad_by_freq or sparse, which act on whole rows",
    }
    assert "left: it has 4 groups" in str(planned)


def test_a_layer_used_twice_is_replaced_once():
    layer = nn.Linear(20, 20)
    small = factorize(nn.Sequential(layer, nn.ReLU(), layer), 0.5, keep=[])
    assert small[0] is small[2]
    assert isinstance(small[0], FactorizedLinear)
    assert len(list(factor_pairs(small))) == 1


def test_full_rank_and_densified_models_compute_the_same():
    model = small_net()
    ranks = {"0": 24, "3": 36, "5": 10}
    wide = factorize_with(model, ranks)
    x = normal(2, 3, 7, 8)
    assert_same(wide(x), model(x))
    small = factorize(model, 0.5, keep=[])
    back = densify(small)
    assert_same(back(x), small(x))
    assert not any(hasattr(m, "U") for m in back.modules())
    assert [p.shape for p in back.parameters()] == [p.shape for p in model.parameters()]


def test_state_dict_makes_the_round_trip():
    model = small_net()
    small, other = (factorize(m, 0.5, keep=[]) for m in (model, small_net()))
    other.load_state_dict(small.state_dict())
    x = normal(2, 3, 7, 8)
    assert_same(other(x), small(x))


@pytest.mark.parametrize("budget", [0.1, 0.2, 0.5, 0.8])
def test_first_layer_and_classifier_are_left_alone_and_the_plan_says_so(budget):
    net = ResNet(20)
    small = factorize(net, budget)
    assert type(small.conv) is nn.Conv2d
    assert type(small.fc) is nn.Linear
    why = {layer.name: layer.why for layer in plan(net, budget).layers}
    assert why["conv"] == "the first layer"
    assert why["fc"] == "the classifier, the last layer"
    assert count(small) <= budget * count(net)
    assert isinstance(factorize(net, budget, keep=[]).fc, FactorizedLinear)


@pytest.mark.parametrize(
    ("keep", "left"),
    [
        (["blocks.0.conv1"], {"blocks.0.conv1"}),
        (["blocks.*.conv1"], {"blocks.0.conv1", "blocks.1.conv1", "blocks.2.conv1"}),
        (["blocks.1"], {"blocks.1.conv1", "blocks.1.conv2"}),
        ([nn.Linear], {"fc"}),
        (["conv", nn.Linear], {"conv", "fc"}),
    ],
)
def test_keep_takes_names_patterns_containers_and_types(keep, left):
    net = ResNet()
    every = {n for n, m in net.named_modules() if isinstance(m, nn.Conv2d | nn.Linear)}
    assert set(paper_ranks(net, 0.2, keep=keep)) == every - left
    assert {layer.name for layer in plan(net, 0.5, keep=keep).layers if layer.why} >= left


# the published table, ratios to three digits; dense parameters 269,722, 464,154 and 1,727,962
RATIOS = {
    20: {0.037: 0.087, 0.111: 0.237, 0.333: 0.698, 1.0: 2.08, 3.0: 6.21, 9.0: 18.6},
    32: {0.037: 0.084, 0.111: 0.231, 0.333: 0.686, 1.0: 2.04, 3.0: 6.11, 9.0: 18.3},
    110: {0.037: 0.081, 0.111: 0.226, 0.333: 0.673, 1.0: 2.01, 3.0: 6.01, 9.0: 18.0},
}
COUNTS = {20: 269_722, 32: 464_154, 110: 1_727_962}


@pytest.mark.parametrize("depth", RATIOS)
def test_paper_ranks_have_the_published_parameter_counts(depth):
    with torch.device("meta"):
        net = ResNet(depth)
    assert count(net) == COUNTS[depth]
    for scale, ratio in RATIOS[depth].items():
        ranks = paper_ranks(net, scale)
        layers = dict(net.named_modules())
        saved = 0
        for name, rank in ranks.items():
            o, i, k, l = layers[name].weight.shape
            saved += rank * (o * k + i * l) - o * i * k * l
        digits = 3 if ratio < 1 else 2 if ratio < 10 else 1
        assert round((count(net) + saved) / count(net), digits) == ratio


def test_counts_are_published_to_the_unit():
    net = ResNet(20)
    small = factorize_with(net, paper_ranks(net, 0.111), unfolding="spatial", init=kaiming_init)
    assert count(small) == 63_850
    with torch.device("meta"):
        wide = WideResNet()
    assert count(wide) == 36_479_194
    for budget, expected in ((0.01667, 580_522), (0.06667, 2_420_154)):
        assert plan(wide, budget, rank_rule="paper").after == expected


def test_paper_rule_rounds_where_ours_rounds_down():
    net = nn.Sequential(nn.Linear(9, 9), nn.Conv2d(4, 5, (3, 2)), nn.Linear(9, 9))
    assert paper_ranks(net, 0.18, keep=[]) == {"0": 2, "1": 3, "2": 2}  # 1.62, 2.7 of 15 rows
    assert factorize(ResNet(), 0.4, rank_rule="paper").blocks[0].conv1.unfolding == "spatial"


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ((8, 8, 3, 1), "spatial"),
        ((8, 80, 3, 1), "spatial"),
        ((8, 8, 3, 2), "channel"),
        ((80, 8, 5, 3), "channel"),
        ((3, 64, 1, 2), "spatial"),  # without a kernel there is nothing to skip
    ],
)
def test_cheaper_unfolding_by_counted_cost(sizes, expected):
    i, o, k, stride = sizes
    conv = nn.Conv2d(i, o, k, stride, k // 2)
    assert cheaper_unfolding(conv) == expected
    costs = {}
    for unfolding in ("spatial", "channel"):
        layer = FactorizedConv2d.from_dense(conv, 1, unfolding=unfolding)
        numbers = layer.U.numel() + layer.V.numel()
        x = torch.zeros(1, i, 12 * stride, 12 * stride)
        costs[unfolding] = flops(lambda layer=layer, x=x: layer(x)) / numbers
    if stride == 1:  # at equal parameters the passes cost the same
        assert costs["spatial"] == costs["channel"]
    elif k > 1:
        assert costs["channel"] < costs["spatial"]


def test_ranks_are_rebuilt_from_a_state_dict_without_an_svd(monkeypatch):
    net = ResNet()
    for settings in ({"unfolding": "spatial"}, {}, {"deep": True}):
        small = factorize(net, 0.5, **settings)
        state = small.state_dict()
        with monkeypatch.context() as patch:
            patch.setattr(torch.linalg, "svd", None)
            again = factorized_like(ResNet(), state)
        x = torch.randn(2, 3, 8, 8, generator=seeded())
        assert_same(again.eval()(x), small.eval()(x))
    with pytest.raises(
        ValueError, match=r"(?s)The state is not of ResNet factorized: .*size mismatch"
    ):
        factorized_like(ResNet(width=8), state)


def test_report_counts_parameters_mult_adds_and_errors():
    net = nn.Sequential(nn.Conv2d(4, 6, 3, padding=1, bias=False), nn.Flatten(), nn.Linear(96, 10))
    small = factorize_with(net, {"0": 2}, unfolding="channel")
    found = report(net, small, torch.zeros(2, 4, 4, 4))
    first, last = found.layers
    assert first.parameters == (216, 2 * (6 + 36))
    assert first.mult_adds == (2 * 16 * 216, 2 * 16 * 2 * (6 + 36))
    assert last.mult_adds == (2 * 960, 2 * 960)
    assert last.relative_error == 0
    s = torch.linalg.svdvals(net[0].weight.detach().reshape(6, 36).double())
    assert first.relative_error == pytest.approx(float(s[2:].norm() / s.norm()), rel=1e-5)
    assert found.parameters == (216 + 970, 84 + 970)
    assert found.mult_adds == (6912 + 1920, 2688 + 1920)
    assert str(found).splitlines()[-1].split() == ["all", "1186", "1054", "8832", "4608"]


def test_whitened_factors_worked_by_hand():
    # W = I and inputs of second moments 1 and 9.0: rank 1 keeps the second direction, whose loss would be 9,
    # also where the first has the larger weight: W = diag(2, 1) loses 4 or 9.
    u, v = whitened_init(
        torch.diag(torch.tensor([2.0, 1.0])), 1, moment=torch.diag(torch.tensor([1.0, 9.0]))
    )
    assert_same(u @ v.T, torch.diag(torch.tensor([0.0, 1.0])), 1e-5)
    plain = spectral_init(torch.diag(torch.tensor([2.0, 1.0])), 1)
    assert_same(plain[0] @ plain[1].T, torch.diag(torch.tensor([2.0, 0.0])), 1e-5)


def test_whitened_factors_have_the_smallest_output_error():
    weight, x = normal(7, 5), normal(40, 5, seed=1) @ normal(5, 5, seed=2)
    moment = x.T @ x / 40
    best = reference.output_error(weight, *whitened_init(weight, 2, moment=moment), x)
    assert best < 0.9 * reference.output_error(weight, *spectral_init(weight, 2), x)
    u, v = (f.requires_grad_() for f in whitened_init(weight, 2, moment=moment))
    gradients = torch.autograd.grad(reference.output_error(weight, u, v, x), [u, v])
    assert all(g.abs().max() < 1e-3 for g in gradients)  # a stationary point, up to the ridge
    assert_same(u.T @ u, v.T @ v)  # and balanced


@pytest.mark.parametrize("unfolding", ["spatial", "channel"])
def test_calibration_lowers_the_error_of_outputs_and_leaves_the_model_as_it_was(unfolding):
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3, 2, 1), nn.ReLU(),
        nn.Flatten(), nn.Linear(72, 40), nn.ReLU(), nn.Linear(40, 5),
    )  # fmt: skip
    loud = torch.linspace(0, 3, 3)[:, None, None]
    data = [(loud * torch.randn(16, 3, 8, 8), None) for _ in range(4)]
    for batch, _ in data:
        net(batch)
    before = copy.deepcopy(net.state_dict())
    plain, calibrated = (
        factorize(net, 0.5, keep=["0", "8"], unfolding=unfolding, data=given)
        for given in (None, data)
    )
    assert net.training
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())
    assert not any(m._forward_pre_hooks for m in calibrated.modules())
    x = loud * torch.randn(64, 3, 8, 8)
    errors = [(m.eval()(x) - net.eval()(x)).norm() for m in (plain, calibrated)]
    assert errors[1] < 0.9 * errors[0]


def test_calibration_takes_tensors_tuples_and_dicts():
    class Named(nn.Module):
        def __init__(self):
            super().__init__()
            self.map = nn.Linear(9, 9)

        def forward(self, inputs, scale=1.0):
            return self.map(inputs) * scale

    x = torch.randn(20, 9, generator=seeded())
    found = [
        factorize_with(Named(), {"map": 3}, data=data)
        for data in ([x], [(x, 1)], [[x]], [{"inputs": x, "scale": 2.0}])
    ]
    assert all(isinstance(m.map, FactorizedLinear) for m in found)


def test_over_complete_networks_collapse_to_the_dense_one():
    net = ResNet(width=4).eval()
    wide = factorize_with(net, paper_ranks(net, 3.0), unfolding="spatial", deep=True)
    assert count(wide) > 6 * count(net)
    x = torch.randn(2, 3, 8, 8, generator=seeded())
    small = collapse(wide)
    assert count(small) == count(net)
    assert (small(x) - net(x)).norm() < 1e-5 * net(x).norm()


def test_factorized_model_is_audited_like_any_other():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(9, 40), nn.ReLU(), nn.Linear(40, 40), nn.ReLU(), nn.Linear(40, 3))
    x, y = torch.randn(50, 9), torch.randint(0, 3, (50,))
    found = audit(net, factorize(net, 0.6), data=[(x, y)])
    assert 0 <= found.flips.share <= 1


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: factorize(small_net(), 1.2), r"budget is 1.2; .* in \(0, 1\]"),
        (
            lambda: factorize(small_net(), 0.01, keep=[], unfolding="spatial"),
            r"budget of 0.01 is 24 of 2410 .* 225 are left, 0 of them .* at least 0.0934",
        ),
        (
            lambda: factorize(ResNet(), 0.01),
            r"with rank 1 everywhere else .* are left, 1082 of them in layers that stay dense",
        ),
        (lambda: factorize(small_net(), 0.5, keep=["head"]), "keep names head, which"),
        (lambda: factorize(small_net(), 0.5, keep="0"), "keep is '0'; it is a list of"),
        (lambda: factorize(small_net(), 0.5, keep=[nn.LSTM]), "keep has LSTM, but no layer"),
        (lambda: factorize(small_net(), 0.5, keep=["1"]), "keep has '1', but no layer"),
        (lambda: factorize(small_net(), 0.5, unfolding="x"), "unfolding is 'x'; known are cheaper"),
        (lambda: paper_ranks(ResNet(), 0.0), "rank_scale is 0.0; it must be above 0"),
        (
            lambda: factorize_with(small_net(), {"1": 2}),
            "Cannot be factorized: 1: no such layer. Of this model 0, 3, 5 can",
        ),
        (
            lambda: factorize(nn.Embedding(50, 20), 0.5),
            r"Nothing in Embedding is left to factorize \(itself: .*first layer\). keep=\[\]",
        ),
        (lambda: factorize(nn.ReLU(), 0.5), "it has no layer with a weight"),
        (
            lambda: factorize(factorize(ResNet(), 0.5), 0.5),
            "blocks.0.conv1: it is factorized already; densify",
        ),
        (
            lambda: factorize(nn.Sequential(nn.Linear(9, 9), nn.ReLU(), nn.Linear(9, 9)), 0.5),
            r"0: the first layer.*; 2: the classifier.*\). keep=\[\] keeps nothing",
        ),
        (lambda: factorize(ResNet(), 0.5, data=[]), "calibration holds no batch"),
        (lambda: factorize(ResNet(), 0.5, data=["x"]), "A batch is a str; give tensors"),
        (
            lambda: factorize_with(nn.ModuleList([nn.Linear(9, 9)]), {"0": 2}, data=[]),
            "holds no batch",
        ),
    ],
)
def test_errors_are_sentences(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()


def test_embeddings_are_factorized_where_they_are_asked_for():
    net = nn.Sequential(nn.Embedding(50, 20), nn.Linear(20, 20), nn.Linear(20, 5))
    assert type(factorize(net, 0.9)[0]) is nn.Embedding
    small = factorize(net, 0.5, keep=[nn.Linear])
    assert isinstance(small[0], FactorizedEmbedding)
    tokens = torch.arange(50)
    assert_same(densify(small)(tokens), small(tokens), 1e-5)
    assert isinstance(factorize(net, 0.5, keep=["1", "2"])[0], FactorizedEmbedding)


def test_convolutions_of_pairs_factorize_at_full_rank_exactly():
    net = nn.Conv2d(4, 6, (3, 5), (2, 1), (1, 2)).double()
    for unfolding in ("spatial", "channel"):
        small = factorize_with(net, {"": 99}, unfolding=unfolding)
        assert isinstance(small, FactorizedConv2d)
        x = normal(2, 4, 7, 8)
        assert_same(small(x), net(x))
