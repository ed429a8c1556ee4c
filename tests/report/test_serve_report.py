import http.client
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from hoifield.errors import ConfigurationError, MissingInput, RefusedInput
from hoifield.report.html_report import render_report
from hoifield.report.report_content import ReportContent
from hoifield.report.serve_report import ReportServer
from hoifield.result.fit_result import FitResult
from hoifield.result.result_folder import write_result


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, result: FitResult) -> Path:
    """A run folder with a result and a report."""
    folder = tmp_path_factory.mktemp("served") / "run"
    write_result(folder / "result", result)
    (folder / "report").mkdir()
    (folder / "report" / "report.html").write_text(render_report(ReportContent(result.summary, result)), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def server(served: Path) -> Iterator[ReportServer]:
    server = ReportServer(served)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.close()
    thread.join(5)


def ask(server: ReportServer, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.gate.port, timeout=5)
    try:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


def cookie_of(server: ReportServer) -> str:
    status, headers, _ = ask(server, f"/open/{server.gate.token}")
    assert status == 303 and headers["Location"] == "/"
    assert "HttpOnly" in headers["Set-Cookie"] and "SameSite=Strict" in headers["Set-Cookie"]
    return headers["Set-Cookie"].split(";")[0]


def test_it_listens_on_this_machine_only(server: ReportServer) -> None:
    assert server._server.server_address[0] == "127.0.0.1" and server.gate.url.startswith("http://127.0.0.1:")


def test_the_token_opens_the_page(server: ReportServer, served: Path) -> None:
    status, headers, content = ask(server, "/", Cookie=cookie_of(server))
    assert status == 200 and content == (served / "report" / "report.html").read_bytes()
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy
    assert (headers["X-Content-Type-Options"], headers["Referrer-Policy"], headers["Cache-Control"]) == (
        "nosniff",
        "no-referrer",
        "no-store",
    )


@pytest.mark.parametrize("path", ["/", "/file/0", "/open/", "/open/wrong", "/report.html"])
def test_without_the_token_everything_is_refused(server: ReportServer, path: str) -> None:
    assert ask(server, path)[0] == 403
    assert ask(server, path, Cookie=f"hoifield_{server.gate.port}=wrong")[0] == 403


@pytest.mark.parametrize(
    "headers", [{"Host": "evil.example"}, {"Host": "127.0.0.1"}, {"Origin": "http://evil.example"}, {"Origin": "null"}]
)
def test_foreign_hosts_and_origins_are_refused(server: ReportServer, headers: dict[str, str]) -> None:
    assert ask(server, "/", Cookie=cookie_of(server), **headers)[0] == 403
    assert ask(server, f"/open/{server.gate.token}", **headers)[0] == 403


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "HEAD"])
def test_only_get_is_answered(server: ReportServer, method: str) -> None:
    assert ask(server, "/", method, Cookie=cookie_of(server))[0] == 405


@pytest.mark.parametrize(
    "path", ["/../result/result.json", "/file/../../run.json", "/file/99", "/%2e%2e/", "//etc/passwd", "/file/0/", "/?x"]
)
def test_paths_are_names_not_places(server: ReportServer, path: str) -> None:
    assert ask(server, path, Cookie=cookie_of(server))[0] == 404


def test_files_of_the_result_are_there_by_number(server: ReportServer, served: Path) -> None:
    cookie = cookie_of(server)
    answers = [ask(server, f"/file/{number}", Cookie=cookie)[2] for number in range(3)]
    assert answers == [(served / "result" / name).read_bytes() for name in ("object.ply", "poses.npz", "result.json")]


def test_a_port_that_is_taken_is_said(server: ReportServer, served: Path) -> None:
    with pytest.raises(ConfigurationError) as refused:
        ReportServer(served, server.gate.port)
    assert refused.value.code == "HF-REP-004" and str(server.gate.port) in refused.value.cause


def test_the_cookie_of_another_server_does_not_open_this_one(server: ReportServer, served: Path) -> None:
    other = ReportServer(served)
    assert cookie_of(server) != f"hoifield_{other.gate.port}={other.gate.token}"
    assert ask(server, "/", Cookie=f"hoifield_{other.gate.port}={other.gate.token}")[0] == 403
    assert ask(server, "/", Cookie=f"hoifield_{other.gate.port}={server.gate.token}")[0] == 403
    other._server.server_close()


def test_a_missing_report_and_a_strange_page_are_told_apart(run_folder: Path) -> None:
    with pytest.raises(MissingInput):
        ReportServer(run_folder)
    (run_folder / "report").mkdir()
    (run_folder / "report" / "report.html").write_text("<html><script>alert(1)</script></html>")
    with pytest.raises(RefusedInput):
        ReportServer(run_folder)
