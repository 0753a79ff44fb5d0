"""A server with TLS on which clients publish documents about themselves: published.py FOLDER makes its certificates."""

import datetime
import http.server
import ipaddress
import json
import ssl
import sys
import threading
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

# The hub trusts this one, by SSL_CERT_FILE, and no other.
AUTHORITY, CERTIFICATE, KEY = "authority.pem", "server.pem", "server-key.pem"


def certificates(folder: Path) -> None:
    """An authority and a certificate for this machine, good for a day."""
    folder.mkdir(parents=True, exist_ok=True)
    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Clients of a test")])
    ours = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    authority = signed(name, name, authority_key, authority_key, x509.BasicConstraints(ca=True, path_length=0))
    server = signed(ours, name, key, authority_key, x509.BasicConstraints(ca=False, path_length=None), names)
    pem = serialization.Encoding.PEM
    (folder / AUTHORITY).write_bytes(authority.public_bytes(pem))
    (folder / CERTIFICATE).write_bytes(server.public_bytes(pem))
    plain = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / KEY).write_bytes(plain)


def signed(subject, issuer, key, issuer_key, *extensions) -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - datetime.timedelta(hours=1)).not_valid_after(now + datetime.timedelta(days=1))
    for extension in extensions:
        builder = builder.add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
    return builder.sign(issuer_key, hashes.SHA256())


class Documents:
    """Serves JSON documents by their path, and counts how often each was fetched."""

    def __init__(self, folder: Path) -> None:
        documents, fetched = self.documents, self.fetched = {}, {}

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                document = documents.get(self.path)
                fetched[self.path] = fetched.get(self.path, 0) + 1
                body = json.dumps(document).encode()
                self.send_response(404 if document is None else 200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / CERTIFICATE, folder / KEY)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = f"https://localhost:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def client(self, name: str, **metadata) -> str:
        """Publishes the document of a client; its address is the client's id."""
        path = f"/{len(self.documents)}/client.json"
        usual = {"client_id": self.url + path, "client_name": name, "token_endpoint_auth_method": "none"}
        self.documents[path] = {**usual, **metadata}
        return self.url + path

    def keys(self, *keys: dict) -> str:
        """Publishes a set of keys."""
        path = f"/{len(self.documents)}/jwks.json"
        self.documents[path] = {"keys": list(keys)}
        return self.url + path

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()


if __name__ == "__main__":
    certificates(Path(sys.argv[1]))
