package digest

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/casementhq/casement/auth"
)

// The example of [RFC7616] 3.9.1.
const (
	nonce  = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
	cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
	opaque = "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"
	uri    = "/dir/index.html"
)

func client(t *testing.T, user, password, cnonce string) *Client {
	t.Helper()
	c, err := NewClient(auth.Credentials{Username: user, Password: password})
	if err != nil {
		t.Fatal(err)
	}
	c.random = func() string { return cnonce }
	return c
}

func offer(algorithm, qop string) string {
	return `Digest realm="http-auth@example.org", qop="` + qop + `", algorithm=` + algorithm + `, nonce="` + nonce + `", opaque="` + opaque + `"`
}

func field(header, name string) string {
	_, rest, ok := strings.Cut(strings.Replace(header, "Digest ", ", ", 1), ", "+name+"=")
	if !ok {
		return ""
	}
	rest, _, _ = strings.Cut(rest, ", ")
	return strings.Trim(rest, `"`)
}

// The responses of MD5 and SHA-256 with auth stand in [RFC7616] 3.9.1; the others are the output of `openssl dgst` over its inputs,
// put together by hand as 3.4.1 says.
func TestResponses(t *testing.T) {
	for _, row := range []struct{ algorithm, qop, method, response, proof string }{
		{"MD5", "auth", "GET", "8ca523f5e9506fed4657c9700eebdbec", "9b712497bc9f91499fbcca1dfc5f09a5"},
		{"SHA-256", "auth, auth-int", "GET", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1", "86d3b25618d41854ca5039a5d7e53ff6355d5134a9b1fb088a78ac3c462195a0"},
		{"SHA-512-256", "auth", "GET", "430d05014cecc49cab6fbe03176d41a1da86cbfe24a16580e22aaad928d960d0", "c8f9593a4f49b95ce2c483cc3222ecd360a5c6ec52ca24a530b0aac18478de8c"},
		{"MD5-sess", "auth", "GET", "e783283f46242139c486a698fec7211d", ""},
		{"SHA-256-sess", "auth", "GET", "2fd51b3a77ad75bad6afad6003e818d767133c46d9e2749e7f5232ae1ea3efd7", ""},
		{"SHA-512-256-sess", "auth", "GET", "3f2a34f923c38b0fb26dce2fdfc2ce326c23cecf86fbb1444f3e51fbbc2cb92e", ""},
		{"MD5", "auth-int", "POST", "4f50d96df57b6cffeeb1d562d02b65cd", ""},
		{"sha-256", "AUTH-INT", "POST", "83d0cb9d422c74ec81447df74acd84b06d49ce1609b89a2d07f0124ddd18d582", ""},
		{"SHA-512-256", "auth-int", "POST", "b24004ccb55034a45232fdae42e301b7b346f55ba1a3bb9a2fb7242bc6575b37", ""},
	} {
		c := client(t, "Mufasa", "Circle of Life", cnonce)
		if again, err := c.Challenge([]string{offer(row.algorithm, row.qop)}); err != nil || !again {
			t.Errorf("%s: %v %v", row.algorithm, again, err)
			continue
		}
		header, err := c.Authorization(row.method, uri, []byte("the body"))
		if err != nil {
			t.Fatal(err)
		}
		qop := "auth"
		if row.method == "POST" {
			qop = "auth-int"
		}
		for name, want := range map[string]string{"username": "Mufasa", "realm": "http-auth@example.org", "uri": uri, "nonce": nonce, "nc": "00000001", "cnonce": cnonce,
			"qop": qop, "response": row.response, "opaque": opaque, "algorithm": strings.ToUpper(row.algorithm[:len(row.algorithm)-len(after(row.algorithm))]) + after(row.algorithm)} {
			if got := field(header, name); got != want {
				t.Errorf("%s %s: %s is %q, want %q", row.algorithm, row.qop, name, got, want)
			}
		}
		if row.proof == "" {
			continue
		}
		info := fmt.Sprintf(`qop=auth, rspauth="%s", cnonce="%s", nc=00000001`, row.proof, cnonce)
		if err := c.Answered(info, nil); err != nil {
			t.Errorf("%s: the server's proof: %v", row.algorithm, err)
		}
		for _, wrong := range []string{strings.Replace(info, row.proof, row.response, 1), strings.Replace(info, "00000001", "00000002", 1), strings.Replace(info, cnonce, "x", 1)} {
			if err := c.Answered(wrong, nil); !errors.Is(err, auth.ErrMessageAltered) {
				t.Errorf("%s: a wrong proof: %v", row.algorithm, err)
			}
		}
	}
}

func after(algorithm string) string {
	if strings.HasSuffix(algorithm, "-sess") {
		return "-sess"
	}
	return ""
}

// [RFC7616] 3.9.2 with the values of its erratum 4897: a name that is not ASCII, hashed and not.
func TestUserhash(t *testing.T) {
	const challenge = `Digest realm="api@example.org", qop="auth", algorithm=SHA-512-256, nonce="5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK", opaque="HRPCssKJSGjCrkzDg8OhwpzCiGPChXYjwrI2QmXDnsOS", charset=UTF-8`
	for suffix, name := range map[string]string{", userhash=true": `username="793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b", userhash=true`, "": "username*=UTF-8''J%C3%A4s%C3%B8n%20Doe"} {
		c := client(t, "Jäsøn Doe", "Secret, or not?", "NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v")
		if _, err := c.Challenge([]string{challenge + suffix}); err != nil {
			t.Fatal(err)
		}
		header, err := c.Authorization("GET", "/doe.json", nil)
		if err != nil || !strings.HasPrefix(header, "Digest "+name+", realm=") || field(header, "response") != "3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5" {
			t.Errorf("%s %v", header, err)
		}
	}
}

// Which of several challenges is taken, when a request is tried again, and what is no challenge.
func TestChallenges(t *testing.T) {
	c := client(t, `CORP\bob`, "x", "c")
	for _, row := range []struct {
		headers   []string
		algorithm string
		err       error
	}{
		{[]string{offer("MD5", "auth"), offer("SHA-256", "auth")}, "SHA-256", nil},
		{[]string{`Negotiate, ` + offer("SHA-512-256", "auth") + `, Basic realm="a,b", ` + offer("MD5", "auth")}, "SHA-512-256", nil},
		{[]string{`Negotiate oYG2MIGzoAMKAQChCwYJKoZIgvcSAQICooGeBA==, ` + offer("MD5-sess", "auth")}, "MD5-sess", nil},
		{[]string{`digest nonce = "n" , REALM = "r" , qop=auth`}, "MD5", nil},
		{[]string{`Digest realm="q\"uo\\te", nonce="n", qop="auth"`}, "MD5", nil},
		{[]string{`Negotiate`, `Basic realm="x"`}, "", auth.ErrUnsupported},
		{[]string{offer("SHA3-256", "auth")}, "", auth.ErrUnsupported},
		{[]string{`Digest realm="r", nonce="n"`}, "", auth.ErrUnsupported},
		{[]string{`Digest realm="r", nonce="n", qop="other"`}, "", auth.ErrUnsupported},
		{nil, "", auth.ErrUnsupported},
		{[]string{`Digest realm="r", qop="auth"`}, "", auth.ErrBadToken},
		{[]string{`Digest nonce="n", qop="auth"`}, "", auth.ErrBadToken},
		{[]string{`Digest realm="r", realm="s", nonce="n", qop="auth"`}, "", auth.ErrBadToken},
		{[]string{`Digest realm="r, nonce="n"`}, "", auth.ErrBadToken},
		{[]string{"Digest realm=\"r\", nonce=\"n\r\nX: y\", qop=auth"}, "", auth.ErrBadToken},
		{[]string{`Digest realm="` + strings.Repeat("x", 5000) + `", nonce="n", qop=auth`}, "", auth.ErrBadToken},
		{[]string{`Digest realm="r\`}, "", auth.ErrBadToken},
		{[]string{`"x"`}, "", auth.ErrBadToken},
		{[]string{strings.Repeat(`Digest realm="r", nonce="n", qop=auth, `, 20)}, "", auth.ErrBadToken},
	} {
		_, err := c.Challenge(row.headers)
		if !errors.Is(err, row.err) || err == nil && c.algorithm() != row.algorithm {
			t.Errorf("%.100q: %s %v", row.headers, c.algorithm(), err)
		}
	}
	if _, err := c.Challenge([]string{`Digest realm="q\"uo\\te", nonce="n", qop="auth", opaque=""`}); err != nil {
		t.Fatal(err)
	}
	header, err := c.Authorization("POST", "/wsman", nil)
	if err != nil || !strings.HasPrefix(header, `Digest username="CORP\\bob", realm="q\"uo\\te", uri="/wsman", `) || !strings.HasSuffix(header, `, opaque=""`) {
		t.Errorf("%s %v", header, err)
	}
	for _, bad := range []string{"/a\"b", "/a\r\nb"} {
		if header, err := c.Authorization("POST", bad, nil); err == nil {
			t.Errorf("%q gives %s", bad, header)
		}
	}
	for _, bad := range []auth.Credentials{{}, {Username: "a:b", Password: "x"}, {Username: "a\r\nb", Password: "x"}, {Username: "a", NTHash: make([]byte, 16)}} {
		if _, err := NewClient(bad); !errors.Is(err, auth.ErrUnsupported) {
			t.Errorf("%v: %v", bad, err)
		}
	}
}

// A nonce is counted; one that is too old or is replaced begins again; a refusal is final.
func TestNonces(t *testing.T) {
	n := 0
	c := client(t, "u", "p", "")
	c.random = func() string { n++; return fmt.Sprint("c", n) }
	next := func(nonce, nc, cnonce string) {
		t.Helper()
		header, err := c.Authorization("POST", "/", nil)
		if err != nil || field(header, "nonce") != nonce || field(header, "nc") != nc || field(header, "cnonce") != cnonce {
			t.Errorf("%s, want nonce %s, nc %s, cnonce %s", header, nonce, nc, cnonce)
		}
	}
	challenge := func(nonce, more string, want bool) {
		t.Helper()
		if again, err := c.Challenge([]string{`Digest realm="r", qop="auth", nonce="` + nonce + `"` + more}); err != nil || again != want {
			t.Errorf("%s: %v %v", nonce, again, err)
		}
	}
	if c.Ready() {
		t.Error("ready without a challenge")
	}
	if _, err := c.Authorization("POST", "/", nil); err == nil {
		t.Error("authorized without a challenge")
	}
	challenge("a", "", true)
	next("a", "00000001", "c1")
	next("a", "00000002", "c1")
	challenge("b", ", stale=TRUE", true)
	next("b", "00000001", "c2")
	if err := c.Answered(`nextnonce="d"`, nil); err != nil {
		t.Error(err)
	}
	next("d", "00000001", "c3")
	challenge("e", ", stale=false", false)
	challenge("f", ", stale=true, algorithm=SHA-256-sess", true)
	next("f", "00000001", "c5")
	if err := c.Answered(`nextnonce="g"`, nil); err != nil {
		t.Error(err)
	}
	next("f", "00000002", "c5")
	if err := c.Answered(`rspauth="`, nil); !errors.Is(err, auth.ErrBadToken) {
		t.Error(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if text := fmt.Sprintf(verb, client(t, "u", "geheim", "")); strings.Contains(text, "geheim") {
			t.Errorf("%s shows %s", verb, text)
		}
	}
}

func FuzzChallenge(f *testing.F) {
	f.Add(offer("SHA-256", "auth,auth-int"), `qop=auth, rspauth="00", cnonce="c", nc=00000001, nextnonce="x"`)
	f.Add(`Negotiate oYG==, Digest realm="q\"", nonce=n, qop="auth-int", stale=true, userhash=true, Basic realm="x"`, "")
	f.Fuzz(func(t *testing.T, header, info string) {
		c, err := NewClient(auth.Credentials{Username: "Jäsøn \"D\"", Password: "p"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Challenge([]string{header}); err != nil {
			return
		}
		for range 2 {
			out, err := c.Authorization("POST", "/wsman", []byte("x"))
			if err != nil {
				t.Fatal(err)
			}
			// What we send can be read again, and carries no line end out of what came.
			p := &parser{rest: strings.TrimPrefix(strings.Replace(out, "username*=UTF-8''", "username=", 1), "Digest ")}
			if strings.ContainsAny(out, "\r\n\x00") {
				t.Fatalf("%q", out)
			}
			if params, err := p.params(); err == nil && (p.rest != "" || params["nonce"] != c.c.nonce || params["realm"] != c.c.realm) {
				t.Fatalf("%q reads as %v", out, params)
			} else if err != nil && !strings.Contains(out, "%") {
				t.Fatalf("%q: %v", out, err)
			}
			_ = c.Answered(info, []byte("y"))
		}
	})
}
