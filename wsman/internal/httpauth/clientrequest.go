package httpauth

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// writeRequest writes a whole request. What is the same in all of them is made once.
func (c *ClientConn) writeRequest(w *bytes.Buffer, authorization, contentType string, body []byte) error {
	if c.prefix == nil {
		if err := c.makePrefix(); err != nil {
			return err
		}
	}
	w.Write(c.prefix)
	w.WriteString("Content-Length: ")
	w.Write(strconv.AppendInt(w.AvailableBuffer(), int64(len(body)), 10))
	for _, h := range [2][2]string{{"\r\nAuthorization: ", authorization}, {"\r\nContent-Type: ", contentType}} {
		if h[1] == "" {
			continue
		}
		if strings.ContainsAny(h[1], "\r\n\x00") {
			return fmt.Errorf("httpauth: request: a line end in the header%s", strings.TrimSpace(h[0]))
		}
		w.WriteString(h[0])
		w.WriteString(h[1])
	}
	w.WriteString("\r\n")
	if err := c.extra.Write(w); err != nil {
		return fmt.Errorf("httpauth: request: %w", err)
	}
	w.WriteString("\r\n")
	w.Write(body)
	return nil
}

// makePrefix lets net/http write a request without a body and keeps its head but for the length.
func (c *ClientConn) makePrefix() error {
	u := c.opts.URL
	req := &http.Request{Method: http.MethodPost, Host: u.Host, Header: c.opts.Header.Clone(), Body: http.NoBody,
		URL: &url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath, RawQuery: u.RawQuery}}
	if req.Header == nil {
		req.Header = http.Header{}
	}
	req.Header.Set("Accept-Encoding", "identity")
	var b bytes.Buffer
	if err := req.Write(&b); err != nil {
		return fmt.Errorf("httpauth: request: %w", err)
	}
	const length, end = "Content-Length: 0\r\n", "\r\n"
	head := strings.Replace(b.String(), "\r\n"+length, "\r\n", 1)
	c.prefix = []byte(strings.TrimSuffix(head, end))
	return nil
}
