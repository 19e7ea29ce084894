"""The playground in headless Chromium: its steps, its frames, and how closely it follows the core.

    PYTHONPATH=book:tests python benchmarks/playground.py

The browser and all its processes share one core.  Printed are the time of a step of one trial; the
steps and frames in a second while many trials are released; and for each model that ships the
largest difference to the core's z(t), t <= 50, beside that between the core in float32 and in
float64: where trajectories part, rounding grows.

Beside a busy machine's other work the rates are lower.  The times of the processor, which are
printed too, are not.
"""

import base64
import copy
import json
import os
import tempfile
from pathlib import Path

import numpy as np
import playground_data
import psutil
import torch
from chromium import CHROMIUM
from playwright.sync_api import Page, sync_playwright

from repinf_core import noise
from repinf_core.dynamics.rollout import trajectory

STEP = """async () => {
  const entry = repinfData.catalogue.find((one) => one.name === "mnist-nz100");
  const network = await repinf.library.network(entry, () => {});
  let z = network.encode(new Float32Array(784));
  for (let t = 0; t < 50; t++) z = network.encode(network.decode(z));
  const start = performance.now();
  for (let t = 0; t < 200; t++) z = network.encode(network.decode(z));
  return (performance.now() - start) / 200;
}"""
FRAMES = """async (seconds) => {
  const rate = document.querySelector("[data-say=rate]");
  const computed = () => Number(/t = (\\d+)/.exec(rate.textContent)?.[1] ?? 0);
  const [first, start] = [computed(), performance.now()];
  let frames = 0;
  while (performance.now() < start + 1000 * seconds) {
    await new Promise(requestAnimationFrame);
    frames++;
  }
  const passed = (performance.now() - start) / 1000;
  return { frames, steps: computed() - first, passed };
}"""


def processor_times() -> dict[tuple[int, int, bool], float]:
    """Seconds of the processor that each thread of the browser has used.

    The key tells its process, itself, and whether it is a worker.
    """
    found = {}
    for process in psutil.Process().children(recursive=True):
        for thread in process.threads():
            name = Path(f"/proc/{process.pid}/task/{thread.id}/comm").read_text()
            key = process.pid, thread.id, name.startswith("DedicatedWorker")
            found[key] = thread.user_time + thread.system_time
    return found


def differences(page: Page, played: playground_data.Played) -> tuple[float, float]:
    """Largest difference of z(t), t <= 50, over ten noisy images, one of each label.

    Returns that between page and core, and that between the core in float32 and in float64.
    """
    script = (playground_data.COMMITTED / f"images-{played.spec.dataset}.js").read_text()
    pixels = json.loads(script.partition(" = ")[2].rstrip(";\n"))["pixels"]
    images = np.frombuffer(base64.b64decode(pixels), np.uint8).reshape(10, 10, 784)[:, 0]
    clean = torch.from_numpy(images.astype(np.float32)).div_(255)
    x0 = noise.corrupt(clean, 0.2, torch.Generator().manual_seed(0))
    with torch.no_grad():
        ours = torch.stack([z for _, z in trajectory(played.model, x0, 50)], 1).numpy()
        exact = copy.deepcopy(played.model).double()
        double = torch.stack([z for _, z in trajectory(exact, x0.double(), 50)], 1).numpy()
    asked = [{"model": played.name, "image": x.tolist(), "steps": 50} for x in x0]
    run = "async (asked) => (await repeatedInference.run(asked)).z"
    found = np.array([page.evaluate(run, one) for one in asked])
    return float(np.abs(found - ours).max()), float(np.abs(ours - double).max())


def main() -> None:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    played = playground_data.shipped_models()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as started:
        playground_data.write(Path(folder), played)
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        print(f"Chromium {browser.version}, one core; network 784-1024-100-1024-784")
        page = browser.new_page(viewport={"width": 1300, "height": 900})

        def visit() -> None:
            page.goto("about:blank")
            page.goto(f"file://{folder}/index.html")
            page.evaluate("repeatedInference.ready")

        visit()
        print(f"one trial: {page.evaluate(STEP):.2f} ms a step")
        for many in (100, 300):
            visit()
            page.click(f'[data-many="{many}"]')
            page.wait_for_function("/ t = [2-9] of/.test(document.body.innerText)")
            before = processor_times()
            found = page.evaluate(FRAMES, 4)
            spent = {True: 0.0, False: 0.0}  # by workers, by others
            for thread, seconds in processor_times().items():
                spent[thread[-1]] += seconds - before.get(thread, 0.0)
            rates = {name: found[name] / found["passed"] for name in ("frames", "steps")}
            print(
                f"{many} trials: {rates['frames']:.0f} frames/s, {rates['steps']:.1f} steps/s; of "
                f"the processor {1000 * spent[False] / found['frames']:.0f} ms a frame, "
                f"{1000 * spent[True] / found['steps']:.0f} ms a step, "
                f"{sum(spent.values()):.1f} of {found['passed']:.1f} s"
            )
        visit()
        for one in played:
            of_page, of_core = differences(page, one)
            print(f"{one.name}: page to core {of_page:.1e}, core to its float64 {of_core:.1e}")
        browser.close()


if __name__ == "__main__":
    main()
