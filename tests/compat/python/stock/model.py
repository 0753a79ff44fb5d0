"""A model server that speaks OpenAI's protocol, by rote."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Model:
    """Says `Hello.`, or calls the first function that it is offered; refuses a message `overload` with 429."""

    def __init__(self) -> None:
        self.calls: list[dict] = []
        model = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                model.calls.append({"path": self.path, "authorization": self.headers["Authorization"], "body": body})
                if body["messages"][-1]["content"] == "overload":
                    return self.send(429, "application/json", json.dumps({"error": {"message": "slow down"}}))
                if not body["stream"]:
                    return self.send(200, "application/json", json.dumps(whole(body)))
                self.send(200, "text/event-stream", "".join(f"data: {part}\n\n" for part in parts(body)))

            def send(self, status: int, kind: str, text: str) -> None:
                data = text.encode()
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self.server.shutdown()


USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


def tool_call(body: dict) -> dict | None:
    answered = any(message["role"] == "tool" for message in body["messages"])
    if not body.get("tools") or answered:
        return None
    name = body["tools"][0]["function"]["name"]
    return {"id": "call_1", "type": "function", "function": {"name": name, "arguments": '{"city": "Paris"}'}}


def whole(body: dict) -> dict:
    call = tool_call(body)
    message = {"role": "assistant", "content": None, "tool_calls": [call]} if call else {"role": "assistant", "content": "Hello."}
    return {"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls" if call else "stop"}], "usage": USAGE}


def parts(body: dict) -> list[str]:
    call = tool_call(body)
    deltas = [{"tool_calls": [{"index": 0, **call}]}] if call else [{"content": "Hel"}, {"content": "lo\u2028."}]
    chunks = [{"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls" if call else "stop"}]})
    chunks.append({"choices": [], "usage": USAGE})
    return [json.dumps(chunk) for chunk in chunks] + ["[DONE]"]
