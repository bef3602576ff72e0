package wsmanclient_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/wsman/wsmanclient"
)

// opensslServer is `openssl s_server`: what a client sends it prints, and what is written to it goes to the client, but for a line
// that is one of its commands. R asks for a client certificate by a renegotiation, as Windows does.
type opensslServer struct {
	t     *testing.T
	lines chan string
	in    io.Writer
	addr  string
}

// newOpensslServer also makes the certificates of server.pem and client.pem, in the folder that it returns.
func newOpensslServer(t *testing.T) (*opensslServer, string) {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		if os.Getenv("CASEMENT_CI") == "1" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
	t.Cleanup(cancel)
	for _, name := range []string{"server", "client"} {
		file := filepath.Join(dir, name+".pem")
		out, err := exec.CommandContext(ctx, "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1",
			"-subj", "/CN="+name+" of the test", "-keyout", file+".key", "-out", file).CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	file := filepath.Join(dir, "server.pem")
	cmd := exec.CommandContext(ctx, "openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", file, "-key", file+".key", "-crlf", "-naccept", "1")
	out, writer := io.Pipe()
	cmd.Stdout, cmd.Stderr = writer, writer
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s := &opensslServer{t: t, in: in, lines: make(chan string, 1024)}
	read := make(chan struct{})
	go func() {
		defer close(read)
		defer close(s.lines)
		for text := bufio.NewScanner(out); text.Scan(); {
			select {
			case s.lines <- text.Text():
			default: // nobody waits for so many
			}
		}
	}()
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // it was killed
		writer.Close()
		<-read
	})
	_, s.addr, _ = strings.Cut(s.await("ACCEPT "), " ")
	return s, dir
}

// await reads lines until one holds a text, and returns it.
func (s *opensslServer) await(text string) string {
	s.t.Helper()
	end := time.After(20 * time.Second)
	var all []string
	for {
		select {
		case line, ok := <-s.lines:
			if strings.Contains(line, text) {
				return line
			}
			if all = append(all, line); ok {
				continue
			}
		case <-end:
		}
		s.t.Fatalf("no %q from openssl s_server; it wrote:\n%s", text, strings.Join(all, "\n"))
	}
}

func (s *opensslServer) write(format string, args ...any) {
	s.t.Helper()
	if _, err := fmt.Fprintf(s.in, format, args...); err != nil {
		s.t.Fatal(err)
	}
}

// identified is an answer of a server, in lines that are no commands of openssl s_server.
func identified() string {
	body := `<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:wsmid="http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd"><s:Header/><s:Body><wsmid:IdentifyResponse>` +
		`<wsmid:ProtocolVersion>http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd</wsmid:ProtocolVersion><wsmid:ProductVendor>A test</wsmid:ProductVendor>` +
		`<wsmid:ProductVersion>1</wsmid:ProductVersion></wsmid:IdentifyResponse></s:Body></s:Envelope>`
	return fmt.Sprintf("HTTP/1.1 200 OK\nContent-Type: application/soap+xml;charset=UTF-8\nContent-Length: %d\n\n%s\n", len(body)+2, body)
}

// A server that asks for the certificate when it has read the request gets it, by one renegotiation of TLS 1.2; a second one ends the
// connection.
func TestCertificateByRenegotiation(t *testing.T) {
	server, dir := newOpensslServer(t)
	file := filepath.Join(dir, "client.pem")
	pair, err := tls.LoadX509KeyPair(file, file+".key")
	if err != nil {
		t.Fatal(err)
	}
	root, err := os.ReadFile(filepath.Join(dir, "server.pem"))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(root)
	c, err := wsmanclient.New("https://"+server.addr, wsmanclient.Options{Scheme: wsmanclient.Certificate, Certificate: &pair, OperationTimeout: 20 * time.Second,
		TLS: wsmanclient.TLSOptions{SkipCN: true, Config: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	vendor := make(chan string, 1)
	go func() {
		id, err := c.Identify(t.Context(), wsmanclient.IdentifyOptions{})
		if err != nil {
			vendor <- err.Error()
			return
		}
		vendor <- id.ProductVendor
	}()
	server.await("Secure Renegotiation IS supported")
	if line := server.await("Authorization:"); !strings.HasSuffix(line, "http://schemas.dmtf.org/wbem/wsman/1/wsman/secprofile/https/mutual") {
		t.Error(line)
	}
	server.await("Content-Type:") // the body is no whole line
	server.write("R\n")
	server.await("client of the test")
	server.write("%s", identified())
	if got := <-vendor; got != "A test" {
		t.Fatalf("after the renegotiation: %s", got)
	}

	failed := make(chan error, 1)
	go func() {
		_, err := c.Identify(t.Context(), wsmanclient.IdentifyOptions{})
		failed <- err
	}()
	server.await("POST /wsman")
	server.write("R\n")
	if err := <-failed; err == nil || errors.Is(err, auth.ErrLogonFailure) {
		t.Errorf("after a second renegotiation: %v", err)
	}
}
