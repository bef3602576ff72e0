package wsmanclient

import "crypto/tls"

// certificateGiven checks that a certificate, and nothing else, says who the user is.
func (c *Client) certificateGiven() error {
	switch {
	case !c.opts.Credentials.IsZero():
		return c.fault(codeCertificateAndUser, "with the scheme Certificate the certificate says who the user is; give no user and password", nil)
	case c.opts.Certificate == nil || len(c.opts.Certificate.Certificate) == 0:
		return c.fault(codeCertificateNeeded, "the scheme Certificate needs a certificate with its key", nil)
	}
	return nil
}

// withCertificate makes a connection show the client's certificate.
//
// Windows asks for it when it has seen the request, by a renegotiation of TLS 1.2; one is permitted. TLS 1.3 has none, and what
// it has in its place crypto/tls does not answer, so that TLS 1.2 is the highest version. The certificate is shown whatever
// authorities the server names, since many name only some of theirs. Sessions are not resumed: each connection proves anew.
func (c *Client) withCertificate(cfg *tls.Config) *tls.Config {
	cfg = cfg.Clone()
	cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return c.opts.Certificate, nil }
	cfg.Renegotiation = tls.RenegotiateOnceAsClient
	cfg.MinVersion = max(cfg.MinVersion, tls.VersionTLS12)
	cfg.MaxVersion = tls.VersionTLS12
	cfg.ClientSessionCache = nil
	return cfg
}
