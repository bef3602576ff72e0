// Command masterzen drives github.com/masterzen/winrm, unpatched, against a service and prints one JSON line for each named check.
// It is a module of its own so that its needs stay out of the root module. The service is named by CASEMENT_HTTP, CASEMENT_HTTPS,
// CASEMENT_USER and CASEMENT_PASSWORD.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/masterzen/winrm"
)

// check prints the outcome of one named check.
func check(name string, do func() (string, error)) {
	detail, err := do()
	if err != nil {
		detail = err.Error()
	}
	line, _ := json.Marshal(map[string]any{"name": name, "ok": err == nil, "detail": detail})
	fmt.Println(string(line))
}

func endpoint(name string) *winrm.Endpoint {
	u, err := url.Parse(os.Getenv(name))
	if err != nil {
		panic(name + ": " + err.Error())
	}
	port, _ := strconv.Atoi(u.Port())
	return winrm.NewEndpoint(u.Hostname(), port, u.Scheme == "https", true, nil, nil, nil, time.Minute)
}

func sealed() (*winrm.Client, error) {
	params := *winrm.DefaultParameters
	enc, err := winrm.NewEncryption("ntlm")
	if err != nil {
		return nil, err
	}
	params.TransportDecorator = func() winrm.Transporter { return enc }
	return winrm.NewClientWithParameters(endpoint("CASEMENT_HTTP"), os.Getenv("CASEMENT_USER"), os.Getenv("CASEMENT_PASSWORD"), &params)
}

func basicHTTPS() (*winrm.Client, error) {
	return winrm.NewClient(endpoint("CASEMENT_HTTPS"), os.Getenv("CASEMENT_USER"), os.Getenv("CASEMENT_PASSWORD"))
}

func ntlmHTTPS() (*winrm.Client, error) {
	params := *winrm.DefaultParameters
	params.TransportDecorator = func() winrm.Transporter { return &winrm.ClientNTLM{} }
	return winrm.NewClientWithParameters(endpoint("CASEMENT_HTTPS"), os.Getenv("CASEMENT_USER"), os.Getenv("CASEMENT_PASSWORD"), &params)
}

// hostname runs `hostname` and compares with what this machine says of itself.
func hostname(open func() (*winrm.Client, error)) func() (string, error) {
	return func() (string, error) {
		client, err := open()
		if err != nil {
			return "", err
		}
		want, err := os.Hostname()
		if err != nil {
			return "", err
		}
		out, errOut, code, err := client.RunCmdWithContext(context.Background(), "hostname")
		if err == nil && (strings.TrimSpace(out) != want || code != 0) {
			err = fmt.Errorf("got %q (stderr %q, code %d), want %q", out, errOut, code, want)
		}
		return out, err
	}
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "bench" {
		if err := bench(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	check("hostname by sealed ntlm over http", hostname(sealed))
	check("hostname by basic over https", hostname(basicHTTPS))
	check("hostname by ntlm over https", hostname(ntlmHTTPS))
	check("exit code and stderr", func() (string, error) {
		client, err := sealed()
		if err != nil {
			return "", err
		}
		_, errOut, code, err := client.RunCmdWithContext(context.Background(), "echo oops 1>&2; exit 7")
		if err == nil && (strings.TrimSpace(errOut) != "oops" || code != 7) {
			err = fmt.Errorf("stderr %q, code %d", errOut, code)
		}
		return errOut, err
	})
	// It sends input while it receives output, and its sealed transport keeps one session for both: over http that goes wrong at random.
	check("stdin comes back", func() (string, error) {
		client, err := basicHTTPS()
		if err != nil {
			return "", err
		}
		out, _, code, err := client.RunWithContextWithString(context.Background(), "cat", "one\ntwo\n")
		if err == nil && (out != "one\ntwo\n" || code != 0) {
			err = fmt.Errorf("got %q, code %d", out, code)
		}
		return out, err
	})
	check("8 MB of output arrive whole", func() (string, error) {
		client, err := sealed()
		if err != nil {
			return "", err
		}
		const size = 8 << 20
		want := sha256.New()
		_, _ = io.Copy(want, io.LimitReader(letters{}, size))
		got := sha256.New()
		code, err := client.RunWithContext(context.Background(), fmt.Sprintf("head -c %d /dev/zero | tr '\\0' a", size), got, io.Discard)
		if err == nil && (string(got.Sum(nil)) != string(want.Sum(nil)) || code != 0) {
			err = fmt.Errorf("the bytes differ, code %d", code)
		}
		return "", err
	})
	check("a wrong password is refused", func() (string, error) {
		client, err := winrm.NewClient(endpoint("CASEMENT_HTTPS"), os.Getenv("CASEMENT_USER"), "not the password")
		if err != nil {
			return "", err
		}
		_, _, _, err = client.RunCmdWithContext(context.Background(), "hostname")
		if err == nil || !strings.Contains(err.Error(), "401") {
			return "", fmt.Errorf("want a 401, got %v", err)
		}
		return err.Error(), nil
	})
	check("finished", func() (string, error) { return "", nil })
}

// letters is an endless row of the letter a.
type letters struct{}

func (letters) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'a'
	}
	return len(p), nil
}
