# Sourced: starts what make local starts, on a free port, and ends it with the shell. Sets PRESIGN_URL, PRESIGN_FUNCTION,
# and what the SDKs read. $1 is a folder for its log; what follows goes to "local serve".
serve() {
	log=$1/serve.log
	shift
	go build -o .cache/bin/local ./internal/cmd/local
	: >"$log" # here, lest an earlier address be read below
	.cache/bin/local serve -addr 127.0.0.1:0 "$@" >"$log" 2>&1 &
	service=$!
	services="${services:-} $service"
	trap 'kill $services ${pages:-} 2>/dev/null || true; wait' EXIT
	for _ in $(seq 100); do
		! grep -q '^All URLs end' "$log" || break
		kill -0 $service 2>/dev/null || { cat "$log" >&2; echo "the local service ended" >&2; exit 1; }
		sleep 0.1
	done
	PRESIGN_URL=$(sed -n 's|^  HTTP *\(http://[0-9.:]*/presign\).*|\1|p' "$log")
	PRESIGN_FUNCTION=$(sed -n 's|^  Lambda .*aws-cli: \([^,]*\),.*|\1|p' "$log")
	[ -n "$PRESIGN_URL" ] && [ -n "$PRESIGN_FUNCTION" ] || { echo "the local service does not come up" >&2; exit 1; }
	export PRESIGN_URL PRESIGN_FUNCTION
	eval "$(sed -n 's/^  \(export AWS_.*\)/\1/p' "$log")"
}
