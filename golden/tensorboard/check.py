"""Reads events.bin and resumed.bin with the `tensorboard` package of Python and compares with what was written.

    python golden/tensorboard/check.py       # needs tensorboard

`train::tensorboard` writes the same files to the byte (its test says so), so this check holds for it too.
"""

import math
import shutil
import struct
import tempfile
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard.util import tensor_util

source = Path(__file__).with_name("events.bin")
folder = Path(tempfile.mkdtemp())
file = folder / "events.out.tfevents.1790000000.0.polymath"
shutil.copy(source, file)

# Each record's checksums, by the reader's own function.
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c

data, at, records = source.read_bytes(), 0, 0
while at < len(data):
    (length,) = struct.unpack_from("<Q", data, at)
    assert struct.unpack_from("<I", data, at + 8)[0] == masked_crc32c(data[at : at + 8])
    assert struct.unpack_from("<I", data, at + 12 + length)[0] == masked_crc32c(data[at + 12 : at + 12 + length])
    at, records = at + 16 + length, records + 1
assert records == 7, records

(first, *events) = list(EventFileLoader(str(file)).Load())
assert first.file_version == "brain.Event:2" and first.wall_time == 1790000000.25
seen = {}
for event in events:
    for value in event.summary.value:
        seen.setdefault(value.tag, []).append((event.step, event.wall_time, value))
number = lambda value: tensor_util.make_ndarray(value.tensor).item()
f32 = lambda x: struct.unpack("<f", struct.pack("<f", x))[0]
loss = [(step, at, number(value)) for step, at, value in seen["loss/train"]]
assert loss[:3] == [(s, 1790000000.5 + s, f32(8.0 / s)) for s in (1, 2, 3)], loss
assert loss[3][0] == 1 << 40 and math.isnan(loss[3][2])
assert [number(v) for _, _, v in seen["learning rate"]] == [f32(0.001 * s) for s in (1, 2, 3)]
((_, _, big),) = seen["big"]
assert number(big) == f32(-1e30)
((step, _, text),) = seen["samples"]
assert step == 3 and text.metadata.plugin_data.plugin_name == "text"
shown = tensor_util.make_ndarray(text.tensor)
assert shown.item().decode() == "The lighthouse **stood** – an example.\n"
((_, _, experts),) = seen["experts"]
assert experts.metadata.plugin_data.plugin_name == "histograms"
assert tensor_util.make_ndarray(experts.tensor).tolist() == [[0.0, 0.5, 4.0], [0.5, 1.0, 300.0]]

# A resumed run's second file makes the reader forget the steps that were rolled back.
shutil.copy(Path(__file__).with_name("resumed.bin"), folder / "events.out.tfevents.1790000100.0.polymath")
accumulator = EventAccumulator(str(folder))
accumulator.Reload()
kept = [(value.step, value.value) for value in accumulator.Scalars("loss/train")]
assert kept == [(1, 8.0), (2, 4.0), (3, 2.5)], kept
print("tensorboard reads", records, "records: scalars, a text, a histogram, all as written; a resumption takes steps back")
