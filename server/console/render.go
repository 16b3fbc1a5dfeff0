package console

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"mime"
	"net/http"
	"path"

	"github.com/strongroom-kms/strongroom/keystore"
	"github.com/strongroom-kms/strongroom/proto/describe"
)

//go:embed templates
var templateFiles embed.FS

//go:embed static
var staticFiles embed.FS

// pages are the templates by the name of their file, each with the layout.
type pages map[string]*template.Template

func parsePages() (pages, error) {
	files, err := fs.Sub(templateFiles, "templates")
	if err != nil {
		return nil, err
	}
	shared, err := template.New("").Funcs(functions()).ParseFS(files, "layout.html", "parts.html")
	if err != nil {
		return nil, fmt.Errorf("parsing the layout: %w", err)
	}
	names, err := fs.Glob(files, "*.html")
	if err != nil {
		return nil, err
	}
	all := pages{}
	for _, name := range names {
		if name == "layout.html" || name == "parts.html" {
			continue
		}
		page, err := shared.Clone()
		if err == nil {
			page, err = page.ParseFS(files, name)
		}
		if err != nil {
			return nil, fmt.Errorf("parsing %s: %w", name, err)
		}
		all[name] = page
	}
	return all, nil
}

// view is a page to be shown.
type view struct {
	// File is the template's, Title the page's name.
	File, Title string
	// Section is the path of the entry in the navigation that the page belongs to.
	Section string
	// Status is the HTTP status; 0 means 200.
	Status int
	// Regional says that the page is of a Region.
	Regional bool
	// Stream is the path of the page's stream; empty: it has none.
	Stream string
	// Following says that a button of the page follows a trail.
	Following bool
	Body      any
}

// frame is what the layout shows around a view.
type frame struct {
	view
	Principal     string // empty: nobody is signed in
	ByCertificate bool
	Region        string
	Regions       []string
	Sections      []section
	// Trouble is why requests cannot be answered; empty: they can.
	Trouble string
	// Query are the parameters of the page, but for the Region.
	Query []parameter
}

// section is an entry of the navigation.
type section struct{ Path, Name string }

type parameter struct{ Name, Value string }

func sections() []section {
	return []section{
		{"/", "Overview"}, {"/keys", "Keys"}, {"/key-stores", "Key stores"}, {"/hsms", "HSMs"},
		{"/events", "Events"}, {"/hsm-log", "HSM log"}, {"/alarms", "Alarms"},
	}
}

// signedIn shows a page to who is signed in.
func (c *Console) signedIn(show func(*visit) view) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		who, ok := c.identify(r, r.Header.Get(refreshHeader) == "")
		if !ok {
			c.demandSignIn(w, r)
			return
		}
		v := c.visit(w, r, who)
		shown := show(v)
		c.render(w, frame{
			view: shown, Trouble: c.trouble(), Principal: who.principal, ByCertificate: who.byCertificate,
			Region: v.region, Regions: c.regions, Sections: sections(), Query: v.parameters(),
		})
	}
}

// trouble is why requests cannot be answered; empty: they can. Whoever is signed in is told:
// nobody can be asked whether they may while nothing can be recorded.
func (c *Console) trouble() string {
	if err := c.health(); err != nil {
		return err.Error()
	}
	return ""
}

// parameters are those of the page that a change of the Region keeps: what was searched
// for, but not where it had got to.
func (v *visit) parameters() []parameter {
	var all []parameter
	for _, name := range []string{"q", "state"} {
		if value := v.query(name); value != "" {
			all = append(all, parameter{name, value})
		}
	}
	return all
}

func (c *Console) renderSignIn(w http.ResponseWriter, status int, p signInPage) {
	p.Unready = c.health() != nil
	c.render(w, frame{view: view{File: "signin.html", Title: "Sign in", Status: status, Body: p}})
}

// render writes a page. One that cannot be made is none, not half of one.
func (c *Console) render(w http.ResponseWriter, f frame) {
	var page bytes.Buffer
	if err := c.pages[f.File].ExecuteTemplate(&page, "layout", f); err != nil {
		c.log.Error("a page of the console could not be made", "page", f.File, "error", err)
		http.Error(w, "The page could not be made because of an internal fault, which is in the server's log.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if f.Status != 0 {
		w.WriteHeader(f.Status)
	}
	_, _ = w.Write(page.Bytes()) // who has gone sees nothing
}

// missing answers an address that is no page.
func missing(*visit) view {
	return view{File: "missing.html", Title: "There is no such page", Status: http.StatusNotFound}
}

// assets are the files that pages load, by their path below static.
type assets map[string]asset

type asset struct {
	contentType string
	body        []byte
}

func loadAssets() (assets, error) {
	all := assets{}
	err := fs.WalkDir(staticFiles, "static", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		kind := mime.TypeByExtension(path.Ext(name))
		if kind == "" {
			kind = "text/plain; charset=utf-8"
		}
		body, err := staticFiles.ReadFile(name)
		all[name[len("static/"):]] = asset{contentType: kind, body: body}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading the assets: %w", err)
	}
	return all, nil
}

// ServeHTTP is part of http.Handler.
func (a assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	file, ok := a[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", file.contentType)
	_, _ = w.Write(file.body) // who has gone sees nothing
}

func errorName(kind keystore.Kind) string { return describe.ErrorOf(kind).Name }

func errorStatus(kind keystore.Kind) int { return describe.ErrorOf(kind).HTTPStatus }
