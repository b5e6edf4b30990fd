import base64, hmac, http.client, json, os, sys, time, urllib.error, urllib.request

secret = os.environ["GRANT_SECRET"].split(",")[0].strip().encode()
gateway = os.environ.get("GATEWAY_URL", "http://127.0.0.1:8787")


def encode(part):
    return base64.urlsafe_b64encode(part).rstrip(b"=")


def sign_grant(read, seconds=900):
    claims = {"aud": "chroma-sync-gateway", "exp": int(time.time()) + seconds, "read": read}
    text = encode(b'{"alg":"HS256"}') + b"." + encode(json.dumps(claims).encode())
    return (text + b"." + encode(hmac.digest(secret, text, "sha256"))).decode()


def wait(invocation):
    """The job's state and the job, once it has ended, however it ended."""
    while True:
        grant = sign_grant({"invocations": [invocation]})
        headers = {"Authorization": f"Bearer {grant}", "Prefer": "wait=20"}
        request = urllib.request.Request(f"{gateway}/api/v1/invocations/{invocation}", headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=40) as answer:
                job = json.load(answer)
                pause = 0 if "Preference-Applied" in answer.headers else 2  # 2: it did not wait
            state = job["status"] if isinstance(job["status"], str) else next(iter(job["status"] or [""]), "")
            if state in ("complete", "failed", "cancelled"):
                return state, job
        except urllib.error.HTTPError as error:
            try:
                problem = json.load(error)
            except ValueError:  # a proxy's page
                problem = {}
            if error.code == 404 or not problem.get("retryable", True):
                sys.exit(problem.get("message", "not found"))
            pause = int(error.headers.get("Retry-After", 2))
        except (OSError, http.client.HTTPException):  # no connection, or one that broke
            pause = 2
        time.sleep(pause)


state, job = wait(sys.argv[1])
print(job["status"]["failed"]["error"] if state == "failed" else state)
