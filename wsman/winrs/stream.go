package winrs

import (
	"encoding/base64"
	"strings"

	"github.com/casementhq/casement/wsman/internal/soap"
)

// Stream is a piece of a stream: input in a Send, output in a Receive. See
// [MS-WSMV] 2.2.4.38 and 3.1.4.13.
type Stream struct {
	Name      string
	CommandID string // empty for the streams of the shell itself
	End       bool   // nothing follows in this stream
	Data      []byte
}

// readStream reads an rsp:Stream; its data is appended to buf.
func readStream(r *soap.Reader, buf []byte) (Stream, []byte, error) {
	var s Stream
	for _, a := range r.Attrs() {
		switch string(a.Local) {
		case "Name":
			s.Name = name(a.Value)
		case "CommandId":
			s.CommandID = string(a.Value)
		case "End":
			// Clients write "True" too.
			s.End = strings.EqualFold(string(a.Value), "true") || string(a.Value) == "1"
		}
	}
	text, err := r.ReadText()
	if err != nil {
		return s, buf, err
	}
	from := len(buf)
	buf, err = appendBase64(buf, text)
	s.Data = buf[from:len(buf):len(buf)]
	return s, buf, err
}

// name avoids an allocation for the names that there nearly always are.
func name(b []byte) string {
	switch string(b) {
	case "stdout":
		return "stdout"
	case "stderr":
		return "stderr"
	case "stdin":
		return "stdin"
	}
	return string(b)
}

// appendBase64 appends the decoded text. White space inside is permitted.
func appendBase64(dst, text []byte) ([]byte, error) {
	text = soap.TrimSpace(text)
	for _, c := range text {
		if c == ' ' || c == '\t' {
			// The decoder itself skips only line ends.
			clean := make([]byte, 0, len(text))
			for _, c := range text {
				if c != ' ' && c != '\t' {
					clean = append(clean, c)
				}
			}
			text = clean
			break
		}
	}
	out, err := base64.StdEncoding.AppendDecode(dst, text)
	if err != nil {
		return dst, badValue("a stream is not base64")
	}
	return out, nil
}

func (s *Stream) write(w *soap.Writer) {
	w.Start(soap.Shell, "Stream")
	w.Attr(soap.None, "Name", s.Name)
	if s.CommandID != "" {
		w.Attr(soap.None, "CommandId", s.CommandID)
	}
	if s.End {
		w.Attr(soap.None, "End", "true")
	}
	w.Base64(s.Data)
	w.End()
}
