r"""Estimators as the content of files, and back.

A saved estimator is data, never code::

    magic      10 bytes   b"VAEIMPUTE\n"
    format      4 bytes   unsigned, little-endian, as the numbers that follow
    checksum   32 bytes   SHA-256 of all that follows
    length      8 bytes   of the document
    document              JSON: what the estimator holds, arrays by their number
    arrays                the bytes of all arrays, one after the other

Objects are told by the name of their class. `decode` makes only those of a list, from
the fields that they have; a file can make no other object and call no function.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import struct
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

_MAGIC, FORMAT = b"VAEIMPUTE\n", 1
_HEAD = struct.Struct("<10sI32sQ")
_CHECKED_FROM = struct.calcsize("<10sI32s")

#: Kinds of array that are stored: truth values, integers, and floating-point numbers.
_ARRAY_KINDS = "biuf"

#: Characters that an array of text may take: as many for each as the longest has.
_MAX_CHARACTERS = 2**26

_MOMENTS = {"Timestamp": np.datetime64, "Timedelta": np.timedelta64}


def encode(value: Any, about: Mapping[str, Any]) -> bytes:
    """Return the content of a file that holds a value.

    Parameters
    ----------
    value : object
        Of plain values, arrays, dataclasses, named tuples and estimators.
    about : mapping
        What a reader may want to know, such as versions; `decode` ignores it.

    Raises
    ------
    TypeError
        If something in it is of another kind; says where.
    """
    arrays: list[np.ndarray] = []
    document = {"about": dict(about), "value": _Encoder(arrays).encode(value, "")}
    document["arrays"] = [[array.dtype.str, array.shape] for array in arrays]
    text = json.dumps(document, allow_nan=False).encode()
    content = struct.pack("<Q", len(text)) + text
    content += b"".join(array.tobytes() for array in arrays)
    checksum = hashlib.sha256(content).digest()
    return _MAGIC + struct.pack("<I", FORMAT) + checksum + content


def decode(content: bytes, classes: Mapping[str, type]) -> Any:
    """Return the value that a file holds.

    Parameters
    ----------
    content : bytes
    classes : mapping of str to type
        Those that may be made, by name.

    Raises
    ------
    ValueError
        If the content is not what `encode` returns.
    """
    if not content.startswith(_MAGIC):
        raise ValueError("it is no saved estimator of vaeimpute.")
    if len(content) < _HEAD.size:
        raise ValueError("it ends too soon.")
    _, version, checksum, length = _HEAD.unpack_from(content)
    if version != FORMAT:
        raise ValueError(f"it has format {version}, expected {FORMAT}.")
    if hashlib.sha256(memoryview(content)[_CHECKED_FROM:]).digest() != checksum:
        raise ValueError("it is damaged: its checksum is not that of its content.")
    try:
        document = json.loads(content[_HEAD.size : _HEAD.size + length])
        stored = memoryview(content)[_HEAD.size + length :]
        arrays = list(_arrays(stored, document["arrays"]))
        return _Decoder(arrays, classes).decode(document["value"])
    # A file that was made by hand may have anything in any place.
    except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise ValueError(f"it holds no estimator: {error!r}.") from error
    except (RecursionError, OverflowError) as error:
        raise ValueError("it holds no estimator: it is nested too deeply.") from error


def _arrays(stored: memoryview, declared) -> Iterator[np.ndarray]:
    """Yield arrays, which take no more memory than their bytes in the file."""
    start = 0
    for kind, shape in declared:
        dtype = np.dtype(kind)
        if dtype.kind not in _ARRAY_KINDS or not all(size >= 0 for size in shape):
            raise ValueError(f"an array of {kind} and shape {shape}")
        count = math.prod(shape)
        end = start + count * dtype.itemsize
        if end > len(stored):
            raise ValueError(f"an array of shape {shape} beyond the end of the file")
        yield np.frombuffer(stored[start:end], dtype).reshape(shape).copy()
        start = end
    if start != len(stored):
        raise ValueError("bytes behind the last array")


@dataclasses.dataclass
class _Encoder:
    arrays: list[np.ndarray]

    def encode(self, value: Any, where: str) -> Any:
        """Return a value of JSON; an object of one key says what it is."""
        if value is None or type(value) in (bool, int, str):
            return value
        if type(value) is float:
            return value if math.isfinite(value) else {"float": repr(value)}
        if isinstance(value, np.ndarray | np.generic):
            return self._array(value, where)
        if type(value) in (pd.Timestamp, pd.Timedelta):
            moment = int(value.asm8.astype(np.int64)), value.unit, _zone(value, where)
            return {type(value).__name__: moment}
        if isinstance(value, np.random.RandomState):
            return {"random_state": self.encode(value.get_state(), where)}
        if isinstance(value, BaseEstimator):
            return self._named(value, vars(value), "estimator", where)
        if dataclasses.is_dataclass(value):
            names = [field.name for field in dataclasses.fields(value)]
            fields = {name: getattr(value, name) for name in names}
            return self._named(value, fields, "object", where)
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            return self._named(value, value._asdict(), "object", where)
        if type(value) in (list, tuple):
            items = enumerate(value)
            items = [self.encode(x, f"{where}[{k}]") for k, x in items]
            return {type(value).__name__: items}
        if type(value) is dict:
            pairs = value.items()
            return {
                "dict": [
                    [self.encode(k, where), self.encode(x, f"{where}[{k!r}]")]
                    for k, x in pairs
                ]
            }
        raise TypeError(
            f"{where.lstrip('.')}: got {value!r}, a {type(value).__name__}, expected "
            "what can be saved: numbers, text, arrays and the like."
        )

    def _array(self, value, where) -> dict[str, Any]:
        if value.dtype.kind in _ARRAY_KINDS:
            array = np.asarray(value)
            self.arrays.append(np.ascontiguousarray(array).reshape(array.shape))
            name = "array" if isinstance(value, np.ndarray) else "scalar"
            return {name: len(self.arrays) - 1}
        if value.dtype.kind not in "OU":
            raise TypeError(
                f"{where.lstrip('.')}: got an array of {value.dtype}, expected "
                "numbers, truth values or objects."
            )
        cells = self.encode(np.asarray(value, object).ravel().tolist(), where)
        return {"objects": [value.dtype.kind, list(value.shape), cells]}

    def _named(self, value, fields, kind, where) -> dict[str, Any]:
        fields = {k: self.encode(x, f"{where}.{k}") for k, x in fields.items()}
        return {kind: [type(value).__name__, fields]}


@dataclasses.dataclass
class _Decoder:
    arrays: list[np.ndarray]
    classes: Mapping[str, type]

    def decode(self, stored: Any) -> Any:
        if not isinstance(stored, dict):
            if stored is not None and not isinstance(stored, bool | int | float | str):
                raise ValueError(f"{type(stored).__name__} without a kind")
            return stored
        ((kind, content),) = stored.items()
        if kind == "float":
            return {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}[content]
        if kind == "array":
            return self.arrays[content]
        if kind == "scalar":
            return self.arrays[content][()]
        if kind == "objects":
            return self._objects(*content)
        if kind == "random_state":
            generator = np.random.RandomState(0)
            generator.set_state(self.decode(content))
            return generator
        if kind in _MOMENTS:
            return _moment(kind, *content)
        if kind in ("list", "tuple"):
            return {"list": list, "tuple": tuple}[kind](map(self.decode, content))
        if kind == "dict":
            return {self.decode(key): self.decode(value) for key, value in content}
        if kind in ("object", "estimator"):
            name, fields = content
            fields = {key: self.decode(value) for key, value in fields.items()}
            return self._made(kind, self.classes[name], fields)
        raise ValueError(f"a {kind!r}")

    def _objects(self, kind, shape, cells) -> np.ndarray:
        cells = self.decode(cells)
        array = np.empty(len(cells), object)
        array[:] = cells
        if kind == "U":
            if len(cells) * max(map(len, cells), default=0) > _MAX_CHARACTERS:
                raise ValueError(f"{len(cells)} texts, some of which are too long")
            array = array.astype(str)
        return array.reshape(shape)

    def _made(self, kind: str, made: type, fields: dict[str, Any]) -> Any:
        if issubclass(made, BaseEstimator) != (kind == "estimator"):
            raise ValueError(f"{made.__name__} is no {kind}")
        if kind == "object":
            return made(**fields)
        estimator = made.__new__(made)
        missing = set(made().get_params(deep=False)) - fields.keys()
        if missing:
            raise ValueError(f"{made.__name__} without {sorted(missing)}")
        vars(estimator).update(fields)
        return estimator


def _zone(value, where) -> str | None:
    """Return the name of a timestamp's zone; a timedelta has none."""
    zone = getattr(value, "tz", None)
    name = None if zone is None else str(zone)
    if name is not None and value.tz_convert(name) != value:
        raise TypeError(f"{where.lstrip('.')}: got {value!r}, of a zone with no name.")
    return name


def _moment(kind: str, count: int, unit: str, zone: str | None) -> Any:
    moment = getattr(pd, kind)(_MOMENTS[kind](count, unit))
    return moment if zone is None else moment.tz_localize("UTC").tz_convert(zone)
