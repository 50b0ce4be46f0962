"""A real S3 server on loopback (moto), with a bucket."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
from moto.server import ThreadedMotoServer

BUCKET = "backups"
KEYS = {"backup_s3_access_key": "AKTEST", "backup_s3_secret_key": "secret"}


@dataclass
class S3:
    """`settings` are those of an appliance that uploads there, below the prefix `one`."""

    url: str
    client: Any
    settings: dict[str, Any]

    def names(self) -> list[str]:
        return [entry["Key"] for entry in self.client.list_objects_v2(Bucket=BUCKET).get("Contents", [])]


@contextmanager
def s3_server() -> Iterator[S3]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    client = boto3.client(
        "s3",
        endpoint_url=url,
        aws_access_key_id=KEYS["backup_s3_access_key"],
        aws_secret_access_key=KEYS["backup_s3_secret_key"],
        region_name="us-east-1",
    )
    client.create_bucket(Bucket=BUCKET)
    try:
        yield S3(url, client, {"backup_s3_bucket": f"{BUCKET}/one", "backup_s3_endpoint": url, **KEYS})
    finally:
        client.close()
        server.stop()
