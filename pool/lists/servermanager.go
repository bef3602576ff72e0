package lists

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"

	"github.com/casementhq/casement/pool"
)

// readServerManager takes the name of each ServerInfo in a ServerList; Server
// Manager keeps nothing else there that we need, and no credentials.
func readServerManager(b *builder, text string) error {
	d := xml.NewDecoder(strings.NewReader(text))
	d.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil } // it is UTF-8 by now
	depth := 0
	for {
		line, column := d.InputPos()
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			line, column = d.InputPos()
			if s := (*xml.SyntaxError)(nil); errors.As(err, &s) {
				return wrong(line, column, "%s", s.Msg)
			}
			return wrong(line, column, "%v", err)
		}
		switch e := token.(type) {
		case xml.StartElement:
			depth++
			if depth == 1 && e.Name.Local != "ServerList" {
				return wrong(line, column, "the document is a %s, not a ServerList of Server Manager", quoted(e.Name.Local))
			}
			if depth != 2 || e.Name.Local != "ServerInfo" {
				continue
			}
			name := ""
			for _, a := range e.Attr {
				if a.Name.Local == "name" {
					name = a.Value
				}
			}
			if err := b.add(line, column, pool.Server{Name: name}); err != nil {
				return err
			}
		case xml.EndElement:
			depth--
		}
	}
}
