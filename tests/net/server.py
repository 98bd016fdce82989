"""A server on 127.0.0.1 that speaks the services' APIs as the tests tell it to: well, badly and with malice."""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Said:
    """One answer: a status, headers, a body, and how to misbehave while sending it."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut_after: int | None = None  # promise the whole body, send only this much
    pause_s: float = 0.0  # between header and body
    endless: bool = False
    drips: bool = False  # a byte of its header now and then, for ever

    @classmethod
    def json(cls, value, **more):
        return cls(
            json.dumps(value).encode(),
            headers={"Content-Type": "application/json", **more.pop("headers", {})},
            **more,
        )


@dataclass
class Asked:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    at: float


class Server:
    """Answers with what was queued for a path, in order, the last one again and again; else what `answer` returns, else 404."""

    def __init__(self):
        self.asked: list[Asked] = []
        self.queues: dict[str, list[Said]] = {}
        self.answer: Callable[[Asked], Said | None] = lambda asked: None
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                self._answer()

            def do_POST(self):
                self._answer()

            do_PATCH = do_PUT = do_POST

            def log_message(self, *args):
                pass

            def _answer(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                asked = Asked(
                    self.command, self.path, dict(self.headers.items()), body, time.monotonic()
                )
                server.asked.append(asked)
                said = server.next_answer(asked)
                try:
                    self._send(said)
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True

            def _send(self, said):
                self.send_response(said.status)
                for name, value in said.headers.items():
                    self.send_header(name, value)
                if said.drips:
                    self.close_connection = True
                    self.flush_headers()
                    while True:
                        self.wfile.write(b"x")
                        time.sleep(0.05)
                if said.endless:
                    self.send_header("Connection", "close")
                    self.end_headers()
                    self.close_connection = True
                    while True:
                        self.wfile.write(b"x" * 65536)
                self.send_header("Content-Length", str(len(said.body)))
                self.end_headers()
                if said.pause_s:
                    time.sleep(said.pause_s)
                sent = said.body if said.cut_after is None else said.body[: said.cut_after]
                self.wfile.write(sent)
                if said.cut_after is not None:
                    self.close_connection = True

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self._http.server_port}"

    def say(self, path, *answers):
        self.queues[path] = list(answers)

    def next_answer(self, asked):
        queue = self.queues.get(asked.path) or self.queues.get(asked.path.partition("?")[0])
        if queue:
            return queue.pop(0) if len(queue) > 1 else queue[0]
        return self.answer(asked) or Said(b"not found", 404)

    def paths(self):
        return [asked.path for asked in self.asked]

    def close(self):
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()
