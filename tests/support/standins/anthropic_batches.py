"""Anthropic's Message Batches: no name, no upload, and counts that are 0 until a batch has ended.

https://platform.claude.com/docs/en/api/creating-message-batches
"""

from collections import Counter
from datetime import UTC, datetime
from typing import ClassVar

from tests.support.standins.anthropic import error_kind, last_user_text, whole
from tests.support.standins.batch_jobs import BatchStandIn, Job, Json
from tests.support.standins.script import compact
from tests.support.standins.server import Request


class AnthropicBatches(BatchStandIn):
    model: ClassVar[str] = "claude-sonnet-4-5"
    results_host = ""  # "" = this one

    def answer(self, request: Request) -> tuple[str, Json | bytes | int]:
        assert request.headers["anthropic-version"] == "2023-06-01"
        match request.method, request.path.removeprefix("/v1/messages/batches").split("/")[1:]:
            case "POST", []:
                return "create", self.refusal("create") or self._create(request.json)
            case "GET", []:
                newest = [self._describe(job, request) for job in self.listed()]
                after = request.query.get("after_id")
                start = 1 + [each["id"] for each in newest].index(after) if after else 0
                page = newest[start : start + 1]  # every page has one, to be read to the end
                ends = {"first_id": page[0]["id"], "last_id": page[-1]["id"]} if page else {}
                return "list", {"data": page, "has_more": start + 1 < len(newest), **ends}
            case "GET", [batch_id]:
                job = self.jobs[int(batch_id.removeprefix("msgbatch_"))]
                self.look(job)
                return "poll", self.refusal("poll") or self._describe(job, request)
            case "POST", [batch_id, "cancel"]:
                job = self.jobs[int(batch_id.removeprefix("msgbatch_"))]
                job.is_cancelled = True
                return "cancel", self._describe(job, request) | {"processing_status": "canceling"}
            case "GET", [batch_id, "results"]:
                return "results", self._results(self.jobs[int(batch_id.removeprefix("msgbatch_"))])
        raise AssertionError(f"{request.method} {request.path}")

    def error(self, status: int) -> Json:
        kind = error_kind(status)
        return {"type": "error", "error": {"type": kind, "message": f"fault {status}"}}

    def _create(self, body: Json) -> Json:
        rows = []
        for row in body["requests"]:
            assert set(row) == {"custom_id", "params"}
            assert "stream" not in row["params"]
            assert row["params"]["max_tokens"] > 0
            prompt = last_user_text(row["params"]["messages"])
            rows.append((row["custom_id"], prompt, row["params"]))
        return self._describe(self.add_job("", rows), None)

    def _describe(self, job: Job, request: Request | None) -> Json:
        has_ended = job.polls > self.slow_polls or job.is_cancelled
        counts = dict.fromkeys(("processing", "succeeded", "errored", "canceled", "expired"), 0)
        if has_ended:
            counts |= Counter(self._kind(job, custom_id) for custom_id, _, _ in job.rows)
        else:
            counts["processing"] = len(job.rows)
        name = f"msgbatch_{job.number}"
        host = self.results_host or (request.headers["host"] if request else "")
        url = f"http://{host}/v1/messages/batches/{name}/results"
        return {
            "id": name, "type": "message_batch", "request_counts": counts,
            "processing_status": "ended" if has_ended else "in_progress",
            "created_at": datetime.fromtimestamp(job.created_at, UTC).isoformat(),
            "results_url": url if has_ended else None, "archived_at": None,
        }  # fmt: skip

    def _kind(self, job: Job, custom_id: str) -> str:
        fault = self.fault(job, custom_id)
        if fault in ("expired", "cancelled"):
            return {"expired": "expired", "cancelled": "canceled"}[str(fault)]
        return "errored" if isinstance(fault, int) else "succeeded"

    def _results(self, job: Job) -> bytes:
        lines = []
        for custom_id, prompt, _ in reversed(job.rows):
            fault = self.fault(job, custom_id)
            if fault == "missing":
                continue
            answer = {"type": "text", "text": f"answer to {prompt}"}
            reason = "max_tokens" if fault == "length" else "end_turn"
            result: Json = {
                "type": "succeeded",
                "message": whole(answer, reason=reason, output_tokens=3),
            }
            if fault in ("expired", "cancelled"):
                result = {"type": self._kind(job, custom_id)}
            elif isinstance(fault, int):
                result = {"type": "errored", "error": self.error(fault)}
            lines.append(compact({"custom_id": custom_id, "result": result}) + b"\n")
        return b"".join(lines)
