# Begins the script of a page (docs-commands.ts). A command that fails ends it, and all that it has started.
set -euo pipefail
set -m # what runs in the background is a process group of its own
export PORT=0

# Starts what is on stdin, a command that runs for ever, and goes on when it says that it is ready.
serve() {
  local log
  log=$(mktemp)
  bash -euo pipefail -c "$(cat)" >"$log" 2>&1 </dev/null &
  for ((tries = 0; tries < 1200; tries++)); do
    if grep -qE '"msg":"listening"|Ctrl-C|^Simulated Chroma Sync: ' "$log"; then
      cat "$log"
      return
    fi
    kill -0 $! 2>/dev/null || break
    sleep 0.1
  done
  cat "$log"
  echo 'this does not get ready' >&2
  exit 1
}

# The same, for one that need not stay: it has shown that it starts.
serve_once() {
  serve
  kill -TERM -- -$!
  wait $! 2>/dev/null || true
}

# An error of the server is one of the command, and no request lasts for ever.
curl() {
  command curl --silent --show-error --fail-with-body --max-time 60 "$@"
}
