package dashboard

import (
	"embed"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"natsaccord/bus"
	"natsaccord/event"
)

// scrapesMax is how many scrapes are served at a time.
const scrapesMax = 8

//go:embed ui
var assets embed.FS

// handler answers requests.
type handler struct {
	nodes []*Node
}

// NewHandler returns what answers requests about nodes, at least one. If local, it answers only those that were made to this machine by name: a page from
// elsewhere must not read here through a name of its own that it has pointed to this machine.
func NewHandler(local bool, logger *slog.Logger, nodes ...*Node) http.Handler {
	h := &handler{nodes}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", h.live)
	mux.HandleFunc("GET /readyz", h.ready)
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, r *http.Request) { h.status(w, r, nodes[0]) })
	mux.HandleFunc("GET /status/{node}", h.statusOf)
	mux.HandleFunc("GET /ui/nodes.json", h.names)
	mux.Handle("GET /{$}", http.RedirectHandler("/ui/", http.StatusTemporaryRedirect))
	mux.Handle("GET /metrics", promhttp.HandlerFor(newRegistry(nodes), promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelError), ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: scrapesMax,
	}))
	for path, a := range pages() {
		mux.HandleFunc("GET /ui/"+path, a.serve)
	}
	return guarded(local, mux)
}

// guarded sets what every answer has in its header.
func guarded(local bool, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Cache-Control", "no-store")
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("Cross-Origin-Resource-Policy", "same-origin")
		header.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		if local && !isLocal(r.Host) {
			http.Error(w, "this page is for this machine only: ask for it as localhost or 127.0.0.1, or have it listen on another address", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// isLocal tells whether a Host header names this machine. Programs of old send none; browsers always do.
func isLocal(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if len(host) > 1 && host[0] == '[' {
		host = host[1 : len(host)-1]
	}
	ip := net.ParseIP(host)
	return host == "" || host == "localhost" || ip != nil && ip.IsLoopback()
}

// live says that the process works. Whatever its nodes do, to start it anew would not help them.
func (h *handler) live(w http.ResponseWriter, r *http.Request) {
	if r.URL.Query().Has("verbose") {
		fmt.Fprint(w, "[+]process ok\nlivez check passed\n")
		return
	}
	fmt.Fprint(w, "ok\n")
}

// ready says whether all nodes are ready, and if not, why.
func (h *handler) ready(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	text, all := "", true
	for _, t := range askAll(r.Context(), h.nodes) {
		found := t.findings()
		all = all && ready(found)
		for _, f := range found {
			f.name = t.node.name + "/" + f.name
			text += f.String() + "\n"
		}
	}
	switch {
	case !all:
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprint(w, text, "readyz check failed\n")
	case r.URL.Query().Has("verbose"):
		fmt.Fprint(w, text, "readyz check passed\n")
	default:
		fmt.Fprint(w, "ok\n")
	}
}

// statusOf tells the status of the node in the path.
func (h *handler) statusOf(w http.ResponseWriter, r *http.Request) {
	i := slices.IndexFunc(h.nodes, func(n *Node) bool { return n.name == r.PathValue("node") })
	if i < 0 {
		writeError(w, fmt.Errorf("%w: no such node in this process", event.ErrNotFound))
		return
	}
	h.status(w, r, h.nodes[i])
}

// status tells what node.<node>.info tells on NATS.
func (h *handler) status(w http.ResponseWriter, r *http.Request, n *Node) {
	status, err := n.status(r.Context())
	if err != nil {
		writeError(w, err)
		return
	}
	writeJSON(w, http.StatusOK, bus.NewNodeReply(status))
}

// names tells which nodes the process runs.
func (h *handler) names(w http.ResponseWriter, _ *http.Request) {
	names := []string{}
	for _, n := range h.nodes {
		names = append(names, n.name)
	}
	writeJSON(w, http.StatusOK, names)
}

// writeError answers as NATS would.
func writeError(w http.ResponseWriter, err error) {
	reply := bus.NewErrorReply(err)
	writeJSON(w, reply.Error.Code, reply)
}

func writeJSON(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body) // fails only if nobody reads
}

// page is a file of the page.
type page struct {
	file, kind string
}

// pages returns the files by path below /ui/. Their kinds stand here because mime's depend on the machine.
func pages() map[string]page {
	return map[string]page{
		"{$}":       {"ui/index.html", "text/html; charset=utf-8"},
		"style.css": {"ui/style.css", "text/css; charset=utf-8"},
		"page.js":   {"ui/page.js", "text/javascript; charset=utf-8"},
		"icon.svg":  {"ui/icon.svg", "image/svg+xml"},
	}
}

func (p page) serve(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", p.kind)
	http.ServeFileFS(w, r, assets, p.file)
}
