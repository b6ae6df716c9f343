"""A real OpenID provider on a free port, for tests: oidc-provider-mock (Authlib), made strict.

As it comes, it does not look at PKCE; a layer around it remembers each code's challenge and refuses
a verifier that does not fit. Run as a script, it prints its port and serves until its input ends.
"""

import base64
import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs, urlsplit

USERS = [
    ("kim", {"email": "kim@idp.example", "email_verified": True}),
    ("lee", {"email": "lee@idp.example", "email_verified": False}),
    ("strong", {"email": "strong@idp.example", "email_verified": True, "amr": ["pwd", "otp"]}),
]


class Pkce:
    """The provider's WSGI application behind a check of PKCE (RFC 7636)."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.challenges: dict[str, str] = {}

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        if environ["PATH_INFO"] == "/oauth2/token":
            return self.token(environ, start_response)
        asked = parse_qs(environ.get("QUERY_STRING", ""))

        def started(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            to = dict(headers).get("Location", "")
            for code in parse_qs(urlsplit(to).query).get("code", []):
                assert asked["code_challenge_method"] == ["S256"]
                self.challenges[code] = asked["code_challenge"][0]
            return start_response(status, headers, *rest)

        return self.app(environ, started)

    def token(self, environ: dict[str, Any], start_response: Any) -> Any:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        form = parse_qs(body.decode())
        verifier = form.get("code_verifier", [""])[0]
        hashed = base64.urlsafe_b64encode(sha256(verifier.encode()).digest()).decode()
        if self.challenges.pop(form.get("code", [""])[0], "-") != hashed.rstrip("="):
            start_response("400 Bad Request", [("Content-Type", "application/json")])
            return [json.dumps({"error": "invalid_grant"}).encode()]
        environ["wsgi.input"] = io.BytesIO(body)
        return self.app(environ, start_response)


@contextlib.contextmanager
def running() -> Iterator[str]:
    """The issuer of a provider that runs until the end, in a process of its own."""
    environment = {**os.environ, "AUTHLIB_INSECURE_TRANSPORT": "1", "PYTHONWARNINGS": "ignore"}
    with subprocess.Popen(
        [sys.executable, __file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.stdin.close()
            process.terminate()
            process.stdout.close()


def main() -> None:
    import threading

    import oidc_provider_mock
    import werkzeug.serving

    users = [oidc_provider_mock.User(sub=sub, claims=claims) for sub, claims in USERS]
    app = oidc_provider_mock.app(
        require_client_registration=True, require_nonce=True, user_claims=users
    )
    server = werkzeug.serving.make_server("127.0.0.1", 0, Pkce(app), threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main()
