"""What `helm test` asks the API, by the address that callers use. Every failure is a sentence."""

import os
import sys
import time

import httpx

keys = os.environ.get("API_KEYS", "").split(",")
client = httpx.Client(base_url=os.environ["API"], headers={"X-API-Key": keys[0]} if keys[0] else {}, timeout=5)
until = time.monotonic() + int(os.environ["SECONDS"]) - 10
answer = "no answer at all"
while True:
    try:
        ready = client.get("/health/ready")
        if ready.status_code == 200:
            break
        answer = ready.text
    except httpx.HTTPError as error:
        answer = repr(error)
    if time.monotonic() > until:
        sys.exit(f"The API is not ready: {answer}")
    time.sleep(1)

models = client.get("/v1/models")
if models.status_code != 200 or not models.json():
    sys.exit(f"The API names no model: {models.status_code} {models.text[:500]}")
if keys[0]:
    stranger = httpx.get(f"{os.environ['API']}/v1/models", timeout=5)
    if stranger.status_code != 401:
        sys.exit(f"A caller without a key got {stranger.status_code} instead of 401.")
for model in models.json():
    print(f"{model['model']} serves {model['version']}")
