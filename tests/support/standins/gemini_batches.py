"""Gemini's batch mode: resumable uploads, operations, and a file with the results.

https://ai.google.dev/api/batch-api
"""

import json
from collections import Counter
from datetime import UTC, datetime
from typing import ClassVar

from tests.support.standins.batch_jobs import BatchStandIn, Job, Json
from tests.support.standins.script import compact, words
from tests.support.standins.server import Reply, Request


class GeminiBatches(BatchStandIn):
    model: ClassVar[str] = "gemini-2.5-flash"

    async def handle(self, request: Request, reply: Reply) -> None:
        if request.headers.get("x-goog-upload-command") == "start":
            assert request.path == "/upload/v1beta/files"
            assert request.headers["x-goog-upload-protocol"] == "resumable"
            url = f"http://{request.headers['host']}/upload/v1beta/files?upload_id=u1"
            await reply.head(200, {"X-Goog-Upload-URL": url}, length=0)
            return
        await super().handle(request, reply)

    def answer(self, request: Request) -> tuple[str, Json | bytes | int]:
        assert request.headers["x-goog-api-key"].startswith("sk-")
        place, _, verb = request.path.removeprefix("/").partition(":")
        match request.method, place.split("/")[:-1], verb:
            case "POST", ["upload", "v1beta"], "":
                assert request.query == {"upload_id": "u1"}
                assert request.headers["x-goog-upload-command"] == "upload, finalize"
                name = f"files/{len(self.files)}"
                self.files[name] = request.body
                return "upload", self.refusal("upload") or {"file": {"name": name}}
            case "POST", ["v1beta", "models"], "batchGenerateContent":
                assert place.endswith(self.model)
                return "create", self.refusal("create") or self._create(request.json["batch"])
            case "GET", ["v1beta"], "":
                start = int(request.query.get("pageToken", "0"))
                page = [self._describe(job) for job in self.jobs[start : start + 1]]
                more = {"nextPageToken": str(start + 1)} if start + 1 < len(self.jobs) else {}
                return "list", {"operations": page, **more}
            case "GET", ["v1beta", "batches"], "":
                job = self._job(place)
                self.look(job)
                return "poll", self.refusal("poll") or self._describe(job)
            case "POST", ["v1beta", "batches"], "cancel":
                self._job(place).is_cancelled = True
                return "cancel", {}
            case "GET", ["download", "v1beta", "files"], "download":
                assert request.query == {"alt": "media"}
                number = place.rpartition("-")[2]
                return "results", self._results(self.jobs[int(number)])
        raise AssertionError(f"{request.method} {request.path}")

    def error(self, status: int) -> Json:
        return {"error": {"code": status, "message": f"fault {status}", "status": "UNKNOWN"}}

    def _job(self, place: str) -> Job:
        return self.jobs[int(place.rpartition("/")[2])]

    def _create(self, batch: Json) -> Json:
        rows = []
        for line in self.files[batch["inputConfig"]["fileName"]].splitlines():
            row = json.loads(line)
            assert set(row) == {"key", "request"}
            prompt = row["request"]["contents"][-1]["parts"][-1]["text"]
            rows.append((row["key"], prompt, row["request"]))
        return self._describe(self.add_job(batch["displayName"], rows))

    def _describe(self, job: Job) -> Json:
        word, has_ended = "RUNNING", job.polls > self.slow_polls or job.is_cancelled
        kinds = Counter(
            "good" if self.fault(job, custom_id) is None else "bad"
            for custom_id, _, _ in (job.rows if job.failure is None else [])
        )
        if job.failure is not None:
            word = "FAILED" if job.polls else "PENDING"
        elif job.is_cancelled:
            word = "CANCELLED"
        elif has_ended:
            word = "EXPIRED" if job.name and self._has_expired(job) else "SUCCEEDED"
        operation: Json = {
            "name": f"batches/{job.number}",
            "metadata": {
                "displayName": job.name, "state": f"BATCH_STATE_{word}",
                "createTime": datetime.fromtimestamp(job.created_at, UTC).isoformat(),
                "batchStats": {
                    "requestCount": str(len(job.rows)), "failedRequestCount": str(kinds["bad"]),
                    "successfulRequestCount": str(kinds["good"] if has_ended else 0),
                },
            },
        }  # fmt: skip
        if word == "FAILED":
            return operation | {"done": True, "error": job.failure}
        if word in ("SUCCEEDED", "CANCELLED"):
            operation |= {"done": True, "response": {"responsesFile": f"files/batch-{job.number}"}}
        return operation

    def _has_expired(self, job: Job) -> bool:
        """A job expires as a whole, and then has no results."""
        return any(self.fault(job, custom_id) == "expired" for custom_id, _, _ in job.rows)

    def _results(self, job: Job) -> bytes:
        lines = []
        for custom_id, prompt, _ in reversed(job.rows):
            fault = self.fault(job, custom_id)
            if fault in ("missing", "cancelled"):
                continue
            text = f"answer to {prompt}"
            content = {"role": "model", "parts": [{"text": text}]}
            reason = "MAX_TOKENS" if fault == "length" else "STOP"
            counts = {"promptTokenCount": words(prompt), "candidatesTokenCount": words(text)}
            response = {
                "candidates": [{"content": content, "finishReason": reason, "index": 0}],
                "usageMetadata": counts, "modelVersion": self.model,
            }  # fmt: skip
            result = self.error(fault) if isinstance(fault, int) else {"response": response}
            lines.append(compact({"key": custom_id, **result}) + b"\n")
        return b"".join(lines)
