package lists

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/casementhq/casement/pool"
)

// readText takes one name or address per line, or several with commas between, as
// Server Manager and Windows Admin Center import them. # and ; begin comments.
func readText(b *builder, text string) error {
	for n, line := range strings.Split(text, "\n") {
		if i := strings.IndexAny(line, "#;"); i >= 0 {
			line = line[:i]
		}
		column := 1
		for part := range strings.SplitSeq(line, ",") {
			if name := strings.TrimSpace(part); name != "" {
				at := column + strings.Index(part, name)
				if err := b.add(n+1, at, pool.Server{Name: name}); err != nil {
					return err
				}
			}
			column += len(part) + 1
		}
	}
	return nil
}

func writeText(w io.Writer, servers []pool.Server) error {
	out := bufio.NewWriter(w)
	for _, s := range servers {
		fmt.Fprintln(out, s.Name)
	}
	return out.Flush()
}
