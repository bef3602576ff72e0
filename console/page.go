package console

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"
)

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed assets/*
var assetFiles embed.FS

// pages are the templates, each with the frame around it, and the assets by the
// name that has their hash.
type pages struct {
	templates map[string]*template.Template
	assets    map[string]asset  // by "HASH/console.css"
	urls      map[string]string // "console.css" is "/assets/HASH/console.css"
}

type asset struct {
	kind string
	data []byte
}

var assetKinds = map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}

func loadPages() (*pages, error) {
	p := &pages{templates: map[string]*template.Template{}, assets: map[string]asset{}, urls: map[string]string{}}
	files, err := fs.ReadDir(assetFiles, "assets")
	if err != nil {
		return nil, err
	}
	sum := sha256.New()
	content := map[string][]byte{}
	for _, f := range files {
		b, err := assetFiles.ReadFile("assets/" + f.Name())
		if err != nil {
			return nil, err
		}
		content[f.Name()] = b
		sum.Write(b)
	}
	hash := hex.EncodeToString(sum.Sum(nil)[:8]) // of all: modules import each other by relative names
	for name, b := range content {
		p.assets[hash+"/"+name] = asset{assetKinds[path.Ext(name)], b}
		p.urls[name] = "/assets/" + hash + "/" + name
	}
	frame, err := template.New("frame").Funcs(p.funcs()).ParseFS(templateFiles, "templates/frame.html", "templates/parts*.html")
	if err != nil {
		return nil, err
	}
	names, err := fs.Glob(templateFiles, "templates/*.html")
	if err != nil {
		return nil, err
	}
	for _, file := range names {
		name := path.Base(file)
		if name == "frame.html" || strings.HasPrefix(name, "parts") {
			continue
		}
		t, err := template.Must(frame.Clone()).ParseFS(templateFiles, file)
		if err != nil {
			return nil, err
		}
		p.templates[name] = t
	}
	return p, nil
}

// page is what a template is given. A template defines "main"; its file is the
// name that render takes.
type page struct {
	// Title is that of the page, the most special first: "srv04 · Services".
	Title string
	// Nav is the path of the entry of the navigation that is current: "/servers".
	Nav string
	// Command are lines that do the same without the console, for Show command.
	Command []string
	// Data is the page's own.
	Data any
	// Wide leaves the text width unbounded, for tables.
	Wide bool

	// LivePath is where the script follows topics, where that is not /live.
	LivePath string

	// What follows is filled in by render.
	Who     who
	Machine string
	Version string
	Now     time.Time
	Request string
	Side    *side
	Prefs   Prefs
	Flag    flag
	Here    string  // path and query
	Flash   *result // what was done before this page
}

// side is what the navigation lists.
type side struct{ Groups, Roles []sideEntry }

type sideEntry struct {
	Name, Path string
	Count      int
	Level      string
}

// flag is the count at the work entry.
type flag struct {
	Running, Failed int
}

// May tells a template whether who asks has a role: {{if .May "Operator"}}.
func (p page) May(role string) bool {
	r, err := ParseRole(role)
	return err == nil && p.Who.Role >= r
}

// URLPath is the path of the page, without its query.
func (p page) URLPath() string {
	path, _, _ := strings.Cut(p.Here, "?")
	return path
}

// Why is the tip of a control that the role forbids.
func (p page) Why(role string) string {
	if p.May(role) {
		return ""
	}
	return "Needs the role " + role + "; yours is " + p.Who.Role.String() + "."
}

// render answers with a page. A template that fails sends nothing by half.
func (c *Console) render(rq *request, status int, name string, p page) {
	t := c.pages.templates[name]
	if t == nil {
		rq.fail(fmt.Errorf("there is no template %s", name))
		return
	}
	p.Who, p.Machine, p.Version, p.Now, p.Request = rq.who, c.o.Machine, c.o.Version, time.Now(), rq.id
	p.Here = rq.URL.RequestURI()
	if rq.who.known() {
		p.Side = c.side(p.Nav)
		p.Prefs = c.prefs(rq)
		p.Flag = c.flag(rq.Context())
		p.Flash = c.takeFlash(rq)
	}
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, "frame", p); err != nil {
		c.log.Error("a page cannot be made", "template", name, "request", rq.id, "error", err)
		http.Error(rq, "The console could not make this page (request "+rq.id+"); its log says why.", http.StatusInternalServerError)
		return
	}
	rq.Header().Set("Content-Type", "text/html; charset=utf-8")
	rq.WriteHeader(status)
	_, _ = b.WriteTo(rq) //nolint:errcheck // the browser has gone
}

// errorPage shows a problem.
func (c *Console) errorPage(rq *request, p *problem) {
	if p.Title == "" {
		p.Title = http.StatusText(p.Status)
	}
	c.render(rq, p.Status, "error.html", page{Title: p.Title, Data: p})
}

// json answers with a document.
func (rq *request) json(status int, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	rq.Header().Set("Content-Type", "application/json")
	rq.WriteHeader(status)
	_, _ = rq.Write(b) //nolint:errcheck // who asked has gone
	return nil
}

// writeProblem answers a program, as RFC 9457 describes.
func writeProblem(rq *request, p *problem) {
	b, _ := json.Marshal(map[string]any{"status": p.Status, "title": cmpOr(p.Title, http.StatusText(p.Status)), "detail": p.Error(), "instance": "urn:casement:request:" + rq.id, "request": rq.id}) //nolint:errchkjson // strings
	rq.Header().Set("Content-Type", "application/problem+json")
	rq.WriteHeader(p.Status)
	_, _ = rq.Write(b) //nolint:errcheck // who asked has gone
}

// showAsset answers with a file whose name has its hash, and which therefore never
// changes.
func (c *Console) showAsset(rq *request) error {
	a, ok := c.pages.assets[rq.PathValue("hash")+"/"+rq.PathValue("name")]
	if !ok || a.kind == "" {
		return &problem{Status: http.StatusNotFound, Title: "Not found", Text: "There is no such file; the page is of another version of the console.", Next: "Load the page anew."}
	}
	rq.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	rq.Header().Set("Content-Type", a.kind)
	_, _ = rq.Write(a.data) //nolint:errcheck // the browser has gone
	return nil
}
