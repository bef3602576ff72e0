package consumers

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"net/smtp"
	"strings"
	"time"

	"github.com/casementhq/casement/cim"
)

// mailTimeout bounds one mail, from the connection to its acceptance.
const mailTimeout = 30 * time.Second

// recipientLines are the properties that say who gets a mail, and the header
// lines that they become; blind copies have none.
var recipientLines = []struct{ property, header string }{{"ToLine", "To"}, {"CcLine", "Cc"}, {"BccLine", ""}}

func checkMail(c *cim.Instance) error {
	server, _ := text(c, "SMTPServer")
	if server == "" || strings.ContainsAny(server, " \t\r\n/@") {
		return invalid("SMTPServer is not the name or the address of a server")
	}
	for _, v := range c.Get("HeaderFields").Elems() {
		field, _ := v.Str()
		if name, _, ok := strings.Cut(field, ":"); !ok || name == "" || strings.ContainsAny(name, " \t") || !isLine(field) {
			return invalid("an element of HeaderFields is no header line")
		}
	}
	for _, l := range recipientLines {
		if _, ok := text(c, l.property); ok {
			return nil
		}
	}
	return invalid("one of ToLine, CcLine and BccLine is needed")
}

// isLine tells whether s is one line of US-ASCII.
func isLine(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' && s[i] != '\t' || s[i] >= 0x7F {
			return false
		}
	}
	return true
}

// letter is a mail ready to be sent.
type letter struct {
	from string
	to   []string
	data []byte
}

// sendMail sends one mail. Nothing signs in and nothing is encrypted: the
// class has no properties for it.
func (p *Provider) sendMail(ctx context.Context, _ cim.Caller, c *cim.Instance, x *expansion) error {
	if p.o.Dial == nil {
		return denied("mails of event consumers are not permitted here")
	}
	l, err := p.compose(c, x)
	if err != nil {
		return err
	}
	server, _ := text(c, "SMTPServer")
	ctx, cancel := context.WithTimeout(ctx, mailTimeout)
	defer cancel()
	if err := p.deliver(ctx, strings.Trim(server, "[]"), l); err != nil {
		if ctx.Err() != nil {
			err = fmt.Errorf("%s does not answer within %v: %w", server, mailTimeout, err)
		}
		return failed("the mail was not sent", err)
	}
	return nil
}

// maxReplies bounds what a mail server answers in all, in bytes.
const maxReplies = 64 << 10

// terse is a connection to somebody who has little to say.
type terse struct {
	net.Conn
	left int
}

func (t *terse) Read(b []byte) (int, error) {
	if t.left <= 0 {
		return 0, errors.New("the mail server says too much")
	}
	n, err := t.Conn.Read(b[:min(len(b), t.left)])
	t.left -= n
	return n, err
}

func (p *Provider) deliver(ctx context.Context, server string, l *letter) error {
	conn, err := p.o.Dial(ctx, "tcp", net.JoinHostPort(server, "25"))
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	client, err := smtp.NewClient(&terse{conn, maxReplies}, server)
	if err != nil {
		return err
	}
	if err := client.Hello(p.machine()); err != nil {
		return err
	}
	if err := client.Mail(l.from); err != nil {
		return err
	}
	for _, to := range l.to {
		if err := client.Rcpt(to); err != nil {
			return err
		}
	}
	w, err := client.Data()
	if err != nil {
		return err
	}
	if _, err := w.Write(l.data); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	_ = client.Quit() // the mail is the server's by now
	return nil
}

// machine is this machine's name as a mail may carry it.
func (p *Provider) machine() string {
	if p.o.MachineName == "" || !isLine(p.o.MachineName) || strings.ContainsAny(p.o.MachineName, " \t") {
		return "localhost"
	}
	return p.o.MachineName
}

// compose makes the mail of one event.
func (p *Provider) compose(c *cim.Instance, x *expansion) (*letter, error) {
	l := &letter{}
	var head bytes.Buffer
	from, err := filled(c, "FromLine", x)
	if err != nil {
		return nil, err
	}
	if _, ok := text(c, "FromLine"); !ok {
		from = "WinMgmt@" + p.machine()
	}
	sender, err := addresses(from)
	if err != nil || len(sender) != 1 {
		return nil, invalid("FromLine is not one address")
	}
	l.from = sender[0].Address
	fmt.Fprintf(&head, "From: %s\r\n", sender[0])
	for _, line := range recipientLines {
		list, err := p.recipients(c, x, line.property)
		if err != nil {
			return nil, err
		}
		var shown []string
		for _, a := range list {
			l.to = append(l.to, a.Address)
			shown = append(shown, a.String())
		}
		if line.header != "" && len(shown) > 0 {
			fmt.Fprintf(&head, "%s: %s\r\n", line.header, strings.Join(shown, ",\r\n\t"))
		}
	}
	if len(l.to) == 0 {
		return nil, invalid("there is nobody to send the mail to")
	}
	replies, err := p.recipients(c, x, "ReplyToLine")
	if err != nil {
		return nil, err
	}
	for _, a := range replies[:min(1, len(replies))] {
		fmt.Fprintf(&head, "Reply-To: %s\r\n", a)
	}
	subject, err := filled(c, "Subject", x)
	if err != nil {
		return nil, err
	}
	subject = strings.Join(strings.Fields(subject), " ") // no line of the event becomes one of the header
	fmt.Fprintf(&head, "Subject: %s\r\nDate: %s\r\nMessage-ID: <%s@%s>\r\n", mime.QEncoding.Encode("utf-8", subject),
		p.o.Now().Format(time.RFC1123Z), newID(), p.machine())
	for _, v := range c.Get("HeaderFields").Elems() {
		field, _ := v.Str()
		head.WriteString(field + "\r\n")
	}
	body, err := filled(c, "Message", x)
	if err != nil {
		return nil, err
	}
	l.data, err = withBody(&head, body)
	return l, err
}

// withBody ends the header and adds the body: as it is where it is US-ASCII
// with lines that fit, otherwise in a form that is.
func withBody(head *bytes.Buffer, body string) ([]byte, error) {
	body = strings.ReplaceAll(body, "\r\n", "\n")
	plain := true
	for _, line := range strings.Split(body, "\n") {
		plain = plain && isLine(line) && len(line) <= 998
	}
	head.WriteString("MIME-Version: 1.0\r\n")
	if plain {
		head.WriteString("Content-Type: text/plain; charset=us-ascii\r\n\r\n")
		head.WriteString(strings.ReplaceAll(body, "\n", "\r\n"))
		return head.Bytes(), nil
	}
	head.WriteString("Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n")
	w := quotedprintable.NewWriter(head)
	if _, err := w.Write([]byte(body)); err != nil {
		return nil, err
	}
	err := w.Close()
	return head.Bytes(), err
}

func newID() string {
	var b [12]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// recipients are the addresses in a property.
func (p *Provider) recipients(c *cim.Instance, x *expansion, property string) ([]*mail.Address, error) {
	s, err := filled(c, property, x)
	if err != nil {
		return nil, err
	}
	list, err := addresses(s)
	if err != nil {
		return nil, invalid(property + " has something that is no address")
	}
	return list, nil
}

// addresses reads a list with commas or semicolons.
func addresses(s string) (list []*mail.Address, err error) {
	var parts []string
	quoted, start := false, 0
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '"':
			quoted = !quoted
		case !quoted && (s[i] == ',' || s[i] == ';'):
			parts = append(parts, s[start:i])
			start = i + 1
		}
	}
	for _, part := range append(parts, s[start:]) {
		if strings.TrimSpace(part) == "" {
			continue
		}
		a, err := mail.ParseAddress(part)
		if err != nil {
			return nil, err
		}
		if !isLine(a.Address) {
			return nil, fmt.Errorf("%q is not US-ASCII", a.Address)
		}
		list = append(list, a)
	}
	return list, nil
}
