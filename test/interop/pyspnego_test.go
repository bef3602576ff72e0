package interop

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/auth/ntlm"
	"github.com/casementhq/casement/auth/spnego"
)

const (
	peerUser     = "Jürgen"
	peerPassword = "pass wörd 漢字"
)

// conversation is a pyspnego process at the other end of an exchange.
type conversation struct {
	t   *testing.T
	in  io.Writer
	out *bufio.Scanner
}

// answer is what pyspnego says; all bytes are in hex.
type answer struct {
	Error, Token, Header, Data, User, Key string
	Done                                  bool
	Padding                               int
}

func converse(t *testing.T, env ...string) *conversation {
	t.Helper()
	cmd := exec.Command(python(t, "spnego"), "pyspnego_peer.py")
	cmd.Env = append(append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1"), env...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c := &conversation{t: t, in: in, out: bufio.NewScanner(out)}
	c.out.Buffer(nil, 16<<20)
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	return c
}

func (c *conversation) do(request map[string]any) answer {
	c.t.Helper()
	line, err := json.Marshal(request)
	if err != nil {
		c.t.Fatal(err)
	}
	if _, err := c.in.Write(append(line, '\n')); err != nil {
		c.t.Fatal(err)
	}
	if !c.out.Scan() {
		c.t.Fatalf("pyspnego ended: %v", c.out.Err())
	}
	var a answer
	if err := json.Unmarshal(c.out.Bytes(), &a); err != nil {
		c.t.Fatalf("%v: %s", err, c.out.Bytes())
	}
	return a
}

func (c *conversation) step(token []byte) ([]byte, bool, string) {
	a := c.do(map[string]any{"do": "step", "token": hex.EncodeToString(token)})
	return c.bytes(a.Token), a.Done, a.Error
}

func (c *conversation) bytes(text string) []byte {
	c.t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		c.t.Fatal(err)
	}
	return b
}

// exchange is one row of the matrix.
type exchange struct {
	name, protocol string
	ours, theirs   *auth.ChannelBindings
	password       string
	refused        error // what our acceptor says; nil: the exchange succeeds
}

var (
	channel      = &auth.ChannelBindings{ApplicationData: append([]byte("tls-server-end-point:"), bytes.Repeat([]byte{7}, 32)...)}
	otherChannel = &auth.ChannelBindings{ApplicationData: append([]byte("tls-server-end-point:"), bytes.Repeat([]byte{8}, 32)...)}
)

var exchanges = []exchange{
	{name: "ntlm", protocol: "ntlm", password: peerPassword},
	{name: "ntlm with channel bindings", protocol: "ntlm", password: peerPassword, ours: channel, theirs: channel},
	{name: "spnego", protocol: "negotiate", password: peerPassword},
	{name: "spnego with channel bindings", protocol: "negotiate", password: peerPassword, ours: channel, theirs: channel},
	{name: "ntlm with a wrong password", protocol: "ntlm", password: "wrong", refused: auth.ErrLogonFailure},
	{name: "spnego with a wrong password", protocol: "negotiate", password: "wrong", refused: auth.ErrLogonFailure},
	{name: "ntlm with another channel's bindings", protocol: "ntlm", password: peerPassword, ours: channel, theirs: otherChannel, refused: auth.ErrBadBindings},
	{name: "spnego with another channel's bindings", protocol: "negotiate", password: peerPassword, ours: channel, theirs: otherChannel, refused: auth.ErrBadBindings},
}

func bindingText(b *auth.ChannelBindings) string {
	if b == nil {
		return ""
	}
	return hex.EncodeToString(b.ApplicationData)
}

// pyspnego's client against our acceptors: tokens, identity, session key, and sealed messages both ways as HTTP carries them.
// See [MS-NLMP] 3.2.5.1, 3.4.6, [MS-SPNG] 3.2.5 and [MS-WSMV] 2.2.9.1.
func TestPyspnegoClient(t *testing.T) {
	for _, x := range exchanges {
		t.Run(x.name, func(t *testing.T) {
			c := converse(t)
			if a := c.do(map[string]any{"do": "start", "side": "client", "protocol": x.protocol, "user": peerUser, "password": x.password, "bindings": bindingText(x.theirs)}); a.Error != "" {
				t.Fatal(a.Error)
			}
			acceptor := newAcceptor(x)
			token, _, failure := c.step(nil)
			if failure != "" {
				t.Fatal(failure)
			}
			done := false
			for range 6 {
				var out []byte
				var err error
				out, done, err = acceptor.Step(context.Background(), token)
				if x.refused != nil && err != nil {
					if !errors.Is(err, x.refused) {
						t.Fatalf("%v, want %v", err, x.refused)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				if done && len(out) == 0 {
					break
				}
				var theirs bool
				if token, theirs, failure = c.step(out); failure != "" {
					t.Fatal(failure)
				}
				if done && theirs {
					break
				}
			}
			if x.refused != nil {
				t.Fatal("it was let in")
			}
			if !done {
				t.Fatal("the exchange does not end")
			}
			if got := acceptor.Context().Identity().User; got != peerUser {
				t.Errorf("identity %q, want %q", got, peerUser)
			}
			compare(t, c, acceptor.Context())
		})
	}
}

// Our initiators against pyspnego's server.
func TestPyspnegoServer(t *testing.T) {
	for _, x := range exchanges {
		t.Run(x.name, func(t *testing.T) {
			c := converse(t)
			if a := c.do(map[string]any{
				"do": "start", "side": "server", "protocol": x.protocol, "bindings": bindingText(x.theirs),
				"accounts": [][]string{{"", peerUser, peerPassword}},
			}); a.Error != "" {
				t.Fatal(a.Error)
			}
			initiator := newInitiator(x)
			var token []byte
			theirs := false
			for range 6 {
				out, ours, err := initiator.Step(context.Background(), token)
				if x.refused != nil && err != nil {
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				if ours && theirs {
					break
				}
				var failure string
				token, theirs, failure = c.step(out)
				if failure != "" {
					if x.refused != nil {
						return
					}
					t.Fatal(failure)
				}
				if ours && theirs && len(token) == 0 {
					break
				}
			}
			if x.refused != nil {
				t.Fatal("it was let in")
			}
			if initiator.Context() == nil {
				t.Fatal("the exchange does not end")
			}
			compare(t, c, initiator.Context())
		})
	}
}

func newAcceptor(x exchange) auth.Acceptor {
	one := func() auth.Acceptor {
		return ntlm.NewAcceptor(ntlm.AcceptorOptions{
			NetBIOSName:     "CASEMENT",
			ChannelBindings: x.ours,
			Secrets: func(_ context.Context, _, user string) ([16]byte, error) {
				if !strings.EqualFold(user, peerUser) {
					return [16]byte{}, auth.ErrLogonFailure
				}
				return ntlm.NTHash(peerPassword), nil
			},
		})
	}
	if x.protocol == "ntlm" {
		return one()
	}
	return spnego.NewAcceptor(spnego.AcceptorMechanism{OID: spnego.OIDNTLM, New: one})
}

func newInitiator(x exchange) auth.Initiator {
	one := func() auth.Initiator {
		return ntlm.NewInitiator(ntlm.InitiatorOptions{
			Credentials:     auth.Credentials{Username: peerUser, Password: x.password},
			TargetName:      "HTTP/127.0.0.1",
			ChannelBindings: x.ours,
		})
	}
	if x.protocol == "ntlm" {
		return one()
	}
	return spnego.NewInitiator(spnego.InitiatorMechanism{OID: spnego.OIDNTLM, New: one})
}

// compare asks both ends for their session key, and sends sealed messages in both directions, several so that sequence numbers
// count; a message with one bit changed must be refused by both.
func compare(t *testing.T, c *conversation, ours auth.Context) {
	t.Helper()
	theirs := c.do(map[string]any{"do": "identity"})
	if got := hex.EncodeToString(ours.SessionKey()); got != theirs.Key {
		t.Fatalf("session key %s, pyspnego has %s", got, theirs.Key)
	}
	for _, size := range []int{1, 17, 4096, 150_000, 3} {
		plain := bytes.Repeat([]byte("casement "), size/9+1)[:size]

		body := bytes.Clone(plain)
		signature, err := ours.Seal([]auth.Buffer{{Data: body}})
		if err != nil {
			t.Fatal(err)
		}
		got := c.do(map[string]any{"do": "unseal", "header": hex.EncodeToString(signature), "data": hex.EncodeToString(body)})
		if got.Error != "" || !bytes.Equal(c.bytes(got.Data), plain) {
			t.Fatalf("pyspnego cannot open %d bytes of ours: %s", size, got.Error)
		}

		sealed := c.do(map[string]any{"do": "seal", "data": hex.EncodeToString(plain)})
		body = c.bytes(sealed.Data)
		if sealed.Error != "" || sealed.Padding != 0 {
			t.Fatalf("pyspnego seals %d bytes: %s, padding %d", size, sealed.Error, sealed.Padding)
		}
		if err := ours.Unseal([]auth.Buffer{{Data: body}}, c.bytes(sealed.Header)); err != nil {
			t.Fatalf("we cannot open %d bytes of pyspnego: %v", size, err)
		}
		if !bytes.Equal(body, plain) {
			t.Fatalf("%d bytes of pyspnego come out changed", size)
		}
	}
	body := []byte("one bit of this is changed on its way")
	signature, err := ours.Seal([]auth.Buffer{{Data: body}})
	if err != nil {
		t.Fatal(err)
	}
	body[5] ^= 1
	if got := c.do(map[string]any{"do": "unseal", "header": hex.EncodeToString(signature), "data": hex.EncodeToString(body)}); got.Error == "" {
		t.Error("pyspnego opened a changed message: this comparison proves nothing")
	}
	sealed := c.do(map[string]any{"do": "seal", "data": hex.EncodeToString([]byte("and of this"))})
	body = c.bytes(sealed.Data)
	body[0] ^= 1
	if err := ours.Unseal([]auth.Buffer{{Data: body}}, c.bytes(sealed.Header)); err == nil {
		t.Error("we opened a changed message")
	}
}
