package consumers

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/casementhq/casement/cim"
)

// mailServer speaks enough SMTP to take one mail over a pipe. refuse is the
// command that it does not like.
type mailServer struct {
	refuse   string
	rude     bool // hangs up when it has the mail
	commands []string
	mail     []byte
	done     chan struct{}
}

func (s *mailServer) dial(_ context.Context, network, address string) (net.Conn, error) {
	if network != "tcp" || address != "mail.example:25" {
		return nil, errors.New("wrong server " + address)
	}
	client, server := net.Pipe()
	s.done = make(chan struct{})
	go s.serve(server)
	return client, nil
}

func (s *mailServer) serve(c net.Conn) {
	defer close(s.done)
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	r := bufio.NewReader(c)
	reply := func(line string) { _, _ = io.WriteString(c, line+"\r\n") }
	reply("220 test")
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimRight(line, "\r\n")
		s.commands = append(s.commands, line)
		switch {
		case s.refuse != "" && strings.HasPrefix(line, s.refuse):
			reply("550")
		case line == "DATA":
			reply("354 go")
			for {
				line, err := r.ReadString('\n')
				if err != nil || line == ".\r\n" {
					break
				}
				s.mail = append(s.mail, strings.TrimPrefix(line, ".")...)
			}
			reply("250 taken")
			if s.rude {
				return
			}
		case line == "QUIT":
			reply("221 bye")
			return
		default:
			reply("250 ok")
		}
	}
}

func sendTo(t *testing.T, s *mailServer, values ...any) error {
	t.Helper()
	at := time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)
	p := provider(t, Options{Dial: s.dial, MachineName: "HOST", Now: func() time.Time { return at }})
	err := consume(p, nil, consumer(t, p, "SMTPEventConsumer", append([]any{"SMTPServer", "mail.example"}, values...)...), testEvent(t))
	if s.done != nil {
		<-s.done
	}
	return err
}

func TestMail(t *testing.T) {
	s := &mailServer{}
	err := sendTo(t, s, "ToLine", `a@example.com; "Doe, %Name%" <b@example.com>`, "CcLine", "%Name%@example.com,", "BccLine", "hidden@example.com", "ReplyToLine", "r@example.com",
		"Subject", "%Name% at %CPUUtilization%%%", "Message", "first\n.second %Name%", "HeaderFields", cim.Strs([]string{"X-Priority: 1"}))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"EHLO HOST", "MAIL FROM:<WinMgmt@HOST>", "RCPT TO:<a@example.com>", "RCPT TO:<b@example.com>", "RCPT TO:<sample@example.com>", "RCPT TO:<hidden@example.com>", "DATA", "QUIT",
	}
	if !slices.Equal(s.commands, want) {
		t.Errorf("%q, want %q", s.commands, want)
	}
	m, err := mail.ReadMessage(bytes.NewReader(s.mail))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"From": "<WinMgmt@HOST>", "Cc": "<sample@example.com>", "Bcc": "", "Reply-To": "<r@example.com>", "Subject": "sample at 90%", "X-Priority": "1",
		"Date": "Mon, 06 May 2024 07:08:09 +0000",
	} {
		if got := m.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	// The quotes keep the comma together, and the percent signs in them as they are.
	if to, err := m.Header.AddressList("To"); err != nil || len(to) != 2 || to[1].Name != "Doe, %Name%" {
		t.Errorf("%v %v", to, err)
	}
	if body, err := io.ReadAll(m.Body); err != nil || string(body) != "first\r\n.second sample\r\n" {
		t.Errorf("%q %v", body, err)
	}
}

// TestMailOfHostileEvent: what an event holds becomes neither a header line nor
// a command.
func TestMailOfHostileEvent(t *testing.T) {
	s := &mailServer{}
	event := "x\r\nBcc: evil@example.com\r\n\r\nö"
	p := provider(t, Options{Dial: s.dial})
	e := testEvent(t)
	if err := e.Set("Name", cim.Str(event)); err != nil {
		t.Fatal(err)
	}
	if err := consume(p, nil, consumer(t, p, "SMTPEventConsumer", "SMTPServer", "mail.example", "ToLine", "a@example.com", "Subject", "%Name%", "Message", "%Name%"), e); err != nil {
		t.Fatal(err)
	}
	<-s.done
	m, err := mail.ReadMessage(bytes.NewReader(s.mail))
	if err != nil {
		t.Fatal(err)
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	if err != nil || subject != "x Bcc: evil@example.com ö" || m.Header.Get("Bcc") != "" {
		t.Errorf("%q %v", subject, err)
	}
	if body, err := io.ReadAll(quotedprintable.NewReader(m.Body)); err != nil || strings.TrimSuffix(string(body), "\r\n") != event {
		t.Errorf("%q %v", body, err)
	}
	for i := range s.mail {
		if s.mail[i] >= 0x80 {
			t.Fatal("the mail is not US-ASCII")
		}
	}
	for _, line := range []string{"ToLine", "CcLine", "FromLine", "ReplyToLine"} {
		values := []any{"SMTPServer", "mail.example", "BccLine", "b@example.com", line, "%Name%@example.com"}
		if err := consume(p, nil, consumer(t, p, "SMTPEventConsumer", values...), e); !errors.Is(err, cim.ErrInvalidParameter) {
			t.Errorf("%s: %v", line, err)
		}
	}
}

func TestMailRefused(t *testing.T) {
	for _, command := range []string{"MAIL", "RCPT", "DATA"} {
		s := &mailServer{refuse: command}
		var failure *cim.Error
		if err := sendTo(t, s, "ToLine", "a@example.com"); !errors.As(err, &failure) || failure.Status != cim.ErrFailed || !strings.Contains(failure.Detail, "550") {
			t.Errorf("%s is refused: %v", command, err)
		}
		if s.mail != nil {
			t.Errorf("%s is refused, but a mail came", command)
		}
	}
	if s := (&mailServer{rude: true}); sendTo(t, s, "ToLine", "a@example.com") != nil || s.mail == nil {
		t.Error("a mail that was taken has failed")
	}
	if err := sendTo(t, &mailServer{}, "ToLine", "%Nothing%"); !errors.Is(err, cim.ErrInvalidParameter) {
		t.Errorf("nobody: %v", err)
	}
}

// TestMailIsGivenUp: a server that says nothing holds nobody.
func TestMailIsGivenUp(t *testing.T) {
	client, server := net.Pipe()
	defer server.Close()
	p := provider(t, Options{Dial: func(context.Context, string, string) (net.Conn, error) { return client, nil }})
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(50*time.Millisecond, cancel)
	if err := p.deliver(ctx, "mail.example", &letter{}); err == nil {
		t.Error("sent")
	}
}

// TestMailServerSaysTooMuch: an answer without an end is read to a bound.
func TestMailServerSaysTooMuch(t *testing.T) {
	client, server := net.Pipe()
	p := provider(t, Options{Dial: func(context.Context, string, string) (net.Conn, error) { return client, nil }})
	sent := make(chan int)
	go func() {
		all := 0
		for {
			n, err := server.Write([]byte("220-" + strings.Repeat("x", 4092)))
			if all += n; err != nil {
				break
			}
		}
		sent <- all
	}()
	if err := p.deliver(t.Context(), "mail.example", &letter{}); err == nil || !strings.Contains(err.Error(), "too much") {
		t.Errorf("%v", err)
	}
	if n := <-sent; n > maxReplies {
		t.Errorf("%d bytes were read", n)
	}
}
