package wsmanserver

import (
	"context"
	"crypto/tls"
	"crypto/x509"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/registry"
	"github.com/casementhq/casement/settings"
	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/internal/httpauth"
)

// CertMappings knows for whom client certificates stand.
type CertMappings interface {
	// Verify checks a client certificate, the first of those shown, against the
	// authorities of this machine.
	Verify(shown []*x509.Certificate) (settings.ClientCertificate, error)
	// Account is the local account that a verified certificate stands for when a
	// resource is asked for.
	Account(c settings.ClientCertificate, resourceURI string) (auth.Identity, error)
	// Create, Put and Delete make and undo changes of the mappings for a remote
	// session. A secret is kept with the mapping where there is one.
	Create(tx *registry.Tx, selectors, body []settings.NameValue) error
	Put(tx *registry.Tx, selectors, body []settings.NameValue) (settings.CertMapping, error)
	Delete(tx *registry.Tx, selectors []settings.NameValue) error
}

// certificates is what gate 3 asks for a client certificate; nil where none can
// be used.
func (s *Server) certificates() func(shown []*x509.Certificate) (httpauth.Mapper, error) {
	if s.o.CertMappings == nil {
		return nil
	}
	return func(shown []*x509.Certificate) (httpauth.Mapper, error) {
		cert, err := s.o.CertMappings.Verify(shown)
		if err != nil {
			return nil, err
		}
		return func(uri string) (auth.Identity, error) { return s.o.CertMappings.Account(cert, uri) }, nil
	}
}

// tlsConfig is the TLS of a listener. While the service takes client
// certificates each client is asked for one in the handshake, which it may
// refuse; and no session is resumed, so that the certificate of a connection is
// always one whose key was shown on it. Nothing is asked for later: TLS 1.3 has
// no renegotiation.
func (s *Server) tlsConfig(cert *tls.Certificate) *tls.Config {
	plain := &tls.Config{Certificates: []tls.Certificate{*cert}, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}
	asking := plain.Clone()
	asking.ClientAuth, asking.SessionTicketsDisabled = tls.RequestClientCert, true
	plain.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		if s.o.CertMappings != nil && s.snapshot().WinRM.Service.Auth.Certificate {
			return asking, nil
		}
		return nil, nil
	}
	return plain
}

// mapped completes the sign-in by a certificate: only the message tells which
// resource the mapping must be for. See [MS-WSMV] 3.1.4.1.35.
func (c *call) mapped(ctx context.Context) error {
	id, err := c.mapper(c.msg.ResourceURI)
	if err == nil {
		c.identity = id
		c.caller.Token, err = c.server.o.Token(ctx, id)
	}
	if err != nil {
		c.server.log.Info("a client certificate stands for nobody", "remote", c.caller.Address, "uri", c.msg.ResourceURI, "error", err)
		return wsman.NewFault(wsman.CodeAccessDenied, "Access is denied.").WithSubcode("w:AccessDenied", wsman.Sender)
	}
	return nil
}

// certMappingResource serves winrm/config/service/certmapping. See [MS-WSMV]
// 3.1.4.1.29.3.
func (c *call) certMappingResource(ctx context.Context, op operation) (wsman.Body, error) {
	const uri = settings.URICertMapping
	switch op {
	case opGet:
		m, err := settings.FindCertMapping(c.server.snapshot().Reader, c.selectors())
		if err != nil {
			return nil, err
		}
		return fieldsBody(uri, "CertMapping", m.Fields()), nil
	case opEnumerate:
		return c.certMappingEnumerate(ctx)
	case opPull:
		return c.pull(ctx)
	case opRelease:
		return c.releaseEnumeration()
	case opCreate, opPut, opDelete:
		return c.certMappingWrite(op)
	}
	return nil, wsman.NewFault(wsman.CodeActionNotSupported, "")
}

func (c *call) certMappingEnumerate(ctx context.Context) (wsman.Body, error) {
	m, err := c.listFilter()
	if err != nil {
		return nil, err
	}
	var items [][]byte
	for _, cm := range c.server.snapshot().CertMappings {
		item, err := itemXML(m.Mode, fieldsBody(settings.URICertMapping, "CertMapping", cm.Fields()), wsman.EPR{
			Address: wsman.Anonymous, ResourceURI: settings.URICertMapping,
			Selectors: wsman.SelectorSet{{Name: "Issuer", Value: cm.Issuer}, {Name: "Subject", Value: cm.Subject}, {Name: "URI", Value: cm.URI}},
		})
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	return c.startList(ctx, m, items)
}

func (c *call) certMappingWrite(op operation) (wsman.Body, error) {
	if c.local {
		return nil, wsman.NewFault(wsman.CodeNoLocalCertMapping, "")
	}
	store := c.server.o.CertMappings
	if store == nil {
		return nil, wsman.NewFault(wsman.CodeActionNotSupported, "this service keeps no certificate mappings")
	}
	var body []settings.NameValue
	var err error
	if op != opDelete {
		if body, err = c.readFields("CertMapping"); err != nil {
			return nil, err
		}
	}
	var written settings.CertMapping
	err = c.server.o.Configuration.Update(func(tx *registry.Tx) (err error) {
		switch op {
		case opCreate:
			err = store.Create(tx, c.selectors(), body)
		case opDelete:
			err = store.Delete(tx, c.selectors())
		default:
			written, err = store.Put(tx, c.selectors(), body)
		}
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case op == opCreate:
		c.effect = true
		return c.created(), nil
	case op == opDelete:
		c.effect = true
		return nil, nil
	}
	c.effect = true
	return fieldsBody(settings.URICertMapping, "CertMapping", written.Fields()), nil
}
