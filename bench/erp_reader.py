"""Stands for the ERP in B4: notes when each event reaches it, on the clock all processes share."""

import os
import sys
import time
from pathlib import Path

import orjson
import pika

QUEUE = "erp.outbound"


def main(file: Path) -> None:
    """Take events until SIGTERM; a line each: its id and the nanosecond it came."""
    with file.open("w", buffering=1, encoding="utf-8") as out:
        connection = pika.BlockingConnection(pika.URLParameters(os.environ["ERP_AMQP_URI"]))
        channel = connection.channel()

        def take(_channel: object, _method: object, _properties: object, body: bytes) -> None:
            moment = time.monotonic_ns()
            out.write(f"{orjson.loads(body)['id']} {moment}\n")

        channel.basic_consume(QUEUE, take, auto_ack=True)
        out.write("ready 0\n")
        channel.start_consuming()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
