"""The page as an app: what a browser reads to install it on a phone's home screen.

Browsers install only pages over https with a certificate that they trust, or of their own machine.
Over plain http a phone can open the page, and keep a shortcut to it.
"""

import json

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from assistant.server.browser.icons import BLUE, icon_png

_MANIFEST = "/manifest.json"  # the path that Gradio's page names, too
_ICONS = {
    "/icon-192.png": (192, False),
    "/icon-512.png": (512, False),
    "/icon-full.png": (512, True),
}

OPEN_PATHS = frozenset({_MANIFEST, *_ICONS})
"""Answered without a login: browsers ask for them without cookies, and they say nothing private."""

HEAD = f"""
<link rel="manifest" href="{_MANIFEST}">
<link rel="icon" type="image/png" href="/icon-192.png">
<link rel="apple-touch-icon" href="/icon-full.png">
<meta name="theme-color" content="{BLUE}">
"""
"""What belongs into the head of each page."""


def web_app_routes() -> list[Route]:
    """The routes of `OPEN_PATHS`."""
    return [Route(path, _answer, methods=["GET"]) for path in sorted(OPEN_PATHS)]


async def _answer(request: Request) -> Response:
    path = request.url.path
    if path == _MANIFEST:
        return Response(json.dumps(_manifest()), media_type="application/manifest+json")
    size, full = _ICONS[path]
    return Response(icon_png(size, full=full), media_type="image/png")


def _manifest() -> dict[str, object]:
    icons = [
        {
            "src": path, "sizes": f"{size}x{size}", "type": "image/png",
            "purpose": "maskable" if full else "any",
        }
        for path, (size, full) in _ICONS.items()
    ]  # fmt: skip
    return {
        "id": "/", "name": "Unmask", "short_name": "Unmask", "start_url": "/", "scope": "/",
        "description": "Find deepfakes that impersonate a person, and check photos.",
        "display": "standalone", "theme_color": BLUE, "background_color": "#ffffff",
        "icons": icons,
    }  # fmt: skip
