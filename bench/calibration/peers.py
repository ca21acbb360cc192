"""What the others do, in their own environment: questions on standard input, answers as JSON."""

import json
import sys
import time
from pathlib import Path

import aare
import numpy as np

STAGE = np.array([0, 1, 2, 2])  # of a gain code


class Data:
    """The same files that ours are measured with, loaded when first needed."""

    def __init__(self, folder):
        self.folder = folder
        self._loaded = {}

    def __getitem__(self, name):
        if name not in self._loaded:
            self._loaded[name] = np.load(self.folder / f"{name}.npy")
        return self._loaded[name]


def jungfrau_aare(data, threads):
    raw = data["words"].reshape(-1, 4096, 1024)
    planes = {key: data[key].reshape(3, 4096, 1024) for key in ("pedestal", "divisor")}
    return aare.apply_calibration(
        raw, pd=planes["pedestal"], cal=planes["divisor"], n_threads=threads
    )


def jungfrau_where(data, _threads):
    words, pedestal, scale = data["words"], data["pedestal"], data["scale"]
    code, value = words >> 14, (words & 0x3FFF).astype(np.float32)
    high, medium, low = ((value - pedestal[g]) * scale[g] for g in range(3))
    return np.where(code == 0, high, np.where(code == 1, medium, low))


def jungfrau_choose(data, _threads):
    words, pedestal, scale = data["words"], data["pedestal"], data["scale"]
    stage = STAGE[words >> 14]
    value = (words & 0x3FFF).astype(np.float32)
    return (value - np.choose(stage, pedestal)) * np.choose(stage, scale)


def agipd_choose(data, _threads):
    raw, threshold = data["agipd"], data["agipd_threshold"]
    offset, scale = data["agipd_offset"], data["agipd_scale"]
    stage = (raw[:, 1] > threshold[0]).astype(np.uint8) + (raw[:, 1] > threshold[1])
    return (raw[:, 0] - np.choose(stage, offset)) * np.choose(stage, scale)


def agipd_where(data, _threads):
    raw, threshold = data["agipd"], data["agipd_threshold"]
    offset, scale = data["agipd_offset"], data["agipd_scale"]
    value = raw[:, 0].astype(np.float32)
    high, medium, low = ((value - offset[g]) * scale[g] for g in range(3))
    return np.where(raw[:, 1] > threshold[1], low, np.where(raw[:, 1] > threshold[0], medium, high))


def dark_g0(data, threads):
    return aare.calculate_pedestal_g0(data["darks"], n_threads=threads)


def dark_push(data, _threads):
    frames = data["darks"]
    pedestal = aare.Pedestal_d(*frames.shape[1:], len(frames))
    for frame in frames:
        pedestal.push_no_update(frame)
    pedestal.update_mean()
    return pedestal.mean()


def main():
    folder = Path(sys.argv[1])
    data = Data(folder)
    for line in sys.stdin:
        asked = json.loads(line)
        measured = globals()[asked["name"]]
        wall, processor = time.perf_counter(), time.process_time()
        answer = measured(data, asked["threads"])
        told = {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - processor}
        if asked.get("keep"):
            np.save(folder / f"{asked['name']}.answer.npy", answer)
        del answer
        print(json.dumps(told | {"numpy": np.__version__}), flush=True)


if __name__ == "__main__":
    main()
