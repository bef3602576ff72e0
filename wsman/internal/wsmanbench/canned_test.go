//go:build unix

package wsmanbench

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/auth/ntlm"
	"github.com/casementhq/casement/auth/spnego"
	"github.com/casementhq/casement/wsman/internal/httpauth"
)

const (
	winrsUser     = "bench"
	winrsPassword = "not a secret: it guards nothing"
)

// winrs answers the requests of a remote shell with envelopes that were made
// beforehand. A command line is "output SIZE CHUNK": so many bytes of output,
// so many in each answer.
type winrs struct {
	auth *httpauth.Server

	mu     sync.Mutex
	chunks map[int]string // base64, by size
	left   int
	chunk  int
}

// cannedWinRS serves Basic and Negotiate, plain and sealed: the answer is sealed
// where the request was.
func cannedWinRS() (server, error) {
	l, err := listen()
	if err != nil {
		return server{}, err
	}
	hash := ntlm.NTHash(winrsPassword)
	s := &winrs{chunks: map[int]string{}}
	s.auth = &httpauth.Server{
		Schemes: func(*http.Request) []string { return []string{httpauth.Negotiate, httpauth.Basic} },
		Acceptors: map[string]func(httpauth.ConnInfo) auth.Acceptor{httpauth.Negotiate: func(httpauth.ConnInfo) auth.Acceptor {
			return spnego.NewAcceptor(spnego.AcceptorMechanism{OID: spnego.OIDNTLM, New: func() auth.Acceptor {
				return ntlm.NewAcceptor(ntlm.AcceptorOptions{NetBIOSName: "CANNED", DNSName: "canned",
					Secrets: func(context.Context, string, string) ([16]byte, error) { return hash, nil }})
			}})
		}},
		CheckBasic: func(_ context.Context, user, _ string, _ net.Addr) (auth.Identity, error) {
			return auth.Identity{User: user}, nil
		},
	}
	h := &http.Server{Handler: s, ConnContext: s.auth.ConnContext} // #nosec G112 -- it serves its parent
	go h.Serve(l)                                                  //nolint:errcheck // ends with the process
	return server{URL: "http://" + l.Addr().String() + "/wsman", User: winrsUser, Password: winrsPassword}, nil
}

func (s *winrs) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ex := s.auth.Authenticate(w, r)
	if ex == nil {
		return
	}
	body, err := ex.ReadBody(1 << 20)
	if err != nil {
		ex.Fail(httpauth.Status(err))
		return
	}
	if len(body) == 0 {
		_ = ex.Reply(http.StatusOK, "", nil)
		return
	}
	_ = ex.Reply(http.StatusOK, "", s.answer(body))
}

const (
	wsTransfer = "http://schemas.xmlsoap.org/ws/2004/09/transfer/"
	wsShell    = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell/"
	cmdURI     = wsShell + "cmd"
	oneID      = "11111111-2222-3333-4444-555555555555"
)

// between is what stands between two marks.
func between(b []byte, from, to string) string {
	_, rest, ok := bytes.Cut(b, []byte(from))
	if !ok {
		return ""
	}
	text, _, _ := bytes.Cut(rest, []byte(to))
	return string(text)
}

func (s *winrs) answer(request []byte) []byte {
	head := request[:min(len(request), 4096)]
	action := between(head, "Action", "</")
	action = action[strings.LastIndexByte(action, '>')+1:]
	id := between(head, "MessageID", "</")
	id = id[strings.LastIndexByte(id, '>')+1:]
	var body string
	switch action {
	case wsTransfer + "Create":
		body = `<x:ResourceCreated><a:Address>http://localhost/wsman</a:Address><a:ReferenceParameters><w:ResourceURI>` + cmdURI +
			`</w:ResourceURI><w:SelectorSet><w:Selector Name="ShellId">` + oneID + `</w:Selector></w:SelectorSet></a:ReferenceParameters></x:ResourceCreated>`
	case wsShell + "Command":
		s.begin(string(request))
		body = `<rsp:CommandResponse><rsp:CommandId>` + oneID + `</rsp:CommandId></rsp:CommandResponse>`
	case wsShell + "Receive":
		body = s.receive()
	case wsShell + "Signal":
		body = `<rsp:SignalResponse/>`
	}
	out := make([]byte, 0, 2048+len(body))
	return fmt.Appendf(out, `<s:Envelope xml:lang="en-US" xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" xmlns:x="http://schemas.xmlsoap.org/ws/2004/09/transfer" xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd" xmlns:rsp="http://schemas.microsoft.com/wbem/wsman/1/windows/shell" xmlns:p="http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd"><s:Header><a:Action>%sResponse</a:Action><a:MessageID>uuid:%s</a:MessageID><a:To>http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous</a:To><a:RelatesTo>%s</a:RelatesTo></s:Header><s:Body>%s</s:Body></s:Envelope>`,
		action, oneID, id, body)
}

// begin reads the command line.
func (s *winrs) begin(request string) {
	_, rest, _ := strings.Cut(request, "output ")
	size, rest, _ := strings.Cut(rest, " ")
	end := 0
	for end < len(rest) && rest[end] >= '0' && rest[end] <= '9' {
		end++
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left, _ = strconv.Atoi(size)
	s.chunk, _ = strconv.Atoi(rest[:end])
}

// receive makes the answer to one Receive. The bytes are of every value.
func (s *winrs) receive() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := min(s.chunk, s.left)
	s.left -= n
	text, ok := s.chunks[n]
	if !ok {
		raw := make([]byte, n)
		for i := range raw {
			raw[i] = byte(i * 7)
		}
		text = base64.StdEncoding.EncodeToString(raw)
		s.chunks[n] = text
	}
	state := `<rsp:CommandState CommandId="` + oneID + `" State="` + wsShell + `CommandState/Running"/>`
	if s.left == 0 {
		state = `<rsp:CommandState CommandId="` + oneID + `" State="` + wsShell + `CommandState/Done"><rsp:ExitCode>0</rsp:ExitCode></rsp:CommandState>`
	}
	return `<rsp:ReceiveResponse><rsp:Stream Name="stdout" CommandId="` + oneID + `">` + text + `</rsp:Stream>` + state + `</rsp:ReceiveResponse>`
}
