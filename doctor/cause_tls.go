package doctor

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Certificates and what is not TLS.
func init() {
	explain("tls", notTLS, oldTLS, wrongPin, wrongName, outOfDate, notForServers, unknownIssuer, hungService, closedAtOnce)
}

// firstFault is what a client meets first.
func (f *findings) firstFault() tlsFault {
	if list := f.x.winrm.tls.faults; len(list) > 0 {
		return list[0]
	}
	return tlsNone
}

func notTLS(f *findings, r Result) *diagnosis {
	if f.firstFault() != tlsNotTLS {
		return nil
	}
	host, port := f.x.target.host(), f.x.target.port()
	d := &diagnosis{Cause: certain("port "+port+" does not speak TLS: it is a listener of http", r.Detail)}
	d.remedies = append([]Remedy{here("use-http", "messages are sealed by the sign-in instead of TLS", "casement doctor http://"+host+":"+port)}, f.defaultListener()...)
	return d
}

func oldTLS(f *findings, r Result) *diagnosis {
	if f.firstFault() != tlsVersion {
		return nil
	}
	const key = `HKLM\SYSTEM\CurrentControlSet\Control\SecurityProviders\SCHANNEL\Protocols\TLS 1.2\Server`
	d := &diagnosis{Cause: certain(f.name()+" offers only versions of TLS that are no longer safe", r.Detail)}
	d.remedies = f.onTarget("tls12", "TLS 1.2 is offered after a restart",
		typed{[]string{`reg add "` + key + `" /v Enabled /t REG_DWORD /d 1 /f`, `reg add "` + key + `" /v DisabledByDefault /t REG_DWORD /d 0 /f`},
			[]string{`reg delete "` + key + `" /f`}}, typed{})
	return d
}

// thumbprintOnHost is how the host tells the thumbprint of its certificate.
func (f *findings) thumbprintOnHost() Remedy {
	if f.x.facts().kind == casementHost {
		return Remedy{ID: "compare", Where: OnTarget, Prompt: "sh", Commands: []string{"casement cert list"}, Effect: "none: compare it with " + f.x.winrm.tls.thumbprint}
	}
	return Remedy{ID: "compare", Where: OnTarget, Prompt: "powershell",
		Commands: []string{`Get-ChildItem Cert:\LocalMachine\My | ForEach-Object { $_.GetCertHashString('SHA256') + ' ' + $_.Subject }`},
		Effect:   "none: compare it with " + f.x.winrm.tls.thumbprint}
}

func (f *findings) pinIt() Remedy {
	return here("pin", "this machine takes this certificate and no other, once you compared it on the host", f.again("--pin", f.x.winrm.tls.thumbprint))
}

func wrongPin(f *findings, r Result) *diagnosis {
	if f.firstFault() != tlsPin {
		return nil
	}
	d := &diagnosis{Cause: certain("the certificate is another than the one that was pinned: it was renewed, or something stands between", r.Detail)}
	d.remedies = []Remedy{f.thumbprintOnHost(), f.pinIt()}
	return d
}

// newCertificate makes a certificate for the name that is used.
func (f *findings) newCertificate(id string) []Remedy {
	name := f.urlHost()
	return f.onTarget(id, "the listener of https shows a certificate for "+name,
		f.selfSigned(name),
		typed{[]string{"casement cert add CERTIFICATE.pem KEY.pem", "casement winrm set 'winrm/config/listener?Address=*+Transport=HTTPS' '@{CertificateThumbprint=\"THUMBPRINT\"}'"}, nil})
}

// urlHost is the name that certificates and tickets must be for.
func (f *findings) urlHost() string {
	u, err := f.x.target.endpoint()
	if err != nil {
		return f.name()
	}
	return u.Hostname()
}

func wrongName(f *findings, r Result) *diagnosis {
	if f.firstFault() != tlsName {
		return nil
	}
	names := f.x.winrm.tls.names
	d := &diagnosis{Cause: certain(fmt.Sprintf("the certificate is for %s and not for %s", strings.Join(names, ", "), f.urlHost()), r.Detail)}
	if n := slices.IndexFunc(names, func(s string) bool { return isHostName(s) && s != "localhost" }); n >= 0 {
		d.remedies = append(d.remedies, here("use-name", "none on the machine", "casement doctor https://"+names[n]+":"+f.x.target.port()))
	}
	d.remedies = append(append(d.remedies, f.pinIt()), f.newCertificate("certificate-name")...)
	return d
}

func outOfDate(f *findings, r Result) *diagnosis {
	t := f.x.winrm.tls
	ending := r.Outcome == Warn && len(t.faults) == 0 && !t.to.IsZero() && time.Until(t.to) < soon
	fault := f.firstFault()
	if fault != tlsExpired && fault != tlsEarly && !ending {
		return nil
	}
	title := "the certificate ended on " + t.to.Format(time.DateOnly)
	switch {
	case fault == tlsEarly:
		title = "the certificate begins on " + t.from.Format(time.DateOnly) + " only"
	case ending:
		title = "the certificate ends on " + t.to.Format(time.DateOnly)
	}
	d := &diagnosis{Cause: certain(title, r.Detail)}
	d.remedies = f.newCertificate("certificate-renew")
	return d
}

func notForServers(f *findings, r Result) *diagnosis {
	if f.firstFault() != tlsEKU {
		return nil
	}
	d := &diagnosis{Cause: certain("the certificate is not one for servers: the extended key usage Server Authentication is missing", r.Detail)}
	d.remedies = append([]Remedy{f.pinIt()}, f.newCertificate("certificate-usage")...)
	return d
}

func unknownIssuer(f *findings, r Result) *diagnosis {
	if f.firstFault() != tlsChain {
		return nil
	}
	t := f.x.winrm.tls
	d := &diagnosis{Cause: certain("the certificate is signed by "+t.issuer+", which this machine does not trust", r.Detail)}
	if t.selfSigned {
		d.Title = "the certificate is signed by itself, and this machine was not told to trust it"
	} else {
		d.remedies = append(d.remedies, here("trust-issuer", "this machine trusts every certificate of that issuer for this command", f.again("--ca", "ISSUER.pem")))
	}
	d.remedies = append(d.remedies, f.thumbprintOnHost(), f.pinIt())
	return d
}
