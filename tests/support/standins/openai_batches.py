"""OpenAI's Batch API: files, batches, and the files with their results.

https://platform.openai.com/docs/api-reference/batch
"""

import json
import re

from tests.support.batches import whole_answer
from tests.support.standins.batch_jobs import BatchStandIn, Job, Json
from tests.support.standins.openai import last_user_text
from tests.support.standins.script import compact
from tests.support.standins.server import Request


class OpenAIBatches(BatchStandIn):
    def answer(self, request: Request) -> tuple[str, Json | bytes | int]:
        assert request.headers["authorization"].startswith("Bearer sk-")
        match request.method, request.path.removeprefix("/v1").split("/")[1:]:
            case "POST", ["files"]:
                return "upload", self.refusal("upload") or self._upload(request)
            case "POST", ["batches"]:
                return "create", self.refusal("create") or self._create(request.json)
            case "GET", ["batches"]:
                newest = [self._describe(job) for job in self.listed()]
                after = request.query.get("after")
                start = 1 + [each["id"] for each in newest].index(after) if after else 0
                page = newest[start : start + 1]  # every page has one, to be read to the end
                has_more = start + 1 < len(newest)
                return "list", {"object": "list", "data": page, "has_more": has_more}
            case "GET", ["batches", batch_id]:
                job = self._job(batch_id)
                if job is None:
                    return "poll", 404
                self.look(job)
                return "poll", self.refusal("poll") or self._describe(job)
            case "POST", ["batches", batch_id, "cancel"]:
                job = self._job(batch_id)
                assert job is not None
                has_ended = job.is_cancelled or job.polls > self.slow_polls
                status = self.refusal("cancel") or (409 if has_ended else None)
                if status is not None:
                    return "cancel", status
                job.is_cancelled = True
                return "cancel", self._describe(job) | {"status": "cancelling"}
            case "GET", ["files", file_id, "content"]:
                return "results", self.files[file_id]
        raise AssertionError(f"{request.method} {request.path}")

    def error(self, status: int) -> Json:
        return {"error": {"message": f"fault {status}", "type": "server_error", "code": None}}

    def _upload(self, request: Request) -> Json:
        """Read the multipart form as RFC 7578 has it."""
        kind, _, boundary = request.headers["content-type"].partition("; boundary=")
        assert kind == "multipart/form-data"
        parts = request.body.split(b"--" + boundary.encode())
        assert parts[0] == b""
        assert parts[-1] == b"--\r\n"
        fields: dict[str, bytes] = {}
        for part in parts[1:-1]:
            head, blank, body = part.partition(b"\r\n\r\n")
            name = re.search(rb'form-data; name="([^"]*)"', head)
            assert name
            assert blank
            assert body.endswith(b"\r\n")
            fields[name[1].decode()] = body.removesuffix(b"\r\n")
        assert fields["purpose"] == b"batch"
        file_id = f"file-{len(self.files)}"
        self.files[file_id] = fields["file"]
        return {"id": file_id, "object": "file", "purpose": "batch", "status": "processed"}

    def _create(self, body: Json) -> Json:
        assert body["completion_window"] == "24h"
        rows = []
        for line in self.files[body["input_file_id"]].splitlines():
            row = json.loads(line)
            assert row["method"] == "POST"
            assert row["url"] == body["endpoint"]
            assert "stream" not in row["body"]
            rows.append((row["custom_id"], last_user_text(row["body"]["messages"]), row["body"]))
        ids = [custom_id for custom_id, _, _ in rows]
        assert len(set(ids)) == len(ids)
        job = self.add_job(body["metadata"]["easyllm"], rows)
        self._write_results(job)
        return self._describe(job)

    def _job(self, batch_id: str) -> Job | None:
        number = int(batch_id.removeprefix("batch_"))
        return self.jobs[number] if number < len(self.jobs) else None

    def _describe(self, job: Job) -> Json:
        kinds = [self.fault(job, custom_id) for custom_id, _, _ in job.rows if not job.failure]
        status, ended = "in_progress", job.polls > self.slow_polls
        if job.failure is not None:
            status = "failed" if job.polls else "validating"
        elif job.is_cancelled:
            status = "cancelled"
        elif ended:
            status = "expired" if "expired" in kinds else "completed"
        good = sum(kind in (None, "length", "missing") for kind in kinds)
        names = {f"{kind}_file_id": f"file-{kind}-{job.number}" for kind in ("output", "error")}
        has_results = status in ("completed", "expired", "cancelled")
        files = {key: name for key, name in names.items() if has_results and self.files.get(name)}
        return {
            "id": f"batch_{job.number}", "object": "batch", "endpoint": "/v1/chat/completions",
            "status": status, "created_at": int(job.created_at), "completion_window": "24h",
            "output_file_id": None, "error_file_id": None, **files,
            "request_counts": {
                "total": len(job.rows), "completed": good if has_results else 0,
                "failed": len(job.rows) - good if has_results else 0,
            },
            "errors": {"object": "list", "data": [job.failure]} if status == "failed" else None,
            "metadata": {"easyllm": job.name},
        }  # fmt: skip

    def _write_results(self, job: Job) -> None:
        """The files with the results, in no order, as the server writes them."""
        lines: dict[str, list[bytes]] = {"output": [], "error": []}
        for custom_id, prompt, body in reversed(job.rows):
            fault = None if job.failure else self.fault(job, custom_id)
            answer = whole_answer(body["model"], f"answer to {prompt}", prompt)
            line: Json = {"id": f"batch_req_{custom_id}", "custom_id": custom_id, "error": None}
            response: Json = {"status_code": 200, "request_id": f"req_{custom_id}", "body": answer}
            if fault == "missing":
                continue
            if fault == "length":
                answer["choices"][0]["finish_reason"] = "length"
            elif fault == "cancelled":
                line["error"] = {"code": "batch_cancelled", "message": "This batch was cancelled."}
                response = {}
            elif fault == "expired":
                message = "This request could not be executed before the window expired."
                line["error"] = {"code": "batch_expired", "message": message}
                response = {}
            elif isinstance(fault, int):
                response |= {"status_code": fault, "body": self.error(fault)}
            kind = "output" if fault in (None, "length") else "error"
            lines[kind].append(compact({**line, "response": response or None}))
        for kind, found in lines.items():
            self.files[f"file-{kind}-{job.number}"] = b"".join(each + b"\n" for each in found)
