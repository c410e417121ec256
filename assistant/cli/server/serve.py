"""`unmask serve`, `mcp` and `extension`: doors for other programs."""

import re
import socket
from pathlib import Path
from typing import Annotated

import typer

from assistant.cli.options import HostOption, PortOption, changed_settings
from assistant.cli.server.tokens import token_store
from assistant.console.output import escape_terminal, print_remarks, stdout_console
from tools.errors import SetupError

FolderOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--folder", metavar="DIR", help="A folder whose files clients may index or use as photos."
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command(short_help="Serve the REST API, the page and MCP.")(serve)
    app.command(short_help="Serve the tools to an agent on stdin and stdout (MCP).")(mcp)
    app.command(short_help="Write the browser extension into a folder.")(extension)


def serve(
    context: typer.Context,
    host: HostOption = None,
    port: PortOption = None,
    name: Annotated[
        list[str] | None,
        typer.Option(metavar="HOST", help="A further host name that the server answers to."),
    ] = None,
    folders: FolderOption = None,
    page: Annotated[bool, typer.Option("--page/--no-page", help="Also serve the page.")] = True,
    mcp: Annotated[bool, typer.Option("--mcp/--no-mcp", help="Also serve MCP at /mcp.")] = True,
    open_page: Annotated[
        bool, typer.Option("--open/--no-open", help="Open the page in a browser.")
    ] = False,
    certificate: Annotated[
        Path | None, typer.Option(metavar="PEM", help="Certificate chain, for https.")
    ] = None,
    key: Annotated[
        Path | None, typer.Option(metavar="PEM", help="The certificate's private key.")
    ] = None,
    vlm: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help="Chat model of the page: a folder, an id, or the URL of a server.",
        ),
    ] = None,
) -> None:
    """Serve Unmask to other programs: a REST API, the page, and MCP for other agents.

    \b
    unmask serve --open
    unmask serve --no-page --folder ~/collection
    unmask tokens create lab --scope search --scope check
    unmask accounts add ada --role investigator     # for people: viewer, investigator, admin
    unmask serve --host 0.0.0.0 --name lab.example.org --certificate chain.pem --key key.pem

    Every request needs a token, also on this machine, where any web page could reach the server.
    While it runs, a token with all scopes lies in an owner-only file, whose place is printed; for
    other users and machines, create tokens with `unmask tokens create`. The page asks for a token,
    or for a name and password: of an account (`unmask accounts add`), whose role says what it may
    do, or of UNMASK_AUTH. On one's own machine no account is needed.

    The models run one request at a time; further requests wait. A client that closes its connection
    stops its work. Indexing jobs are recorded: after a restart they say that they were interrupted.
    The API is described at /openapi.json.
    """
    from assistant.server.access.hosts import is_loopback
    from assistant.server.access.run_token import run_token, run_token_file
    from assistant.server.serving import build_server, listen

    if (certificate is None) is not (key is None):
        raise typer.BadParameter("give --certificate and --key together", param_hint="--key")
    settings = changed_settings(context, host=host, port=port, folders=folders, vlm=vlm)
    with run_token(settings.config_dir) as secret:
        server = build_server(settings, run_secret=secret, names=name or (), mcp=mcp)
        if page:
            from assistant.chat.serving import mount_page

            mount_page(server)

        def started(address: str) -> None:
            console = stdout_console()
            link = f"{address}/login#{server.access.logins.link()}"
            console.print(f"API:    {address}/api/v1  (described at {address}/openapi.json)")
            if mcp:
                console.print(f"MCP:    {address}/mcp")
            if page:
                console.print(f"Page:   {address}/")
                if settings.host in ("0.0.0.0", "::"):  # noqa: S104 - every address of the machine
                    console.print(f"        {_in_network(address)}/  (from a phone)")
                console.print(f"        {link}  (logs you in; once, within 10 min)", soft_wrap=True)
            file = escape_terminal(run_token_file(settings.config_dir))
            console.print(f"Token:  in {file}, while the server runs", soft_wrap=True)
            console.print("Ctrl-C ends it.")
            if certificate is None and not is_loopback(settings.host):
                print_remarks(
                    [
                        "the connection is not encrypted: use --certificate, or a proxy that is",
                        "over http a phone can open the page, but not install it as an app",
                    ]
                )
            if open_page and page:
                typer.launch(link)

        listen(
            server,
            certificate=None if certificate is None or key is None else (certificate, key),
            on_start=started,
        )


def mcp(context: typer.Context, folders: FolderOption = None) -> None:
    """Serve the tools to one agent on stdin and stdout, by the Model Context Protocol.

    \b
    unmask mcp --folder ~/photos

    The agent's program starts this command; the README shows its configuration. The agent names
    files only by handles that list_files gives it, of files in the folders given here.
    """
    import anyio

    from assistant.server.api.services import Services
    from assistant.server.mcp_server import McpServer
    from assistant.server.mcp_tools import AgentTools

    settings = changed_settings(context, folders=folders)
    parts = Services.of(settings)
    tools = AgentTools(parts.investigations, settings.home, settings.folders)
    try:
        anyio.run(McpServer(tools, parts.lane).serve_stdio)
    finally:
        parts.ledger.close()


def extension(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new folder, which stays.")],
    name: Annotated[
        str, typer.Option(metavar="NAME", help="Name of the extension's token.")
    ] = "browser",
    new_token: Annotated[
        bool, typer.Option("--new-token", help="Replace the token of that name.")
    ] = False,
) -> None:
    """Write the browser extension, and print how to load it, with a token for it.

    \b
    unmask extension ~/unmask-extension

    It adds "Check with Unmask" to the menu of a picture, and shows the answer beside the page. The
    picture goes to `unmask serve` on this machine. The extension can read a page only when one of
    its pictures is pressed, and its token can only check pictures. Run the command again after an
    update of Unmask; the token stays.
    """
    from assistant.server.browser.extension import write_extension

    store = token_store(context)
    write_extension(folder)
    known = {it.name: it for it in store.records()}.get(name)
    if known is not None and (new_token or known.expired):
        store.revoke(name)
        known = None
    if known is not None and "check" not in known.scopes:
        raise SetupError(f"the token {name!r} cannot check pictures: choose another with --name")
    place = escape_terminal(folder.resolve())
    secret = f"The token {name!r} from before stays valid; --new-token replaces it."
    if known is None:
        secret = store.create(name, ["check"])
    console = stdout_console()
    for line in (
        f"The extension lies in {place}",
        "1. Load it. Chromium, Chrome, Edge: open chrome://extensions, switch on developer mode,",
        '   press "Load unpacked", choose that folder. Firefox: open about:debugging, "This',
        '   Firefox", "Load Temporary Add-on", choose its manifest.json (until Firefox ends).',
        "2. Its options open. Enter this token, which is shown once:",
        secret,
        '3. Start `unmask serve`, right-click a picture, choose "Check with Unmask".',
    ):
        console.print(line, soft_wrap=True)


def _in_network(address: str) -> str:
    """A server's address with this machine's own in place of "all addresses"."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing; only chooses the way out
            own = probe.getsockname()[0]
        except OSError:
            own = socket.gethostname()
    return re.sub(r"//[^/]*:", f"//{own}:", address)
