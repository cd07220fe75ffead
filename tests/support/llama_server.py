"""A real OpenAI-compatible server on loopback: llama.cpp (through xllamacpp) with the packaged SmolLM2 weights.

    @pytest.mark.server
    def test_something(llama_server: str) -> None:   # "http://127.0.0.1:PORT/v1"

A test module asks for the fixture by importing it: `from llama_server import llama_server`.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from data.common.packaged import is_installed, weights_path


@contextmanager
def serve_smollm2(*, context: int = 8192, slots: int = 2, threads: int = 1) -> Iterator[str]:
    """Serve the packaged weights on a free port and yield the base URL.

    Args:
        context: Tokens of prompt and answer, shared out among the slots.
        slots: Requests answered at the same time.
        threads: CPU threads; more than are free make it much slower, for they wait for each other.
    """
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(weights_path("smollm2"))
    params.model_alias = {"smollm2"}
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.n_ctx = context
    params.n_parallel = slots
    params.cpuparams.n_threads = threads
    params.n_gpu_layers = 0
    params.cache_ram_mib = 0
    params.ui = False
    params.verbosity = 0
    server = xllamacpp.Server(params)
    try:
        yield f"{server.listening_address}/v1"
    finally:
        del server  # the server stops when nothing holds it


@pytest.fixture(scope="session")
def llama_server() -> Iterator[str]:
    pytest.importorskip("xllamacpp")
    if not is_installed("smollm2"):
        pytest.skip("the packaged weights are not installed: packaged-weights.txt")
    with serve_smollm2() as base_url:
        yield base_url
