"""GPU memory that one process makes and another one reads: CUDA's virtual memory management, by its driver.

Memory made so has a descriptor, which goes over a socket from one jail to another; older ways (cudaIpcGetMemHandle)
need both in one namespace. Source: the section "Virtual Memory Management" of NVIDIA's CUDA driver API, cuda.h.
Never imported if there is no GPU.
"""

from __future__ import annotations

import ctypes
from typing import Any

import torch

_PINNED, _ON_DEVICE, _POSIX_DESCRIPTOR = (
    1,
    1,
    1,
)  # CUmemAllocationType, CUmemLocationType, CUmemAllocationHandleType
_MINIMUM_GRANULARITY = 0
_READ, _READ_WRITE = 1, 3  # CUmemAccess_flags


class _Location(ctypes.Structure):
    _fields_ = [("type", ctypes.c_int), ("id", ctypes.c_int)]


class _Flags(ctypes.Structure):
    _fields_ = [
        ("compression", ctypes.c_ubyte),
        ("rdma", ctypes.c_ubyte),
        ("usage", ctypes.c_ushort),
        ("reserved", ctypes.c_ubyte * 4),
    ]


class _Properties(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int),
        ("handles", ctypes.c_int),
        ("location", _Location),
        ("windows", ctypes.c_void_p),
        ("flags", _Flags),
    ]


class _Access(ctypes.Structure):
    _fields_ = [("location", _Location), ("flags", ctypes.c_int)]


class _Region:
    """Mapped device memory, as torch.as_tensor takes it: the CUDA array interface, version 3."""

    def __init__(self, address: int, count: int) -> None:
        self.__cuda_array_interface__ = {
            "shape": (count,), "typestr": "<f4", "data": (address, False), "version": 3,
        }  # fmt: skip


def lend(count: int) -> tuple[torch.Tensor, int]:
    """Make memory for `count` float32 values on the current device; return it, and a descriptor to pass on."""
    properties = _properties()
    size = _rounded(4 * count, properties)
    memory = ctypes.c_uint64()
    _call(
        "cuMemCreate",
        ctypes.byref(memory),
        ctypes.c_size_t(size),
        ctypes.byref(properties),
        ctypes.c_uint64(0),
    )
    descriptor = ctypes.c_int()
    _call(
        "cuMemExportToShareableHandle",
        ctypes.byref(descriptor),
        memory,
        _POSIX_DESCRIPTOR,
        ctypes.c_uint64(0),
    )
    return _mapped(memory, size, count, _READ_WRITE), descriptor.value


def borrow(descriptor: int, count: int) -> torch.Tensor:
    """Return the memory behind a descriptor that `lend` gave for the same `count`, to be read only.

    Raises RuntimeError if it is no such memory, or less of it.
    """
    memory = ctypes.c_uint64()
    _call(
        "cuMemImportFromShareableHandle", ctypes.byref(memory), ctypes.c_void_p(descriptor), _POSIX_DESCRIPTOR
    )
    return _mapped(memory, _rounded(4 * count, _properties()), count, _READ)


def _mapped(memory: ctypes.c_uint64, size: int, count: int, access: int) -> torch.Tensor:
    address = ctypes.c_uint64()
    nothing = ctypes.c_uint64(0)
    _call(
        "cuMemAddressReserve",
        ctypes.byref(address),
        ctypes.c_size_t(size),
        ctypes.c_size_t(0),
        nothing,
        nothing,
    )
    _call("cuMemMap", address, ctypes.c_size_t(size), ctypes.c_size_t(0), memory, nothing)
    allowed = _Access(_Location(_ON_DEVICE, torch.cuda.current_device()), access)
    _call("cuMemSetAccess", address, ctypes.c_size_t(size), ctypes.byref(allowed), ctypes.c_size_t(1))
    return torch.as_tensor(_Region(address.value, count), device="cuda")


def _properties() -> _Properties:
    torch.cuda.synchronize()  # makes the context that the driver's calls work in
    properties = _Properties()
    properties.type, properties.handles = _PINNED, _POSIX_DESCRIPTOR
    properties.location = _Location(_ON_DEVICE, torch.cuda.current_device())
    return properties


def _rounded(size: int, properties: _Properties) -> int:
    grain = ctypes.c_size_t()
    _call(
        "cuMemGetAllocationGranularity", ctypes.byref(grain), ctypes.byref(properties), _MINIMUM_GRANULARITY
    )
    return -(-size // grain.value) * grain.value


def _call(name: str, *arguments: Any) -> None:
    code = getattr(ctypes.CDLL("libcuda.so.1"), name)(*arguments)
    if code:
        raise RuntimeError(f"{name}: CUDA driver error {code}")
