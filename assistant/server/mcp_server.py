"""The MCP server: our tools for other programs' agents, over stdio or HTTP.

Over HTTP it lies behind the gate, which has checked the token; each request carries its own, and
no session holds any rights. Over stdio the client is a process of the same user.
"""

import contextlib
import threading
from collections.abc import AsyncIterator, Callable
from importlib.metadata import version
from typing import Any, cast

import mcp_types as types
from mcp.server.lowlevel.server import Server
from mcp.server.stdio import stdio_server
from mcp.server.streamable_http_manager import StreamableHTTPASGIApp, StreamableHTTPSessionManager
from starlette.routing import Route

from assistant.server.access.gate import IDENTITY, MAX_MCP_BYTES
from assistant.server.access.roles import SCOPES, Identity
from assistant.server.mcp_tools import READING_TOOLS, AgentTools
from assistant.server.problems import Problem
from assistant.server.work.lane import ModelLane
from prompts import text
from tools.errors import SetupError, ToolError
from tools.gallery.access_log import OWNER


class McpServer:
    """The protocol around `AgentTools`; tools run one at a time, in the lane of the models."""

    def __init__(self, tools: AgentTools, lane: ModelLane) -> None:
        self._tools, self._lane = tools, lane
        self._listed = [
            types.Tool(name=name, description=told, input_schema=schema)
            for name, told, schema in tools.schemas()
        ]
        self.server: Server[Any] = Server(
            "unmask", version=version("unmask"), instructions=text("agents"),
            on_list_tools=self._list, on_call_tool=self._call,
        )  # fmt: skip
        self.server.middleware.clear()  # telemetry of the library
        # Without sessions: every request brings its token, and ids of cases are checked each time.
        self._manager = StreamableHTTPSessionManager(
            self.server, stateless=True, json_response=True, max_request_body_size=MAX_MCP_BYTES
        )

    def route(self) -> Route:
        """The endpoint `/mcp`, for a server that enters `running`.

        Without sessions there is nothing to get or delete.
        """
        return Route("/mcp", endpoint=StreamableHTTPASGIApp(self._manager), methods=["POST"])

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Serve HTTP while this is entered; once only."""
        async with self._manager.run():
            yield

    async def serve_stdio(self) -> None:
        """Serve one client on stdin and stdout until it leaves."""
        async with stdio_server() as (received, sent):
            await self.server.run(received, sent, self.server.create_initialization_options())

    async def _list(self, context: Any, __: Any) -> types.ListToolsResult:
        works = _sender(context.request).may("investigator")
        shown = [it for it in self._listed if works or it.name in READING_TOOLS]
        return types.ListToolsResult(tools=shown)

    async def _call(
        self, context: Any, params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        try:
            who = _sender(context.request)
            if "search" not in who.scopes:
                raise ToolError("this token lacks the scope 'search'")
            content = await self._lane.run(self._work(params, who))
        except (ToolError, SetupError, Problem) as error:
            said = types.TextContent(type="text", text=str(error))
            return types.CallToolResult(content=[said], is_error=True)
        return types.CallToolResult(content=_blocks(content))

    def _work(
        self, params: types.CallToolRequestParams, who: Identity
    ) -> Callable[[threading.Event], Any]:
        arguments = params.arguments or {}
        return lambda stop: self._tools.call(params.name, arguments, who=who, stop=stop)


def _sender(request: Any) -> Identity:
    """Who sends a request; over stdio the machine's user, with the cases of that name only."""
    if request is None:
        return Identity(OWNER, frozenset(SCOPES))
    return cast(Identity, request.scope[IDENTITY])


def _blocks(content: str | list[Any]) -> list[Any]:
    """A tool's content as MCP blocks: text and pictures."""
    if isinstance(content, str):
        return [types.TextContent(type="text", text=content)]
    blocks: list[Any] = []
    for block in content:
        if block["type"] == "text":
            blocks.append(types.TextContent(type="text", text=block["text"]))
        else:
            picture = {"data": block["base64"], "mime_type": block["mime_type"]}
            blocks.append(types.ImageContent(type="image", **picture))
    return blocks
