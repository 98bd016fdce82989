"""Attentive neural processes on a CUDA device: the training step launched kernel by kernel, and as one graph.

    python bench/gpu_anp.py        (or bench/gpu.py, which prints the tables of all papers)

Floors at width 128, 8 heads, batch 16, 50 points: a step is 1.1 GFLOP forward and 3.4 with its backward pass, 0.05 ms at
67 TFLOP/s in float32, and moves some 25 MB of weights, moments and activations, 0.01 ms at 3.35 TB/s: neither is near
what its 300 kernels take. Predicted: launched one by one 1.3 ms, as a graph 0.5. Measured on an H100, torch 2.11: 12.1 and
1.46 ms, that is 40 microseconds a launch with Python, autograd and Adam, and 5 a kernel: products of 800 rows fill a
tenth of the device. `--tune` prints which kernels they are.
"""

from collections.abc import Iterator

import torch
from torch.profiler import ProfilerActivity, profile

from studiolo.papers.attentive_neural_processes import NeuralProcess, gp_tasks
from studiolo.papers.attentive_neural_processes.arms import loss_flops
from studiolo.papers.attentive_neural_processes.gpu import TrainingStep


BAR = "graph 3x"  # of the eager step: what launches alone take


def step_ms(
    attention: str,
    width: int,
    batch: int,
    *,
    graph: bool,
    autocast: torch.dtype | None,
    device: str,
    calls: int,
) -> float:
    """Return milliseconds of a training step, median over calls, tasks copied in."""
    torch.manual_seed(0)
    model = NeuralProcess(width=width, attention=attention).to(device)
    chunk = gp_tasks(4 * batch, generator=torch.Generator(device).manual_seed(0))
    batches = list(chunk.batches(batch))
    step = TrainingStep(model, batches[0], autocast=autocast, graph=graph)
    times = []
    for call in range(calls + 3):
        tasks = batches[call % 4]
        if device == "cuda":
            start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            start.record()
            step(tasks)
            end.record()
            torch.cuda.synchronize()
            times.append(start.elapsed_time(end))
        else:
            step(tasks)
            times.append(0.0)
    return sorted(times[3:])[calls // 2]


def rows() -> Iterator[tuple[str, float | str, str]]:
    """Yield (what, milliseconds or text, bar); without a CUDA device every case small and without a graph."""
    tiny = not torch.cuda.is_available()
    device = "cpu" if tiny else "cuda"
    calls = 2 if tiny else 50
    cases = [("multihead", 128, 16), ("uniform", 128, 16), ("uniform", 1024, 16)]
    for attention, width, batch in cases:
        if tiny:
            width, batch = 16, 2
        what = f"anp {attention} width {width} batch {batch}"
        for name, autocast in (("fp32", None), ("bf16", torch.bfloat16)):
            shape = {"autocast": autocast, "device": device, "calls": calls}
            eager = step_ms(attention, width, batch, graph=False, **shape)
            yield f"{what} {name} eager step", eager, ""
            if device == "cuda":
                graph = step_ms(attention, width, batch, graph=True, **shape)
                yield f"{what} {name} graph step", graph, ""
                yield f"{what} {name} eager / graph", f"{eager / graph:.2f}", BAR
                tflops = 3 * batch * loss_flops(attention, width, 8, 50) / graph / 1e9
                yield f"{what} {name} graph, TFLOP/s", f"{tflops:.2f}", ""


def tune() -> None:
    """Print the kernels of one replayed step, by the time that they take."""
    if not torch.cuda.is_available():
        return
    model = NeuralProcess(width=128).to("cuda")
    tasks = gp_tasks(16, generator=torch.Generator("cuda").manual_seed(0))
    step = TrainingStep(model, tasks)
    for _ in range(3):
        step(tasks)
    with profile(activities=[ProfilerActivity.CUDA]) as found:
        for _ in range(10):
            step(tasks)
        torch.cuda.synchronize()
    kernels = sorted(found.key_averages(), key=lambda k: -k.self_device_time_total)
    print(
        f"{sum(k.count for k in kernels) / 10:.0f} kernels and copies a step; microseconds a step:"
    )
    for kernel in kernels[:14]:
        name = kernel.key[:90]
        print(f"{kernel.self_device_time_total / 10:8.1f} in {kernel.count / 10:5.1f}  {name}")


if __name__ == "__main__":
    for what, value, bar in rows():
        print(f"{what} | {value if isinstance(value, str) else format(value, '.3f')} | {bar}")
