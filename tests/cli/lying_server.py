"""A tracking server that lies. It answers as an MLflow server would, for version 1 of the model iris with two files,
but for the one place where a test says otherwise; an answer is bytes, or a function that is given the connection."""

import json
import socketserver
import threading

API = "/api/2.0/mlflow/model-versions/"
FILES = "/api/2.0/mlflow-artifacts/artifacts"
MLMODEL = b"flavors:\n  python_function:\n    loader_module: mlflow.sklearn\n"
# What is asked for, in this order.
PLACES = {"version": API + "get?", "address": API + "get-download-uri?", "listing": FILES + "?", "file": FILES + "/"}


def answer(body, status=200, kind="application/json", length=None, *headers):
    """length: what Content-Length claims."""
    body = body if isinstance(body, bytes) else body.encode()
    lines = ["HTTP/1.1 %d X" % status, "Content-Type: " + kind,
             "Content-Length: %s" % (len(body) if length is None else length), "Connection: close", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def as_json(value, **how):
    return answer(json.dumps(value), **how)


GOOD = {
    "version": as_json({"model_version": {"name": "iris", "version": "1", "status": "READY", "run_id": "abc"}}),
    "address": as_json({"artifact_uri": "mlflow-artifacts:/1/m"}),
    "listing": as_json({"files": [{"path": "MLmodel", "file_size": len(MLMODEL)}, {"path": "model.pkl"}]}),
    "file": answer(MLMODEL, kind="text/plain"),
}


class Handler(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.settimeout(60)
        try:
            head = b""
            while b"\r\n\r\n" not in head:
                part = self.request.recv(65536)
                if not part:
                    return
                head += part
            target = head.split(b" ")[1].decode()
            place = next((name for name, start in PLACES.items() if target.startswith(start)), None)
            said = self.server.lies.get(place, GOOD.get(place))
            if said is None:
                said = answer("<html>", 404, "text/html")
            if callable(said):
                said(self.request, self.server.stopping)
            else:
                self.request.sendall(said)
        except OSError:
            pass  # whoever asked has gone


class LyingServer(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = False
    block_on_close = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.lies = {}
        self.stopping = threading.Event()
        self.uri = "http://127.0.0.1:%d" % self.server_address[1]
        self.thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05})
        self.thread.start()

    def stop(self):
        self.stopping.set()
        self.shutdown()
        self.thread.join()
        self.server_close()


# ---- answers that do not end ---------------------------------------------------------------------
def silence(connection, stopping):
    connection.recv(1)  # until the other side gives up


def drip(connection, stopping):
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n{")
    while not stopping.wait(0.05):
        connection.sendall(b" ")


def drip_headers(connection, stopping):
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while not stopping.wait(0.05):
        connection.sendall(b"X-A: b\r\n")


def claim_and_silence(connection, stopping):
    connection.sendall(answer("{", length=1 << 30))
    silence(connection, stopping)


def endless(head, again):
    def lie(connection, stopping):
        connection.sendall(head)
        while not stopping.is_set():
            connection.sendall(again)
    return lie
