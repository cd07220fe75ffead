"""The machine that a program runs on, as the cost model needs it; a checkpoint's card and a run's manifest carry it.

It stands here because training and evaluation both note it. Nothing in, a dict that is ready for JSON out; making it
never loads torch, which a run that only calls APIs has no use for.
"""

import os
import platform
import sys
from pathlib import Path
from typing import TypedDict

CPU_FILE = Path("/proc/cpuinfo")
GPU_FOLDER = Path("/proc/driver/nvidia/gpus")
QUOTA_FILE = Path("/sys/fs/cgroup/cpu.max")  # of the container, where there is one


class Hardware(TypedDict):
    """A machine.

    Attributes:
        cpu: The processor's name.
        cpus: Hardware threads that this process may use, or fewer where a container's quota is below them.
        gpus: The names of the GPUs: those torch may use where it is loaded, else those the driver lists.
    """

    cpu: str
    cpus: int | None
    gpus: list[str]


def hardware() -> Hardware:
    """Describe this machine."""
    return {"cpu": _cpu_name(), "cpus": _cpu_count(), "gpus": _gpu_names()}


def multiplies_bf16(device: str) -> bool:
    """Say whether a kind of device ("cpu", "cuda", …) multiplies bf16 in hardware: 2-3 times as fast as fp32.

    Emulated bf16 is slower than fp32, so it is not taken for support. This loads torch.
    """
    import torch

    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    capabilities = torch.cpu.get_capabilities() if device == "cpu" else {}
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def _cpu_count() -> int | None:
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    try:
        quota, period = map(int, QUOTA_FILE.read_text(encoding="utf-8").split())  # microseconds
    except (OSError, ValueError):  # "max 100000" is no quota
        return cpus
    allowed = -(-quota // period)
    return allowed if cpus is None else min(cpus, allowed)


def _cpu_name() -> str:
    return _field(CPU_FILE, "model name") or platform.processor() or platform.machine()


def _gpu_names() -> list[str]:
    torch = sys.modules.get("torch")
    if torch is not None:
        return [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return [name for path in sorted(GPU_FOLDER.glob("*/information")) if (name := _field(path, "Model"))]


def _field(path: Path, name: str) -> str:
    """Return the first "name: value" of a file that the kernel writes; "" where there is none, as outside Linux."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")
