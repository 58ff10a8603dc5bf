"""What the result store says of a task, in one look: between two looks it may go on."""

from celery.result import AsyncResult

from harness.waiting import eventually


def document_of(result: AsyncResult) -> dict:
    """Its status and its result, as they are at the moment."""
    return result.backend.get_task_meta(result.id, cache=False)


def started(result: AsyncResult) -> dict:
    """Waits until it runs. @returns where: "hostname" and "pid". (task_track_started)"""

    def running() -> dict | None:
        found = document_of(result)
        return found["result"] if found["status"] == "STARTED" else None

    return eventually(running, what=f"task {result.id} is started")
