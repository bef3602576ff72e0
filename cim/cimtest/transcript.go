package cimtest

import (
	"context"
	"fmt"
	"sort"
	"strings"

	"github.com/casementhq/casement/cim"
)

// Line is one line of an answer.
type Line struct {
	Step   string // which question
	Aspect string // what kind of thing the line says; see [Loss]
	Text   string
}

// Transcript asks every question of the suite and writes the answers down in a
// form that does not depend on the order of results. It changes nothing that
// it does not change back.
func Transcript(ctx context.Context, s cim.Session) []Line {
	var out []Line
	for _, q := range questions() {
		for _, l := range q.ask(ctx, s) {
			l.Step = q.name
			out = append(out, l)
		}
	}
	return out
}

// Compare lists where two transcripts differ, leaving out the aspects that
// lost names.
func Compare(a, b []Line, lost []Loss) []string {
	skip := map[string]bool{}
	for _, l := range lost {
		skip[l.Aspect] = true
	}
	count := map[Line]int{}
	add := func(lines []Line, n int) {
		for _, l := range lines {
			if !skip[l.Aspect] {
				count[l] += n
			}
		}
	}
	add(a, 1)
	add(b, -1)
	var out []string
	for l, n := range count {
		if side := "first"; n != 0 {
			if n < 0 {
				side = "second"
			}
			out = append(out, fmt.Sprintf("%s: only the %s has %s: %s", l.Step, side, l.Aspect, l.Text))
		}
	}
	sort.Strings(out)
	return out
}

// writer collects the lines of one answer.
type writer struct {
	s     cim.Session
	lines []Line
}

func (w *writer) add(aspect, format string, args ...any) {
	w.lines = append(w.lines, Line{Aspect: aspect, Text: fmt.Sprintf(format, args...)})
}

// failed writes an error down; its absence is worth a line only where one is
// expected, which the expectation says.
func (w *writer) failed(err error) bool {
	if err != nil {
		w.add("status", "%v", cim.StatusOf(err))
	}
	return err != nil
}

func (w *writer) instance(i *cim.Instance, err error) {
	if w.failed(err) {
		return
	}
	name := i.Class().Name
	if path, whole := i.Path(); whole {
		name = path.Relative()
		w.add("namespace", "%s in %s", name, path.Namespace)
		w.add("server", "%s on %s", name, path.Server)
	}
	w.add("object", "%s", name)
	for n := range i.Len() {
		w.value(name+" "+i.Class().Properties[n].Name, i.At(n))
	}
}

func (w *writer) value(name string, v cim.Value) {
	w.add(aspectOf(v), "%s %s", name, render(v))
}

func aspectOf(v cim.Value) string {
	switch {
	case v.Type().IsArray() && !v.IsNull() && len(v.Elems()) == 0:
		return "empty array"
	case v.Type().Elem() == cim.Char16:
		return "char16"
	}
	return "value"
}

// render is the type and the value of v; the properties of an embedded object
// stand in the order of their names.
func render(v cim.Value) string {
	if v.IsNull() {
		return v.Type().String() + " NULL"
	}
	return v.Type().String() + " " + bare(v)
}

func bare(v cim.Value) string {
	var parts []string
	switch {
	case v.IsNull():
		return "NULL"
	case v.Type().IsArray():
		for _, e := range v.Elems() {
			parts = append(parts, bare(e))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case v.Type() == cim.Object:
		o := v.Object()
		for n := range o.Len() {
			parts = append(parts, o.Class().Properties[n].Name+"="+bare(o.At(n)))
		}
		sort.Strings(parts)
		return o.Class().Name + "(" + strings.Join(parts, ", ") + ")"
	case v.Type() == cim.Reference:
		s, _ := v.Str()
		if p, err := cim.ParsePath(s); err == nil {
			return p.Relative()
		}
		return s
	}
	s := v.String()
	if v.Type() == cim.String {
		return fmt.Sprintf("%q", s)
	}
	return s
}

// paths writes the paths of an enumeration down.
func (w *writer) paths(ctx context.Context) func(cim.Enumerator, error) {
	return func(e cim.Enumerator, err error) {
		w.each(ctx, e, err, func(i *cim.Instance) {
			path, whole := i.Path()
			if !whole {
				w.add("object", "%s", i.Class().Name)
				return
			}
			w.add("object", "%s", path.Relative())
		})
	}
}

func (w *writer) objects(ctx context.Context) func(cim.Enumerator, error) {
	return func(e cim.Enumerator, err error) {
		w.each(ctx, e, err, func(i *cim.Instance) { w.instance(i, nil) })
	}
}

func (w *writer) each(ctx context.Context, e cim.Enumerator, err error, f func(*cim.Instance)) {
	if w.failed(err) {
		return
	}
	w.failed(cim.Each(ctx, e, func(i *cim.Instance) error {
		f(i)
		return nil
	}))
}

func (w *writer) result(r cim.Result, err error) {
	if w.failed(err) {
		return
	}
	if r.ReturnValue.Type() != cim.Untyped {
		w.value("ReturnValue", r.ReturnValue)
	}
	for _, o := range r.Out {
		w.value(o.Name, o.Value)
	}
}

// class writes a definition down, all of it.
func (w *writer) class(aspect string, c *cim.Class) {
	say := func(format string, args ...any) { w.add(aspect, c.Name+" "+format, args...) }
	say(": %s", strings.Join(c.Derivation, ", "))
	w.qualifiers(aspect, c.Name, c.Qualifiers)
	for n, p := range c.Properties {
		say("property %d %s %s of %q, key %v, from %s, default %s", n, p.Type, p.Name, p.RefClass, p.Key, p.Origin, render(p.Default))
		w.qualifiers(aspect, c.Name+"."+p.Name, p.Qualifiers)
	}
	for n, m := range c.Methods {
		say("method %d %s %s, static %v, from %s", n, m.Return, m.Name, m.Static, m.Origin)
		w.qualifiers(aspect, c.Name+"."+m.Name+"()", m.Qualifiers)
		for way, list := range map[string][]cim.Parameter{"in": m.In, "out": m.Out} {
			for n, p := range list {
				say("method %s %s %d: %s %s of %q, optional %v", m.Name, way, n, p.Type, p.Name, p.RefClass, p.Optional)
				w.parameterQualifiers(aspect, c.Name+"."+m.Name+"("+way+" "+p.Name+")", p.Qualifiers)
			}
		}
	}
}

func (w *writer) qualifiers(aspect, name string, list cim.Qualifiers) {
	for _, q := range list {
		w.qualifier(aspect, name, q)
	}
}

// parameterQualifiers is qualifiers where ID, the position of a parameter, is an aspect of its own.
func (w *writer) parameterQualifiers(aspect, name string, list cim.Qualifiers) {
	for _, q := range list {
		if cim.EqualFold(q.Name, "ID") {
			w.qualifier("parameter id", name, q)
			continue
		}
		w.qualifier(aspect, name, q)
	}
}

// qualifier writes a qualifier; its name is the same in any case.
func (w *writer) qualifier(aspect, name string, q cim.Qualifier) {
	w.add(aspect, "%s [%s %s, flavor %#x]", name, cim.Fold(q.Name), render(q.Value), uint8(q.Flavor))
}
