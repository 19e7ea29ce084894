"""bfloat16 is for hardware that multiplies in it, as its makers tell."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from repinf_core.kernels import precision


def processor(**has):
    """What torch says of a processor, by the questions that this torch has."""
    questions = {
        f"_is_{name}_supported": lambda answer=answer: answer for name, answer in has.items()
    }
    return SimpleNamespace(cpu=SimpleNamespace(**questions))


@pytest.mark.parametrize(
    ("kind", "multiplies"),
    [
        (processor(avx2=True, avx512=False, avx512_bf16=False, amx_tile=False), False),
        (processor(avx2=True, avx512=True, avx512_bf16=False, amx_tile=False), False),  # Skylake
        (processor(avx2=True, avx512=True, avx512_bf16=True, amx_tile=False), True),  # Zen 4
        (processor(avx2=True, avx512=True, avx512_bf16=True, amx_tile=True), True),
        (processor(avx512=True, amx_tile=True), True),  # a torch that knows of AMX alone
        (processor(avx2=True, avx512=True), False),  # one that knows of neither
        (processor(), False),
    ],
)
def test_a_processor_multiplies_in_bfloat16_if_it_has_the_instructions(kind, multiplies):
    assert precision.multiplies_bfloat16("cpu", kind) is multiplies


@pytest.mark.parametrize(
    ("capability", "multiplies"),
    [
        ((6, 0), False),
        ((7, 5), False),
        ((8, 0), True),
        ((8, 9), True),
        ((9, 0), True),
        ((12, 0), True),
    ],
    ids=["P100", "T4", "A100", "L4", "H100", "later"],
)
def test_a_gpu_multiplies_in_bfloat16_from_capability_8_on(capability, multiplies):
    asked = []
    gpu = SimpleNamespace(get_device_capability=lambda device: asked.append(device) or capability)
    for name in ("cuda", "cuda:1", torch.device("cuda", 1)):
        assert precision.multiplies_bfloat16(name, SimpleNamespace(cuda=gpu)) is multiplies
    assert [device.index for device in asked] == [None, 1, 1]


def test_another_kind_of_device_is_not_taken_to():
    assert precision.multiplies_bfloat16("mps") is False
    assert precision.multiplies_bfloat16(torch.device("meta")) is False


CPUINFO = Path("/proc/cpuinfo")


@pytest.mark.skipif(not CPUINFO.exists(), reason="only Linux tells of its processor in a file")
def test_of_this_processor_torch_and_the_system_say_the_same():
    told = CPUINFO.read_text().split()
    if not hasattr(torch.cpu, "_is_avx512_bf16_supported"):
        pytest.skip("this torch does not know")
    expected = bool({"avx512_bf16", "amx_bf16"} & set(told))
    assert precision.multiplies_bfloat16("cpu") is expected


@pytest.mark.cuda
def test_of_this_gpu():
    assert precision.multiplies_bfloat16("cuda") is torch.cuda.is_bf16_supported(
        including_emulation=False
    )
