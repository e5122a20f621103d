"""The balancer of the Compose file before real nodes: streams come through at once, and a node may leave unnoticed."""

import re
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.acceptance.cluster.conftest import Cluster
from tests.acceptance.processes import Server
from tests.acceptance.scripted import Model, text
from tests.acceptance.waiting import eventually
from tests.acceptance.wire.talk import Api, address
from tests.acceptance.wire.test_attaching import attached

CONFIG = Path(__file__).parents[3] / "deploy" / "nginx.conf"
WORDS = "one two three four five six"

pytestmark = pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed")


@contextmanager
def balanced(folder: Path, nodes: list[Server]) -> Iterator[str]:
    """The API's address at nginx, configured as it is deployed but for the addresses."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    config = CONFIG.read_text().replace("/tmp/", f"{folder}/").replace("listen 8000", f"listen 127.0.0.1:{port}")
    for number, node in enumerate(nodes, start=1):
        host, own = address(node.url)
        config = config.replace(f"node-{number}:8000", f"{host}:{own}")
    assert re.search(r"\bnode-\d", config) is None
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(config.replace("access_log off;", f"access_log off;\n{temporary}"))
    command: list[str | Path] = ["nginx", "-p", folder, "-c", folder / "nginx.conf", "-g", "daemon off;"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as nginx:
        try:
            eventually(lambda: _listens(port))
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            nginx.terminate()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_a_stream_comes_through_piece_by_piece(cluster: Cluster, model: Model, tmp_path: Path):
    nodes = [cluster.node() for _ in range(3)]
    with balanced(tmp_path, nodes) as url:
        drama = cluster.drama(nodes[0], model).at(Api(url))
        model.will(text(WORDS, hold_before=3))
        run = drama.start()["id"]
        with attached(drama.api, drama, run) as stream:
            stream.until("thread.message.delta")
            model.release()
            assert [event.name for event in stream.rest()][-2:] == ["thread.run.completed", "done"]


def test_clients_do_not_notice_that_a_node_leaves(cluster: Cluster, model: Model, tmp_path: Path):
    nodes = [cluster.node() for _ in range(3)]
    with balanced(tmp_path, nodes) as url:
        statuses: list[int] = []
        is_over = threading.Event()

        def ask() -> None:
            while not is_over.is_set():
                statuses.append(Api(url).send("POST", "/threads", {}).status)

        clients = [threading.Thread(target=ask) for _ in range(4)]
        for client in clients:
            client.start()
        try:
            eventually(lambda: len(statuses), lambda count: count > 40)
            nodes[0].process.send_signal(signal.SIGTERM)
            assert nodes[0].process.wait(30) == 0
            seen = len(statuses)
            eventually(lambda: len(statuses), lambda count: count > seen + 40)
        finally:
            is_over.set()
            for client in clients:
                client.join()
    assert set(statuses) == {200}
