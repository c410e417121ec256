"""The page: on its own for `unmask chat`, or beside the API, behind its gate, for `unmask serve`.

Models load once, one session per browser. No sharing, no analytics, no history of calls, no
monitoring, and none of Gradio's API and MCP: its login does not protect MCP. No folder of this
machine is readable through the server.
"""

import webbrowser
from pathlib import Path
from typing import Any

from langchain_core.language_models.chat_models import BaseChatModel

from assistant.agent.agent import Agent
from assistant.agent.requests.loading import StandIn, load_request_reader
from assistant.agent.requests.reader import ReadsRequests
from assistant.chat.session_state import ChatSession
from assistant.chat.sessions import SessionStore
from assistant.console.output import stdout_console
from assistant.profile import LoadedModels
from assistant.report.case_export import attach_exporter
from assistant.server.access.gate import IDENTITY
from assistant.server.browser.web_app import HEAD
from assistant.server.serving import Server, build_server, listen
from assistant.server.work.case_access import CaseAccess
from assistant.server.work.handoffs import Handoffs
from assistant.server.work.index_jobs import GalleryIndexer
from assistant.settings import Settings, set_upload_dir
from tools.errors import SetupError
from tools.media.private_files import private_folder, restrict_permissions, set_private_umask

_OF_LAUNCH = ("server_name", "server_port", "auth", "share", "state_session_capacity")
_STATIC = Path(__file__).parent / "static"
MAX_UPLOAD_SIZE = "64mb"
MAX_OPEN_PAGES = 1000
"""Gradio forgets the page used longest ago when more were opened; loaded again, it is there."""
_FONTS = ("system-ui", "sans-serif")
_FIXED_FONTS = ("ui-monospace", "monospace")


def serve(
    settings: Settings, *, model: BaseChatModel | None = None, open_browser: bool = False
) -> None:
    """Serve the page until interrupted; `model` defaults to the one in the settings.

    Raises SetupError if the address cannot be listened on, or if the page does not answer there.
    """
    if settings.logins:
        _serve_behind_login(settings, model or _model_of(settings), open_browser=open_browser)
        return
    reader = None if model is not None else load_request_reader(settings)
    page, options = build_app(settings, model=model or _model_of(settings), reader=reader)
    try:
        _, address, _ = page.launch(
            **options, inbrowser=open_browser, prevent_thread_lock=True, quiet=True
        )
    except OSError as error:
        raise SetupError(
            f"{settings.host}:{settings.port} cannot be listened at ({error}): choose another "
            "port with `unmask chat --port N`"
        ) from error
    except ValueError as error:  # Gradio has asked the page in vain, for 3 s
        page.close()
        raise SetupError(
            "the page did not answer when it had started: this machine is too busy, or sends "
            "requests to itself through a proxy (set NO_PROXY=127.0.0.1); start it again"
        ) from error
    stdout_console().print(f"The chat is at {address} until Ctrl-C.")
    page.block_thread()


def _serve_behind_login(settings: Settings, model: BaseChatModel, *, open_browser: bool) -> None:
    """Serve the page behind the gate of `unmask serve`, which slows down guessing."""
    server = build_server(settings, api=False, mcp=False)
    mount_page(server, model=model)

    def started(address: str) -> None:
        stdout_console().print(f"The chat is at {address} until Ctrl-C.")
        if open_browser:
            webbrowser.open(address)

    listen(server, on_start=started)


def mount_page(server: Server, *, model: BaseChatModel | None = None) -> None:
    """Add the page to a server, whose gate has checked who sends a request."""
    import gradio as gr

    settings, parts = server.parts.settings, server.parts
    reader = None if model is not None else load_request_reader(settings)
    page, options = build_app(
        settings, model=model or _model_of(settings), reader=reader, parts=parts.models,
        galleries=parts.indexer, handoffs=parts.handoffs, access=parts.cases,
    )  # fmt: skip
    parts.handoffs.has_page = True
    ours = {name: options[name] for name in options if name not in _OF_LAUNCH}
    ours["head"] += HEAD
    gr.mount_gradio_app(
        server.app, page, "", auth_dependency=lambda request: request.scope[IDENTITY].name, **ours
    )


def build_app(
    settings: Settings,
    *,
    model: BaseChatModel,
    reader: ReadsRequests | None = None,
    parts: LoadedModels | None = None,
    galleries: GalleryIndexer | None = None,
    handoffs: Handoffs | None = None,
    access: CaseAccess | None = None,
) -> tuple[Any, dict[str, Any]]:
    """The app, and the options to launch it with; the parts may be those of a server.

    `access` belongs to a server whose gate has checked who sends a request.
    """
    uploads = settings.home / "uploads"
    private_folder(uploads)
    for folder in (uploads, settings.home / "dropped", settings.home / "sessions"):
        restrict_permissions(folder)  # files that remain from before
    set_private_umask()  # Gradio's copies of uploads too
    set_upload_dir(uploads)

    from assistant.chat.events.handlers import EventHandlers
    from assistant.chat.page import build_page
    from assistant.chat.users.cases import CaseShelf
    from assistant.chat.users.permissions import PageUsers

    parts = parts or LoadedModels(settings)
    galleries = galleries or GalleryIndexer(settings, parts)
    understanding: dict[str, Any] = {
        "reader": reader,
        "stand_in": StandIn(settings),
        "turn": galleries.turn,
    }
    sessions = SessionStore(
        home := settings.home,
        begin=lambda gallery: _session(
            Agent.begin(model, parts, home=home, gallery=gallery, **understanding)
        ),
        resume=lambda case, user: _session(
            Agent.resume(model, parts, case, home=home, user=user, **understanding)
        ),
    )
    users = PageUsers(settings, access)
    cases = CaseShelf(settings, sessions, users)
    handlers = EventHandlers(sessions, galleries, users, cases, handoffs)
    page = build_page(handlers, folders=galleries.allowed_folders())
    _let_go_of_closed(page)
    page.queue(api_open=False, default_concurrency_limit=4)
    return page, launch_options(settings)


def _let_go_of_closed(page: Any) -> None:
    """Hold nothing that a closed page showed.

    Gradio would keep what every opened page showed last, about 8 MB, until 10,000 others came.
    """
    import gradio as gr

    page.state_session_capacity = MAX_OPEN_PAGES  # for a mounted page, which is not launched

    def closed(request: gr.Request) -> None:
        state = page.state_holder.session_data.get(request.session_hash)
        if state is not None:
            state.config_values.clear()  # made again, one by one, if the page comes back

    with page:
        page.unload(closed)


def _session(agent: Agent) -> ChatSession:
    """A session whose reports are written into its case's folder."""
    attach_exporter(agent.workspace, agent.case)
    return ChatSession(agent)


def launch_options(settings: Settings) -> dict[str, Any]:
    """Options that explicitly close every entry that Gradio would open."""
    import gradio as gr

    return {
        "server_name": settings.host,
        "server_port": settings.port or None,
        "state_session_capacity": MAX_OPEN_PAGES,
        "auth": list(settings.logins) or None,
        "share": False,
        "run_history": False,
        "enable_monitoring": False,
        "mcp_server": False,
        "pwa": False,
        "ssr_mode": False,
        "show_error": False,
        "footer_links": [],
        "max_file_size": MAX_UPLOAD_SIZE,
        "allowed_paths": [],
        "blocked_paths": [str(settings.home / part) for part in ("cases", "sessions", "galleries")],
        # Not through `css`, which rewrites selectors and drops those it does not know.
        "head": f"<style>{(_STATIC / 'style.css').read_text('utf-8')}</style>",
        "js": (_STATIC / "page.js").read_text("utf-8"),
        "theme": gr.themes.Base(
            primary_hue="blue", neutral_hue="slate", radius_size="sm", text_size="md",
            font=list(_FONTS), font_mono=list(_FIXED_FONTS),
        ).set(  # enough contrast to be readable for everyone
            body_text_color_subdued="#56616f", body_text_color_subdued_dark="#a7b1c0",
            block_info_text_color="#56616f", block_info_text_color_dark="#a7b1c0",
            input_placeholder_color="#56616f", input_placeholder_color_dark="#a7b1c0",
        ),
    }  # fmt: skip


def _model_of(settings: Settings) -> BaseChatModel:
    from assistant.chat_model.choice import load_chat_model

    return load_chat_model(settings)
