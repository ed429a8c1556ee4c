"""A server on 127.0.0.1 that speaks as much of wandb's GraphQL as saving and reading a view takes, and notes what it is asked. Not wandb's own."""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

Behaviour = Literal["takes", "refuses the key", "refuses the view", "breaks", "is silent", "answers nonsense", "names no view"]
KEY = "0" * 40


@dataclass
class WandbStandIn:
    """What the server does, and what it was asked."""

    behaviour: Behaviour = "takes"
    entity: str | None = "someone"
    """Default entity of whoever has the key."""
    projects: tuple[str, ...] = ("someone/hoifield",)
    asked: list[dict[str, Any]] = field(default_factory=list)
    """Bodies of the requests: query and variables."""
    paths: set[str] = field(default_factory=set)
    """Method and path of every request."""
    keys: set[str] = field(default_factory=set)
    """Credentials that came with them."""
    views: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Saved views by name, as they were sent."""
    released: threading.Event = field(default_factory=threading.Event)
    """Set when the silent server may end."""

    def saves(self) -> list[dict[str, Any]]:
        """Variables of each mutation."""
        return [body["variables"] for body in self.asked if "mutation" in body["query"]]

    def answer(self, body: dict[str, Any]) -> tuple[int, Any]:
        """Status and content."""
        query, variables = body["query"], body.get("variables") or {}
        match self.behaviour:
            case "refuses the key":
                return 401, {"errors": [{"message": "user is not logged in"}]}
            case "breaks":
                return 500, {"errors": [{"message": "out of order"}]}
            case "answers nonsense":
                return 200, {"data": {"viewer": 7}}
        if "upsertView" in query:
            return 200, self._save(variables)
        if "allViews" in query:
            return 200, self._find(variables)
        return 200, {"data": {"viewer": {"id": "VXNlcjox", "entity": self.entity, "username": "someone", "teams": {"edges": []}}}}

    def _save(self, variables: dict[str, Any]) -> Any:
        if self.behaviour == "refuses the view":
            return {"data": {"upsertView": None}, "errors": [{"message": "permission denied"}]}
        if self.behaviour == "names no view":
            return {"data": {"upsertView": None}}
        kept = {"id": variables.get("id") or f"view-{len(self.views)}", "displayName": variables["displayName"], "spec": variables["spec"]}
        self.views[variables["name"]] = kept
        return {"data": {"upsertView": {"view": {"id": kept["id"], "name": variables["name"]}, "inserted": "id" not in variables}}}

    def _find(self, variables: dict[str, Any]) -> Any:
        """For hoifield's own query, and for the one of wandb_workspaces."""
        project = variables.get("project") or variables["projectName"]
        if f"{variables.get('entity') or variables['entityName']}/{project}" not in self.projects:
            return {"data": {"project": None}}
        found = self.views.get(variables.get("view") or variables["viewName"])
        return {"data": {"project": {"allViews": {"edges": [{"node": found}] if found else []}}}}


@contextmanager
def serve(stand_in: WandbStandIn) -> Iterator[str]:
    """Address of the running server."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            stand_in.paths.add(f"POST {self.path}")
            stand_in.keys.add(base64.b64decode(self.headers["Authorization"].removeprefix("Basic ")).decode())
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            stand_in.asked.append(body)
            if stand_in.behaviour == "is silent":
                stand_in.released.wait(60.0)
                return
            status, content = stand_in.answer(body)
            written = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(written)))
            self.end_headers()
            self.wfile.write(written)

        def do_GET(self) -> None:
            stand_in.paths.add(f"GET {self.path}")
            self.send_error(404)

        def log_message(self, format: str, *arguments: object) -> None:
            """Nothing: what was asked is noted."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        stand_in.released.set()
        server.shutdown()
        server.server_close()
