package soap

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"unicode/utf16"
)

// dump writes the tokens of a document in a form that does not depend on the
// reader: the names expanded, adjacent text joined.
func dump(r *Reader) (string, error) {
	var b strings.Builder
	var text []byte
	flush := func() {
		if len(text) > 0 {
			fmt.Fprintf(&b, "T%q", text)
			text = text[:0]
		}
	}
	for {
		k, err := r.Next()
		if err != nil {
			return b.String(), err
		}
		switch k {
		case EOF:
			flush()
			return b.String(), nil
		case Text:
			text = append(text, r.Text()...)
		case StartElement:
			flush()
			fmt.Fprintf(&b, "<{%s}%s", r.URI(r.Space()), r.Local())
			for _, a := range r.Attrs() {
				fmt.Fprintf(&b, " {%s}%s=%q", r.URI(a.Space), a.Local, a.Value)
			}
			b.WriteByte('>')
		case EndElement:
			flush()
			fmt.Fprintf(&b, "</{%s}%s>", r.URI(r.Space()), r.Local())
		}
	}
}

func TestAccept(t *testing.T) {
	for _, tt := range []struct{ doc, want string }{
		{`<a/>`, `<{}a></{}a>`},
		{"\xEF\xBB\xBF<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<a>x</a>\n<!-- end -->", `<{}a>T"x"</{}a>`},
		{`<a b='1' c = "2" />`, `<{}a {}b="1" {}c="2"></{}a>`},
		{`<p:a xmlns:p="u" p:b="1" b="2"><c/></p:a>`, `<{u}a {u}b="1" {}b="2"><{}c></{}c></{u}a>`},
		{`<a xmlns="u"><b xmlns=""/><c/></a>`, `<{u}a><{}b></{}b><{u}c></{u}c></{u}a>`},
		{`<a xmlns:p="u"><b xmlns:p="v"><p:c/></b><p:c/></a>`, `<{}a><{}b><{v}c></{v}c></{}b><{u}c></{u}c></{}a>`},
		{`<a>&lt;&gt;&amp;&quot;&apos;&#65;&#x1F600;</a>`, `<{}a>T"<>&\"'A😀"</{}a>`},
		{"<a>1\r\n2\r3\n</a>", `<{}a>T"1\n2\n3\n"</{}a>`},
		{"<a b=\"1\r\n2\t3\n4&#10;5\"/>", `<{}a {}b="1 2 3 4\n5"></{}a>`},
		{`<a>x<![CDATA[<y>&amp;]]]]><![CDATA[>]]>z<!-- c -->!</a>`, `<{}a>T"x<y>&amp;]]>z!"</{}a>`},
		{`<a>` + strings.Repeat("long text ", 40) + `&amp;]</a>`, `<{}a>T"` + strings.Repeat("long text ", 40) + `&]"</{}a>`},
		{`<é xml:lang="fr">ü</é>`, `<{}é {` + URIXML + `}lang="fr">T"ü"</{}é>`},
		{`<longprefix:a xmlns:longprefix="u" longprefix:b="1"></longprefix:a >`, `<{u}a {u}b="1"></{u}a>`},
	} {
		got, err := dump(NewReader([]byte(tt.doc), Limits{}))
		if err != nil || got != tt.want {
			t.Errorf("%q:\n got %s, %v\nwant %s", tt.doc, got, err, tt.want)
		}
	}
}

func TestRefuse(t *testing.T) {
	for _, doc := range []string{
		``, ` `, `x`, `<`, `<a`, `<a>`, `<a></b>`, `<a></aa>`, `</a>`, `<a/><b/>`, `<a/>x`, `x<a/>`,
		`<a b=1/>`, `<a b/>`, `<a b="1"c="2"/>`, `<a b="1" b="2"/>`, `<a b="<"/>`, `<a b="1/>`,
		`<a xmlns:p="u" xmlns:q="u" p:b="1" q:b="2"/>`, `<a xmlns:p="u" xmlns:p="v"/>`,
		`<p:a/>`, `<a p:b="1"/>`, `<a xmlns:p=""/>`, `<a xmlns:xmlns="u"/>`, `<a xmlns:xml="u"/>`,
		`<a xmlns:p="http://www.w3.org/XML/1998/namespace"/>`, `<a xmlns="http://www.w3.org/2000/xmlns/"/>`,
		"<a xmlns=\"http://x/\n y\"/>", `<:a/>`, `<a:/>`, `<a:b:c xmlns:a="u"/>`, `<1/>`, `<-a/>`, `< a/>`,
		`<!DOCTYPE a><a/>`, `<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>`, `<a>&x;</a>`, `<a>&</a>`, `<a>&;</a>`,
		`<a>&#0;</a>`, `<a>&#x0;</a>`, `<a>&#1;</a>`, `<a>&#xD800;</a>`, `<a>&#xFFFE;</a>`, `<a>&#x110000;</a>`,
		`<a>&#99999999999;</a>`, `<a>&#xG;</a>`, `<a>&#-1;</a>`, `<a>&#;</a>`, `<a>&#x;</a>`, `<a>&#X41;</a>`,
		"<a>\x00</a>", "<a>\x01</a>", "<a>\x1f</a>", "<a>\xff</a>", "<a>\xc0\x80</a>", "<a>\xed\xa0\x80</a>", "<a>\xef\xbf\xbe</a>",
		`<?pi x?><a/>`, `<a><?pi x?></a>`, ` <?xml version="1.0"?><a/>`, `<?xml version="2.0"?><a/>`,
		`<?xml version="1.0" encoding="ISO-8859-1"?><a/>`, `<?xml encoding="UTF-8"?><a/>`, `<?xml version="1.0" encoding="UTF-16"?><a/>`,
		`<a>]]></a>`, `<a><!-- -- --></a>`, `<a><!-- x</a>`, `<a><![CDATA[x</a>`, `<![CDATA[x]]><a/>`, `<a><!x></a>`, `<a / >`, `<a></ a>`, `<×/>`,
	} {
		got, err := dump(NewReader([]byte(doc), Limits{}))
		var se *SyntaxError
		if !errors.As(err, &se) {
			t.Errorf("%q was accepted: %s, %v", doc, got, err)
		} else if se.Offset < 0 || se.Offset > len(doc) {
			t.Errorf("%q: offset %d is outside", doc, se.Offset)
		}
	}
}

func TestLimits(t *testing.T) {
	deep := func(n int) string { return strings.Repeat("<a>", n) + strings.Repeat("</a>", n) }
	attrs := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, ` a%d="x"`, i)
		}
		return "<a" + b.String() + "/>"
	}
	decls := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `<a xmlns:p%d="u%d">`, i, i)
		}
		return b.String() + strings.Repeat("</a>", n)
	}
	wide := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `<a xmlns="u%d"/>`, i)
		}
		return "<r>" + b.String() + "</r>"
	}
	for _, tt := range []struct {
		name string
		at   func(int) string
		max  int
		lim  Limits
	}{
		{"depth", deep, 100, Limits{}},
		{"attributes", attrs, 128, Limits{}},
		{"name", func(n int) string { return "<" + strings.Repeat("n", n) + "/>" }, 512, Limits{}},
		{"bindings", decls, 256, Limits{Depth: 1000}},
		{"namespaces", wide, 4096, Limits{}},
	} {
		if _, err := dump(NewReader([]byte(tt.at(tt.max)), tt.lim)); err != nil {
			t.Errorf("%s %d: %v", tt.name, tt.max, err)
		}
		if _, err := dump(NewReader([]byte(tt.at(tt.max+1)), tt.lim)); !errors.Is(err, ErrLimit) {
			t.Errorf("%s %d: %v, want ErrLimit", tt.name, tt.max+1, err)
		}
	}
}

func TestUTF16(t *testing.T) {
	doc := "<?xml version=\"1.0\" encoding=\"utf-16\"?><a>grün 😀</a>"
	units := utf16.Encode([]rune(doc))
	enc := func(big, bom bool) []byte {
		var b []byte
		list := units
		if bom {
			list = append([]uint16{0xFEFF}, units...)
		}
		for _, u := range list {
			if big {
				b = append(b, byte(u>>8), byte(u))
			} else {
				b = append(b, byte(u), byte(u>>8))
			}
		}
		return b
	}
	for _, tt := range []struct {
		data    []byte
		charset string
		want    Encoding
	}{
		{enc(false, true), "", UTF16LE}, {enc(true, true), "UTF-16", UTF16BE},
		{enc(false, false), "UTF-16", UTF16LE}, {enc(true, false), "utf-16be", UTF16BE}, {enc(true, false), "", UTF16BE},
	} {
		r := NewReaderCharset(tt.data, tt.charset, Limits{})
		got, err := dump(r)
		if want := `<{}a>T"grün 😀"</{}a>`; err != nil || got != want || r.Encoding() != tt.want {
			t.Errorf("%q: %s, %v, %v", tt.charset, got, r.Encoding(), err)
		}
	}
	if got := AppendEncoded(nil, []byte(doc), UTF16LE); !bytes.Equal(got, enc(false, true)) {
		t.Errorf("AppendEncoded: % x", got)
	}
	for _, bad := range [][]byte{{0xFF, 0xFE, '<'}, {0xFF, 0xFE, 0x00, 0xD8, '<', 0}, {0xFF, 0xFE, 0x00, 0xDC}} {
		if _, err := dump(NewReader(bad, Limits{})); !errors.Is(err, ErrEncoding) {
			t.Errorf("% x: %v", bad, err)
		}
	}
	if _, err := dump(NewReaderCharset([]byte("<a/>"), "iso-8859-1", Limits{})); !errors.Is(err, ErrEncoding) {
		t.Error("iso-8859-1 was accepted")
	}
}

func TestFragment(t *testing.T) {
	const doc = `<r xmlns="d" xmlns:p="u" xmlns:q="v&amp;w"><p:a q:x="1" xmlns:q="z"><b/>t</p:a><e/></r>`
	r := NewReader([]byte(doc), Limits{})
	_ = r.Root()
	_, _ = r.Child()
	f, err := r.Outer()
	if err != nil {
		t.Fatal(err)
	}
	const want = `<{u}a {z}x="1"><{d}b></{d}b>T"t"</{u}a>`
	if got, err := dump(f.Reader(Limits{})); err != nil || got != want {
		t.Errorf("Outer: %s, %v", got, err)
	}
	alone, err := f.AppendStandalone(nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := dump(NewReader(alone, Limits{})); err != nil || got != want {
		t.Errorf("standalone %s: %s, %v", alone, got, err)
	}
	if ok, err := r.Child(); !ok || err != nil || !r.Is(r.Space(), "e") {
		t.Error("the reader does not stand behind the fragment", err)
	}
	inner, err := r.Inner()
	if err != nil || len(inner.XML) != 0 {
		t.Errorf("Inner of an empty element: %q, %v", inner.XML, err)
	}
	r = NewReader([]byte(doc), Limits{})
	_ = r.Root()
	_, _ = r.Child()
	if inner, err = r.Inner(); err != nil || string(inner.XML) != `<b/>t` {
		t.Errorf("Inner: %q, %v", inner.XML, err)
	}
	if got, err := dump(inner.Reader(Limits{})); err != nil || got != `<{d}b></{d}b>T"t"` {
		t.Errorf("Inner: %s, %v", got, err)
	}
}

func TestReadTextJoins(t *testing.T) {
	r := NewReader([]byte(`<a>1&amp;<!-- -->2&lt;<![CDATA[3]]></a>`), Limits{})
	_ = r.Root()
	if got, err := r.ReadText(); err != nil || string(got) != "1&2<3" {
		t.Errorf("%q, %v", got, err)
	}
	r = NewReader([]byte(`<a xmlns:p="u" xmlns="d" t=" p:X "/>`), Limits{})
	_ = r.Root()
	v, _ := r.Attr(None, "t")
	if n, ok := r.QName(v); !ok || r.URI(n.Space) != "u" || string(n.Local) != "X" {
		t.Errorf("QName: %v %v", n, ok)
	}
	if n, ok := r.QName([]byte("Y")); !ok || r.URI(n.Space) != "d" {
		t.Errorf("QName without a prefix: %v %v", n, ok)
	}
}

// TestWriterSurvives writes hostile text and reads it back with encoding/xml.
func TestWriterSurvives(t *testing.T) {
	w := NewWriter(nil)
	w.Start(None, "a")
	w.Attr(None, "b", "<>&\"'\t\n\r\x01\xff")
	w.Text("<>&\"']]>\t\n\r\x00\x1f\uFFFE\xc3\x28é")
	mark := w.Mark()
	w.Start(None, "gone")
	w.Text("x")
	w.End()
	w.Rewind(mark)
	w.Start(None, "c")
	w.Base64([]byte{0, 1, 2, 3})
	due := w.Len() + w.Due()
	w.End()
	w.End()
	if w.Len() != due {
		t.Errorf("Due: %d, written %d", due, w.Len())
	}
	var got struct {
		B    string `xml:"b,attr"`
		C    string `xml:"c"`
		Gone string `xml:"gone"`
		Text string `xml:",chardata"`
	}
	if err := xml.Unmarshal(w.Bytes(), &got); err != nil {
		t.Fatalf("%s: %v", w.Bytes(), err)
	}
	if got.B != "<>&\"'\t\n\r?\uFFFD" || got.Text != "<>&\"']]>\t\n\r??\uFFFD\uFFFD(é" || got.C != "AAECAw==" || got.Gone != "" {
		t.Errorf("%q", got)
	}
	if strings.Contains(string(w.Bytes()), "&#39;") {
		t.Error("a single quote must not be escaped: it breaks commands")
	}
}

// TestNoAllocations is the promise of the package.
func TestNoAllocations(t *testing.T) {
	doc := pullResponse(50)
	count := testing.AllocsPerRun(10, func() {
		r := NewReader(doc, Limits{})
		for {
			if k, err := r.Next(); err != nil {
				t.Fatal(err)
			} else if k == EOF {
				return
			}
		}
	})
	if count > 32 {
		t.Errorf("%v allocations for a document of %d bytes", count, len(doc))
	}
}

// dumpStd is dump with encoding/xml.
func dumpStd(doc []byte) (string, error) {
	d := xml.NewDecoder(bytes.NewReader(doc))
	d.CharsetReader = func(string, io.Reader) (io.Reader, error) { return nil, errors.New("charset") }
	var b strings.Builder
	var text []byte
	depth := 0
	flush := func() {
		if len(text) > 0 && depth > 0 {
			fmt.Fprintf(&b, "T%q", text)
		}
		text = text[:0]
	}
	for {
		tok, err := d.Token()
		if err == io.EOF {
			return b.String(), nil
		} else if err != nil {
			return "", err
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			flush()
			depth++
			fmt.Fprintf(&b, "<%s>", tok.Name.Local)
		case xml.EndElement:
			flush()
			depth--
			fmt.Fprintf(&b, "</%s>", tok.Name.Local)
		case xml.CharData:
			text = append(text, tok...)
		}
	}
}

// FuzzReader: never panics, and where encoding/xml accepts a document too,
// names and text are the same.
func FuzzReader(f *testing.F) {
	for _, s := range []string{`<a/>`, `<a b="1&#10;">x&amp;<![CDATA[y]]></a>`, `<p:a xmlns:p="u"><p:b/></p:a>`, "\xff\xfe<\x00a\x00/\x00>\x00", `<!DOCTYPE a><a/>`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		r := NewReader(doc, Limits{})
		var b strings.Builder
		var text []byte
		flush := func() {
			if len(text) > 0 {
				fmt.Fprintf(&b, "T%q", text)
				text = text[:0]
			}
		}
		for {
			k, err := r.Next()
			if err != nil {
				if again := r.Err(); again == nil {
					t.Fatal("the error is not kept")
				}
				return
			}
			switch k {
			case EOF:
				flush()
				if r.Encoding() != UTF8 {
					return
				}
				if want, err := dumpStd(bytes.TrimPrefix(doc, []byte("\xEF\xBB\xBF"))); err == nil && want != b.String() {
					t.Fatalf("%q:\n got %s\nwant %s", doc, b.String(), want)
				}
				return
			case Text:
				text = append(text, r.Text()...)
			case StartElement:
				flush()
				fmt.Fprintf(&b, "<%s>", r.Local())
			case EndElement:
				flush()
				fmt.Fprintf(&b, "</%s>", r.Local())
			}
		}
	})
}
