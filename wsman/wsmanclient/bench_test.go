package wsmanclient_test

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
	"testing"

	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/winrs"
	"github.com/casementhq/casement/wsman/wsmanclient"
)

// canned answers with bytes that were made before, so that a benchmark measures
// the client.
type canned struct {
	answers map[string][2][]byte // by action: before and after the RelatesTo
	receive func() string        // which Receive answer is next
}

const mark = "uuid:00000000-0000-0000-0000-000000000000"

func (s *canned) put(t testing.TB, name, action string, body wsman.Body) {
	t.Helper()
	h := wsman.Header{Action: action + "Response", MessageID: mark[:len(mark)-1] + "1", RelatesTo: mark, To: wsman.Anonymous}
	b, err := wsman.AppendMessage(nil, &h, body)
	if err != nil {
		t.Fatal(err)
	}
	before, after, _ := bytes.Cut(b, []byte(mark))
	s.answers[name] = [2][]byte{before, after}
}

func (s *canned) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	i := bytes.Index(b, []byte("<a:MessageID>")) + len("<a:MessageID>")
	id := b[i : i+len(mark)]
	j := bytes.Index(b, []byte("Action s:mustUnderstand"))
	k := j + bytes.IndexByte(b[j:], '<')
	name := last(string(b[j:k]))
	if name == "Receive" {
		name = s.receive()
	}
	a := s.answers[name]
	w.Header().Set("Content-Type", "application/soap+xml;charset=UTF-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(a[0])+len(id)+len(a[1])))
	for _, part := range [][]byte{a[0], id, a[1]} {
		w.Write(part) //nolint:errcheck // the client notices
	}
}

func newCanned(t testing.TB, chunk, count int) *canned {
	s := &canned{answers: map[string][2][]byte{}}
	s.put(t, "Create", wsman.ActionCreate, created("S"))
	s.put(t, "Command", winrs.ActionCommand, &winrs.CommandResponse{CommandID: command})
	s.put(t, "Signal", winrs.ActionSignal, winrs.Empty("SignalResponse"))
	s.put(t, "Delete", wsman.ActionDelete, nil)
	data := bytes.Repeat([]byte("The quick brown fox.\r\n"), chunk/22+1)[:chunk]
	s.put(t, "more", winrs.ActionReceive, &winrs.ReceiveResponse{CommandID: command, State: winrs.Running,
		Streams: []winrs.Stream{{Name: "stdout", CommandID: command, Data: data}}})
	s.put(t, "end", winrs.ActionReceive, done(0, winrs.Stream{Name: "stdout", CommandID: command, Data: data},
		winrs.Stream{Name: "stdout", CommandID: command, End: true}))
	left := count
	s.receive = func() string {
		if left--; left > 0 {
			return "more"
		}
		left = count
		return "end"
	}
	return s
}

// BenchmarkOutput fetches 50 MB of a command's output.
func BenchmarkOutput(b *testing.B) {
	const total = 50 << 20
	for name, chunk := range map[string]int{"32KiB": 32 << 10, "256KiB": 256 << 10} {
		b.Run(name, func(b *testing.B) {
			c := client(b, "http://h", serve(b, newCanned(b, chunk, total/chunk)))
			s, err := c.CreateShell(b.Context(), wsmanclient.ShellOptions{})
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(total)
			b.ReportAllocs()
			for b.Loop() {
				var n counter
				if _, err := s.Run(b.Context(), wsmanclient.CommandOptions{Command: "x", Stdout: &n}, nil); err != nil || n != total {
					b.Fatal(n, err)
				}
			}
		})
	}
}

// BenchmarkSmallCommand makes a shell, runs a command of one line and deletes
// the shell.
func BenchmarkSmallCommand(b *testing.B) {
	c := client(b, "http://h", serve(b, newCanned(b, 12, 1)))
	b.ReportAllocs()
	for b.Loop() {
		s, err := c.CreateShell(b.Context(), wsmanclient.ShellOptions{})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := s.Run(b.Context(), wsmanclient.CommandOptions{Command: "x"}, nil); err != nil {
			b.Fatal(err)
		}
		if err := s.Close(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

type counter int

func (c *counter) Write(b []byte) (int, error) {
	*c += counter(len(b))
	return len(b), nil
}
