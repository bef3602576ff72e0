package casement_test

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/auth/credssp"
)

// credSSP tries a row of that scheme with the tokens of an exchange, post by post.
func (m *matrix) credSSP(ctx context.Context, t *testing.T, a attempt, post func(authorization, body string) (status int, challenge, answer string), contentType *string) (status int, answer string) {
	t.Helper()
	inner := a
	inner.scheme = "negotiate"
	i := credssp.NewInitiator(credssp.InitiatorOptions{Credentials: m.accounts[a.account], Inner: func() auth.Initiator { return m.initiator(inner, nil) }})
	defer i.Close()
	var in []byte
	for {
		out, done, err := i.Step(ctx, in)
		if err != nil {
			return status, "" // the service's last token said why
		}
		var challenge string
		status, challenge, _ = post("CredSSP "+base64.StdEncoding.EncodeToString(out), "")
		if done && status == http.StatusOK {
			break
		}
		if in, err = base64.StdEncoding.DecodeString(challenge); done || status != http.StatusUnauthorized || len(in) == 0 || err != nil {
			return status, ""
		}
	}
	if a.message == "clear" {
		status, _, answer = post("", getConfig)
		return status, answer
	}
	const protocol = "application/HTTP-CredSSP-session-encrypted"
	*contentType = `multipart/encrypted;protocol="` + protocol + `";boundary="Encrypted Boundary"`
	c := i.Context().(*credssp.Context)
	record, trailer, err := c.SealRecord(nil, []byte(getConfig))
	if err != nil {
		t.Fatal(err)
	}
	const octets = "\tContent-Type: application/octet-stream\r\n"
	body := fmt.Sprintf("--Encrypted Boundary\r\n\tContent-Type: %s\r\n\tOriginalContent: type=application/soap+xml;charset=UTF-8;Length=%d\r\n--Encrypted Boundary\r\n%s%s%s--Encrypted Boundary--\r\n",
		protocol, len(getConfig), octets, binary.LittleEndian.AppendUint32(nil, uint32(trailer)), record)
	status, _, answer = post("", body)
	_, sealed, found := strings.Cut(answer, octets)
	if !found {
		return status, answer
	}
	plain, err := c.UnsealRecord([]byte(strings.TrimSuffix(sealed[4:], "--Encrypted Boundary--\r\n")))
	if err != nil {
		t.Fatal(err)
	}
	return status, string(plain)
}
