"""The machine as the cost model needs it, with torch and without."""

import os
import sys
from types import SimpleNamespace

import pytest

from data.common import hardware
from data.common.hardware import hardware as describe


def test_this_machine_is_described(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    found = describe()
    assert set(found) == {"cpu", "cpus", "gpus"}
    assert found["cpu"]
    assert 1 <= found["cpus"] <= os.cpu_count()


def test_the_driver_names_the_gpus_where_torch_is_not_loaded(tmp_path, monkeypatch):
    for number in range(2):
        (tmp_path / f"0000:0{number}:00.0").mkdir()
        text = "Model: \t\t NVIDIA H100 80GB HBM3\nIRQ:   \t\t 94\n"
        (tmp_path / f"0000:0{number}:00.0" / "information").write_text(text, encoding="utf-8")
    monkeypatch.setattr(hardware, "GPU_FOLDER", tmp_path)
    monkeypatch.setitem(sys.modules, "torch", None)
    assert describe()["gpus"] == ["NVIDIA H100 80GB HBM3"] * 2
    hidden = SimpleNamespace(cuda=SimpleNamespace(device_count=lambda: 0))
    monkeypatch.setitem(sys.modules, "torch", hidden)  # torch may not use them, so nor does the run
    assert describe()["gpus"] == []


@pytest.mark.parametrize(
    ("quota", "cpus"), [("150000 100000\n", 2), ("50000 100000\n", 1), ("max 100000\n", 8), ("9900000 100000\n", 8)]
)
def test_a_container_s_quota_limits_the_cpus(tmp_path, monkeypatch, quota, cpus):
    (tmp_path / "cpu.max").write_text(quota, encoding="utf-8")
    monkeypatch.setattr(hardware, "QUOTA_FILE", tmp_path / "cpu.max")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    assert describe()["cpus"] == cpus


def test_without_the_kernel_s_files_there_is_still_a_name(tmp_path, monkeypatch):
    monkeypatch.setattr(hardware, "CPU_FILE", tmp_path / "none")
    assert describe()["cpu"]
