package winrmtool

import (
	"bufio"
	"context"
	"errors"
	"io"
	"strings"
)

// lineReader reads the user's answers line by line, so that a waiting read can
// be left when the context ends.
type lineReader struct {
	r       *bufio.Reader
	answers chan lineAnswer
	reading bool
}

type lineAnswer struct {
	text string
	err  error
}

// maxLine bounds one line of an answer in bytes.
const maxLine = 64 << 10

// line reads one line of the input without its end; the end of the input is an
// empty line.
func (t *Tool) line(ctx context.Context) (string, error) {
	text, _, err := t.nextLine(ctx)
	return text, err
}

// nextLine is line, and tells the end of the input.
func (t *Tool) nextLine(ctx context.Context) (text string, more bool, err error) {
	if t.In == nil {
		return "", false, nil
	}
	if t.lines == nil {
		t.lines = &lineReader{r: bufio.NewReaderSize(t.In, maxLine), answers: make(chan lineAnswer, 1)}
	}
	l := t.lines
	if !l.reading {
		l.reading = true
		go func() {
			b, err := l.r.ReadSlice('\n')
			l.answers <- lineAnswer{string(b), err}
		}()
	}
	select {
	case a := <-l.answers:
		l.reading = false
		if a.err != nil && !errors.Is(a.err, io.EOF) {
			return "", false, a.err
		}
		return strings.TrimRight(a.text, "\r\n"), a.err == nil || a.text != "", nil
	case <-ctx.Done():
		return "", false, context.Cause(ctx)
	}
}
