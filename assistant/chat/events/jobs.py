"""Progress of an indexing job on the page: share done, time left and result."""

from html import escape
from pathlib import Path

from assistant.chat.citations import escape_html
from assistant.chat.messages import Message
from assistant.console.output import format_frame_counts, pluralize
from assistant.console.progress import format_progress
from assistant.server.work.index_jobs import IndexingJob
from tools.gallery.indexing.progress import IndexSummary
from tools.media.file_names import printable

_NAMED_SKIPS = 5


def job_progress_html(job: IndexingJob | None, problem: str = "") -> str:
    """A progress bar while the job runs, its result afterwards; empty for no job."""
    text = problem or (job.problem if job else "")
    if text:
        return f'<div class="unmask job problem" role="alert">{escape_html(text)}</div>'
    if job is None:
        return ""
    if job.summary is not None:
        said = _summary(job.gallery, job.summary, stopped=job.stopped)
        return f'<div class="unmask job" role="status">{said}</div>'
    return f'<div class="unmask job" role="status">{_bar(job)}{escape(_state(job))}</div>'


def job_message(job: IndexingJob) -> Message:
    """The same as a chat message, for a user who waits for the demo."""
    text = f"Making the demo: {_state(job)}"
    return {"role": "assistant", "content": f'<div class="answer draft">{escape(text)}</div>'}


def _bar(job: IndexingJob) -> str:
    if job.progress is None or not job.progress.files_total:
        return '<progress aria-label="Adding images"></progress>'
    done, total = job.progress.files_done, job.progress.files_total
    return f'<progress aria-label="Adding images" max="{total}" value="{done}"></progress>'


def _state(job: IndexingJob) -> str:
    if job.stopped:
        return "stopping after this batch; added images stay"
    if job.is_queued:
        return "waiting for the files that were dropped before"
    return format_progress(job.progress) if job.progress else "getting ready"


def _skipped(summary: IndexSummary) -> str:
    """The first files that were skipped, each with its reason, and how many more there are."""
    named = [
        f"{escape_html(printable(Path(path.name)))} ({escape(why)})"
        for path, why in summary.skipped_files[:_NAMED_SKIPS]
    ]
    more = sum(summary.skipped.values()) - len(named)
    return ", ".join([*named, *([f"{more:,} more"] if more else [])])


def _summary(gallery: str, summary: IndexSummary, *, stopped: bool) -> str:
    begun = "Stopped. " if stopped else ""
    lines = [
        f"{begun}Gallery “{escape(gallery)}”: {pluralize(summary.images_added, 'image')} added "
        f"with {pluralize(summary.faces_found, 'face')}, {summary.already_known:,} already known, "
        f"{pluralize(summary.duplicates, 'duplicate')}."
    ]
    if summary.videos_added:
        lines.append(f"{format_frame_counts(summary)}.")
    if summary.skipped:
        lines.append(f"Skipped: {_skipped(summary)}.")
    lines += [escape(notice) for notice in summary.notices]
    return "<br>".join(lines)
