"""The jobs of docs/ray.md run as they stand on real Ray, and a worker that is killed loses no row.

Ray is in a venv of its own (tests/support/servers/locked_venv.py).
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support import ROOT
from tests.support.batches import BatchServer
from tests.support.processes import descendants, resident_bytes
from tests.support.samples import parse_samples
from tests.support.servers.background import stop_run, wait_for
from tests.support.servers.locked_venv import python_of
from tests.support.standins.server import StandIn

pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc"),
]

ROWS, BLOCK = 2000, 100
SECONDS = 140.0  # that a job may take
WORKER = "ray::MapWorker(MapBatches(BatchCaller))"
SAMPLES = parse_samples((ROOT / "docs" / "ray.md").read_text("utf-8"))
PROFILES, JOB = SAMPLES["On one machine"], SAMPLES["On one machine 2"]
AGAIN, CLUSTER = SAMPLES["The rows that failed"], SAMPLES["On a cluster"]
START_NODES = """
import ray
from ray.cluster_utils import Cluster
cluster = Cluster()
for _ in range(2):
    cluster.add_node(num_cpus=2, resources={"easyllm": 1}, include_dashboard=False)
ray.init(address=cluster.address)
"""
KEY = "sk-only-on-the-worker-0123456789"


@pytest.fixture(scope="module")
def ray_python() -> Path:
    """The Python of the venv with Ray."""
    ended = wait_for("ray_venv")
    if ended.returncode:
        stop_run(ended)
    return python_of("ray")


class Jobs:
    """Runs jobs in a folder; `most_bytes`: the most memory that all processes of a job had."""

    def __init__(self, python: Path, folder: Path, server: StandIn) -> None:
        self.python = python
        self.folder = folder
        profiles = folder / "profiles.toml"
        profiles.write_text(PROFILES.code, "utf-8")
        profiles.chmod(0o600)
        self.env = {
            **os.environ, "RAY_TMPDIR": str(folder), "RAY_USAGE_STATS_ENABLED": "0",
            "EASYLLM_PROFILES": str(profiles), "OPENAI_API_KEY": KEY,
            "OPENAI_BASE_URL": f"{server.url}/v1",
        }  # fmt: skip
        self.most_bytes = 0
        self.seconds = 0.0

    @contextmanager
    def running(self, code: str) -> Iterator[int]:
        """Start a job, and wait for its end behind the block; the value is its process id."""
        (self.folder / "job.py").write_text(code, "utf-8")
        began = time.monotonic()
        with (self.folder / "log").open("wb") as log:
            job = subprocess.Popen(
                [self.python, "job.py"],
                cwd=self.folder, env=self.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        watcher = threading.Thread(target=self._watch, args=(job,))
        watcher.start()
        try:
            yield job.pid
            code_of_job = job.wait(SECONDS)
        finally:
            for process in descendants(job.pid) if job.poll() is None else ():
                os.kill(process, signal.SIGKILL)
            job.kill()
            job.wait()
            watcher.join()
        self.seconds = time.monotonic() - began
        assert code_of_job == 0, (self.folder / "log").read_text("utf-8", "replace")

    def _watch(self, job: subprocess.Popen[bytes]) -> None:
        while job.poll() is None:
            used = sum(resident_bytes(process) for process in (job.pid, *descendants(job.pid)))
            self.most_bytes = max(self.most_bytes, used)
            time.sleep(0.5)


@pytest.fixture
def server() -> BatchServer:
    """A server that refuses one row until it is asked again, so that columns have both types."""
    return BatchServer(lambda prompt, count: 400 if (prompt, count) == ("p7", 0) else None, 0.1)


@pytest.fixture
def jobs(ray_python: Path, server: BatchServer) -> Iterator[Jobs]:
    folder = Path(tempfile.mkdtemp(prefix="ray"))  # short: it is part of the names of sockets
    try:
        with StandIn(server.handle) as stand_in:
            yield Jobs(ray_python, folder, stand_in)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def write_rows(path: Path, count: int) -> None:
    lines = [json.dumps({"id": number, "prompt": f"p{number}"}) for number in range(count)]
    path.write_text("\n".join(lines), "utf-8")


def read_rows(folder: Path) -> list[dict[str, Any]]:
    files = folder.glob("*.json")
    return [json.loads(line) for file in files for line in file.read_text("utf-8").splitlines()]


def kill_worker(job: int) -> None:
    """Kill the process that asks."""
    [worker] = [
        process
        for process in descendants(job)
        if Path(f"/proc/{process}/cmdline").read_text().startswith(WORKER)
    ]
    os.kill(worker, signal.SIGKILL)


def test_batch_24_a_killed_worker_costs_one_block(jobs: Jobs, server: BatchServer) -> None:
    write_rows(jobs.folder / "in.jsonl", ROWS)
    with jobs.running(JOB.code) as job:
        limit = time.monotonic() + SECONDS
        while len(server.asked) < ROWS / 2 + BLOCK / 2:  # in the middle of a block
            assert time.monotonic() < limit
            time.sleep(0.01)
        kill_worker(job)
    rows = read_rows(jobs.folder / "out")
    extra = len(server.asked) - ROWS
    print(f"{len(rows)} rows, {extra} extra requests, {jobs.seconds:.0f} s, "
          f"{jobs.most_bytes / 2**20:.0f} MiB")  # fmt: skip
    assert sorted(row["id"] for row in rows) == [*range(ROWS)]
    assert 0 < extra <= BLOCK
    assert {row["id"]: row["error_kind"] for row in rows if row["error_kind"]} == {7: "refused"}
    good = [row for row in rows if row["id"] != 7]
    assert all(row["text"] == f"answer to {row['prompt']}" and row["complete"] for row in good)
    assert KEY not in json.dumps(rows)

    with jobs.running(AGAIN.code):
        pass
    assert server.asked.count("p7") == 2
    script = "import pandas; print(pandas.read_parquet('out-again').to_json(orient='records'))"
    ran = subprocess.run(
        [jobs.python, "-c", script], cwd=jobs.folder, capture_output=True, check=True, timeout=60
    )
    [row] = json.loads(ran.stdout)
    assert (row["id"], row["text"], row["error_kind"]) == (7, "answer to p7", None)


def test_the_job_of_a_cluster_runs_on_two_nodes(jobs: Jobs, server: BatchServer) -> None:
    """Two nodes on this machine, as Ray's own tests have them."""
    write_rows(jobs.folder / "in.jsonl", 4 * BLOCK)
    with jobs.running(START_NODES + CLUSTER.code + "ray.shutdown()\ncluster.shutdown()\n"):
        pass
    rows = read_rows(jobs.folder / "out")
    assert sorted(row["id"] for row in rows) == [*range(4 * BLOCK)]
    assert len(server.asked) == 4 * BLOCK
