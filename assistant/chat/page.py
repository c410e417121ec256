"""Gradio layout of the chat page: conversation and findings side by side, galleries above.

Only layout and wiring; the behaviour is in `events`. No component receives a gallery's file:
pictures are small and embedded, so no part of a case can be fetched by its address.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple

import gradio as gr

from assistant.chat.button_actions import EXAMPLE_TURNS
from assistant.chat.events.handlers import CASES_TAB, EventHandlers
from assistant.chat.events.photo_checks import CHECK_TAB, COMPARE_TAB, PhotoChecks
from assistant.chat.hits import placeholder_html
from assistant.chat.users.permissions import PageUsers
from assistant.report.templating import render_template

IMAGE_TYPES = ["image", ".heic", ".heif", ".avif"]
# By name as well: each system has its own list of endings that count as "video".
VIDEO_TYPES = [
    "video", ".mp4", ".m4v", ".mov", ".webm", ".mkv", ".avi", ".flv", ".wmv", ".asf", ".ts", ".mts",
    ".m2ts", ".mpg", ".mpeg", ".vob", ".ogv", ".mxf", ".3gp", ".3g2",
]  # fmt: skip
CACHE_FOR_S = 900
"""Seconds after which uploads that were never sent are deleted."""

STORAGE_KEY = "unmask-case"
# Gradio sends this to every page, so it does not hide the token. Only the token itself is secret.
_STORAGE_WORD = "unmask"

# Clicks inside the findings become events; focus survives when the server redraws them.
_FINDINGS_JS = (Path(__file__).parent / "static" / "findings.js").read_text("utf-8")

_CHECKS_JS = (Path(__file__).parent / "static" / "checks.js").read_text("utf-8")

_CASES_JS = (Path(__file__).parent / "static" / "cases.js").read_text("utf-8")

# A used link is no use in the history.
_TAKE_MARK_JS = """() => {
  const mark = location.hash;
  if (mark) history.replaceState(null, "", location.pathname);
  return mark;
}"""

_APART = (
    "Nothing of this is kept: the photos are deleted once they were looked at. It belongs to no "
    "case: your conversation and findings wait under “Search a collection”."
)
_PROMISE = "Nothing leaves this machine. Scores are fallible: a person must check every hit."


_WATCHING: dict[str, Any] = {"concurrency_id": "watching", "concurrency_limit": 32}
"""Events that only look at work which goes on without them."""


class ConversationPane(NamedTuple):
    """The components of the conversation."""

    chat: gr.Chatbot
    composer: gr.MultimodalTextbox


class FindingsPane(NamedTuple):
    """The components of the findings."""

    findings: gr.HTML
    detail: gr.HTML


class Toolbar(NamedTuple):
    """The toolbar above: the choice of gallery, and ways to begin."""

    gallery: gr.Dropdown
    demo: gr.Button
    new_case: gr.Button


class UploadPanel(NamedTuple):
    """Adding images to the gallery."""

    files: gr.File
    add_files: gr.Button
    folder: gr.Dropdown
    add_folder: gr.Button
    stop: gr.Button
    progress: gr.HTML


class CheckPanel(NamedTuple):
    """Two boxes for files, the choice of a face, a button that looks at them, one that clears."""

    first: gr.File
    second: gr.File
    face: gr.Textbox
    look: gr.Button
    clear: gr.Button


class ShelfPanel(NamedTuple):
    """The list of cases: words to search for, archived ones too, and the list."""

    tab: gr.Tab
    text: gr.Textbox
    archived: gr.Checkbox
    cases: gr.HTML


def build_page(handlers: EventHandlers, *, folders: list[str]) -> gr.Blocks:
    """Build the page; `folders` are the server's folders that may be indexed from it."""
    page = gr.Blocks(
        title="Unmask", analytics_enabled=False, fill_width=True,
        delete_cache=(CACHE_FOR_S, CACHE_FOR_S),
    )  # fmt: skip
    with page:
        token = gr.State("")
        browser = gr.BrowserState("", storage_key=STORAGE_KEY, secret=_STORAGE_WORD)
        account = gr.HTML("", apply_default_css=False, elem_id="unmask-account")
        bar = _bar()
        tabs, panel, check, compare, shelf = _tasks(folders)
        with gr.Row(elem_id="unmask-main", equal_height=False):
            pane, (shown, checked, compared) = _talk(), _shown()
        _wire_session(page, handlers, token, browser, bar, pane, shown, shelf)
        _wire_talk(handlers, token, bar, pane, shown)
        _wire_galleries(page, handlers, token, browser, bar, panel, shown, pane)
        checks = handlers.checks
        _wire_checks(check, checked, checks.check, checks.check_face)
        _wire_checks(compare, compared, checks.compare, checks.compare_face)
        _wire_handoff(page, handlers.checks, tabs, check, checked)
        _on(page.load, handlers.account, [], [account, tabs, shelf.cases])
        _wire_cases(handlers, shelf, token, [token, browser, bar.gallery, pane.chat, *shown,
                                             pane.composer])  # fmt: skip
    return page


def _bar() -> Toolbar:
    with gr.Row(elem_id="unmask-bar", equal_height=True):
        gr.HTML(
            render_template("chat_head.html"), elem_id="unmask-head", apply_default_css=False,
            min_width=260, scale=3,
        )  # fmt: skip
        gallery = gr.Dropdown(
            label="Gallery to search", choices=["default"], value="default", scale=2,
            allow_custom_value=True, min_width=200, elem_id="unmask-gallery",
        )  # fmt: skip
        demo = gr.Button("Try the demo", size="sm", min_width=120, scale=0)
        new_case = gr.Button("New case", size="sm", min_width=120, scale=0)
    return Toolbar(gallery, demo, new_case)


def _tasks(folders: list[str]) -> tuple[gr.Tabs, UploadPanel, CheckPanel, CheckPanel, ShelfPanel]:
    """The first choice: a collection to search, photos to check or compare, or earlier cases."""
    # On a phone all tabs are seen, in two rows: a first choice is not hidden in a menu.
    with gr.Tabs(elem_id="unmask-tasks", overflow_behavior="wrap") as tabs:
        with gr.Tab("Search a collection"):
            panel = _panel(folders)
        with gr.Tab("Check a photo", id=CHECK_TAB):
            check = _check_panel(
                "Photos to check", "Authentic photos of the person (optional)", "Check",
                name="unmask-check", count="multiple",
            )  # fmt: skip
        with gr.Tab("Compare two photos", id=COMPARE_TAB):
            compare = _check_panel(
                "First photo", "Second photo", "Compare", name="unmask-compare", count="single"
            )
        with gr.Tab("Cases", id=CASES_TAB) as tab:
            with gr.Row(equal_height=True):
                text = gr.Textbox(
                    "", label="Search the cases",
                    placeholder="a word of the name, question or gallery",
                    max_lines=1, scale=4, elem_id="unmask-cases-text",
                )  # fmt: skip
                archived = gr.Checkbox(
                    label="Archived cases, too", scale=1, min_width=160,
                    elem_id="unmask-cases-archived",
                )  # fmt: skip
            cases = gr.HTML(
                "", apply_default_css=False, elem_id="unmask-cases", js_on_load=_CASES_JS
            )
    return tabs, panel, check, compare, ShelfPanel(tab, text, archived, cases)


def _check_panel(
    first: str, second: str, button: str, *, name: str, count: Literal["single", "multiple"]
) -> CheckPanel:
    with gr.Row(elem_id=name, equal_height=True):
        boxes = [
            gr.File(
                label=label, file_count=count, file_types=IMAGE_TYPES, height=130, min_width=280,
                elem_id=f"{name}-{place}",
            )
            for place, label in (("first", first), ("second", second))
        ]  # fmt: skip
        with gr.Column(scale=0, min_width=200):
            face = gr.Textbox(
                label="Which face (only if a photo shows several)", placeholder="group.jpg=2",
                max_lines=1, elem_id=f"{name}-face",
            )  # fmt: skip
            look = gr.Button(button, size="sm", variant="primary")
            clear = gr.Button("Clear the result", size="sm", elem_id=f"{name}-clear")
    gr.HTML(f'<p class="unmask apart">{_APART}</p>', apply_default_css=False)
    return CheckPanel(boxes[0], boxes[1], face, look, clear)


def _panel(folders: list[str]) -> UploadPanel:
    with (
        gr.Accordion("Add images and videos to this gallery", open=False, elem_id="unmask-panel"),
        gr.Row(),
    ):
        with gr.Column(min_width=280):
            files = gr.File(
                # All endings: with one foreign file, Gradio shows an error in place of all of them,
                # while indexing names it and adds the others.
                label="Drop pictures and videos here", file_count="multiple", height=130,
            )  # fmt: skip
            add_files = gr.Button("Add these files", size="sm")
        with gr.Column(min_width=280):
            folder = gr.Dropdown(
                label="A folder on the server", choices=folders, interactive=bool(folders),
                info="Only folders that the operator lists in UNMASK_FOLDERS can be added.",
            )  # fmt: skip
            add_folder = gr.Button("Add this folder", size="sm", interactive=bool(folders))
        with gr.Column(min_width=280):
            progress = gr.HTML("", apply_default_css=False, elem_id="unmask-progress")
            stop = gr.Button("Stop adding", size="sm", elem_id="unmask-stop")
    return UploadPanel(files, add_files, folder, add_folder, stop, progress)


def _talk() -> ConversationPane:
    with gr.Column(scale=5, min_width=320, elem_id="unmask-talk"):
        chat = gr.Chatbot(
            label="Conversation", show_label=False, elem_id="unmask-chat", layout="panel",
            height=None, buttons=[], allow_tags=False, sanitize_html=True, latex_delimiters=[],
            feedback_options=None, allow_file_downloads=False, autoscroll=True,
            placeholder=_PROMISE, examples=[{"text": text} for text in EXAMPLE_TURNS],
        )  # fmt: skip
        box = gr.MultimodalTextbox(
            label="Your message", show_label=False, file_types=IMAGE_TYPES + VIDEO_TYPES,
            file_count="multiple", sources=["upload"], max_lines=6, elem_id="unmask-composer",
            placeholder="Drop a photo, ask for fakes", stop_btn=False,
            interactive=False,  # until the page has identified its case
        )  # fmt: skip
    return ConversationPane(chat, box)


def _shown() -> tuple[FindingsPane, gr.HTML, gr.HTML]:
    """The findings, a check and a comparison; the style sheet shows the one of the open tab.

    Beside a check there is neither the conversation nor the findings: they belong to a case, which
    knows nothing of the check.
    """
    with gr.Column(scale=9, min_width=320, elem_id="unmask-findings"):
        with gr.Row(equal_height=False, elem_id="unmask-found"):
            with gr.Column(scale=5, min_width=320):
                findings = _live_html(placeholder_html(), "unmask-list")
            with gr.Column(scale=7, min_width=340):
                detail = _live_html("", "unmask-one")
        checked, compared = (
            gr.HTML("", elem_id=name, apply_default_css=False, js_on_load=_CHECKS_JS)
            for name in ("unmask-checked", "unmask-compared")
        )
    return FindingsPane(findings, detail), checked, compared


def _live_html(value: str, name: str) -> gr.HTML:
    return gr.HTML(value, elem_id=name, apply_default_css=False, js_on_load=_FINDINGS_JS)


def _wire_session(
    page: gr.Blocks,
    handlers: EventHandlers,
    token: gr.State,
    browser: gr.BrowserState,
    bar: Toolbar,
    pane: ConversationPane,
    shown: FindingsPane,
    shelf: ShelfPanel,
) -> None:
    whole = [pane.chat, *shown, pane.composer]
    _on(page.load, handlers.load, [browser], [token, browser, bar.gallery, *whole], **_WATCHING)
    _on(bar.new_case.click, handlers.new_case, [token, shelf.text, shelf.archived],
        [token, browser, *whole, shelf.cases])  # fmt: skip


def _wire_talk(
    handlers: EventHandlers,
    token: gr.State,
    bar: Toolbar,
    pane: ConversationPane,
    shown: FindingsPane,
) -> None:
    view = [pane.chat, *shown, pane.composer]
    here = [token, bar.gallery]
    _on(pane.composer.submit, handlers.ask, [*here, pane.composer], view)
    _on(pane.composer.stop, handlers.stop, [token], None, queue=False)
    _on(pane.chat.retry, handlers.ask_again, here, view)
    _on(pane.chat.example_select, handlers.run_example, here, view)
    _on(pane.chat.option_select, handlers.choose_option, here, view)
    for html in shown:
        _on(html.ask, handlers.ask_from_page, here, view)
        _on(html.press, handlers.press, [token], view)
        _on(html.choose, handlers.choose, [token], [shown.detail])
        _on(html.locate, handlers.locate, [token], [shown.detail], show_progress="minimal")
        _on(html.explain, handlers.explain, [token], view)


def _wire_galleries(
    page: gr.Blocks,
    handlers: EventHandlers,
    token: gr.State,
    browser: gr.BrowserState,
    bar: Toolbar,
    panel: UploadPanel,
    shown: FindingsPane,
    pane: ConversationPane,
) -> None:
    here = [token, bar.gallery]
    progress = [panel.progress, bar.gallery, panel.files]
    adding = {"concurrency_id": "adding", "concurrency_limit": 8}
    _on(page.load, handlers.current_job, [browser], [panel.progress], **_WATCHING)
    _on(bar.gallery.input, handlers.switch, here, [*shown])
    _on(panel.add_files.click, handlers.add_files, [*here, panel.files], progress, **adding)
    _on(panel.add_folder.click, handlers.add_folder, [*here, panel.folder], progress, **adding)
    _on(panel.stop.click, handlers.stop_adding, [bar.gallery], None, queue=False)
    view = [bar.gallery, pane.chat, *shown, pane.composer]
    _on(bar.demo.click, handlers.demo, [token], view, **adding)


def _wire_checks(
    panel: CheckPanel, result: gr.HTML, look: Callable[..., Any], pick: Callable[..., Any]
) -> None:
    given = [panel.first, panel.second, panel.face]
    for event, handler in ((panel.look.click, look), (result.pick, pick)):
        _on(event, handler, given, [result, *given],
            concurrency_id="checking", concurrency_limit=2)  # fmt: skip
    panel.clear.click(None, None, [result], js='() => ""', api_visibility="private")


def _wire_handoff(
    page: gr.Blocks, checks: PhotoChecks, tabs: gr.Tabs, check: CheckPanel, result: gr.HTML
) -> None:
    mark = gr.Textbox(visible=False)
    given = [check.first, check.second, check.face]
    _on(page.load, checks.check_handed, [mark], [tabs, result, *given], js=_TAKE_MARK_JS,
        concurrency_id="checking")  # fmt: skip


def _wire_cases(
    handlers: EventHandlers, shelf: ShelfPanel, token: gr.State, whole: list[Any]
) -> None:
    if handlers.cases is None:
        return
    wanted = [shelf.text, shelf.archived]
    for event in (shelf.tab.select, shelf.text.change, shelf.archived.change):
        _on(event, handlers.cases.html, [*wanted, token], [shelf.cases])
    _on(shelf.cases.act, handlers.cases.act, [*wanted, token], [shelf.cases])
    _on(shelf.cases.enter, handlers.open_case, [token, *wanted], [*whole, shelf.cases])


def _on(
    event: Callable[..., Any], handler: Callable[..., Any], inputs: list[Any],
    outputs: list[Any] | None, **options: Any,
) -> None:  # fmt: skip
    """Connect an event without exposing it as an API, and only for users who may do it."""
    settings = {"api_visibility": "private", "show_progress": "hidden"} | options
    owner: Any = getattr(handler, "__self__")  # noqa: B009 - a bound method, unknown to its type
    users: PageUsers = owner.users
    event(users.guarded(handler, outputs=len(outputs or ())), inputs, outputs, **settings)
