package settings

import "math"

const (
	maxU32 = math.MaxUint32
	maxI32 = math.MaxInt32
)

// Default root security descriptors: that of the present documentation, and that of the
// installation guide.
const (
	rootSDDL           = "O:NSG:BAD:P(A;;GA;;;BA)(A;;GR;;;IU)S:P(AU;FA;GA;;;WD)(AU;SA;GXGW;;;WD)"
	rootSDDLDocumented = "O:NSG:BAD:P(A;;GA;;;BA)(A;;GR;;;ER)S:P(AU;FA;GA;;;WD)(AU;SA;GWGX;;;WD)"
)

func client(name string) policy  { return policy{key: "Client", name: name} }
func service(name string) policy { return policy{key: "Service", name: name} }
func winrs(name string) policy   { return policy{key: `Service\WinRS`, name: name} }

// schema lists the settings in schema order, which is that of the XML. The local value
// names auth_*, allow_unencrypted and trusted_hosts are those that Windows is known to
// use; all others are the XML names.
// See [MS-WSMV] 2.2.4.10, 2.2.4.6, 2.2.4.36, 2.2.4.42.
var schema = []setting{
	{name: "MaxEnvelopeSizekb", num: func(w *WinRM) *uint32 { return &w.MaxEnvelopeSizekb },
		current: "500", documented: "150", min: 32, max: maxU32},
	{name: "MaxTimeoutms", num: func(w *WinRM) *uint32 { return &w.MaxTimeoutms },
		current: "60000", min: 500, max: maxU32},
	{name: "MaxBatchItems", num: func(w *WinRM) *uint32 { return &w.MaxBatchItems },
		current: "32000", min: 1, max: maxU32},
	{name: "MaxProviderRequests", num: func(w *WinRM) *uint32 { return &w.MaxProviderRequests },
		current: "4294967295", documented: "25", min: 0, max: maxU32, rule: deprecated},

	{elem: "Client", name: "NetworkDelayms", num: func(w *WinRM) *uint32 { return &w.Client.NetworkDelayms },
		current: "5000", min: 500, max: maxU32},
	{elem: "Client", name: "URLPrefix", text: func(w *WinRM) *string { return &w.Client.URLPrefix },
		current: "wsman", check: checkURLPrefix},
	{elem: "Client", name: "AllowUnencrypted", flag: func(w *WinRM) *bool { return &w.Client.AllowUnencrypted },
		current: "false", reg: "allow_unencrypted", pol: client("AllowUnencryptedTraffic")},
	{elem: "Client/Auth", name: "Basic", flag: func(w *WinRM) *bool { return &w.Client.Auth.Basic },
		current: "true", reg: "auth_basic", pol: client("AllowBasic")},
	{elem: "Client/Auth", name: "Digest", flag: func(w *WinRM) *bool { return &w.Client.Auth.Digest },
		current: "true", reg: "auth_digest", pol: client("AllowDigest")},
	{elem: "Client/Auth", name: "Kerberos", flag: func(w *WinRM) *bool { return &w.Client.Auth.Kerberos },
		current: "true", reg: "auth_kerberos", pol: client("AllowKerberos")},
	{elem: "Client/Auth", name: "Negotiate", flag: func(w *WinRM) *bool { return &w.Client.Auth.Negotiate },
		current: "true", reg: "auth_negotiate", pol: client("AllowNegotiate")},
	{elem: "Client/Auth", name: "Certificate", flag: func(w *WinRM) *bool { return &w.Client.Auth.Certificate },
		current: "true", reg: "auth_certificate"},
	{elem: "Client/Auth", name: "CredSSP", flag: func(w *WinRM) *bool { return &w.Client.Auth.CredSSP },
		current: "false", reg: "auth_credssp", pol: client("AllowCredSSP")},
	{elem: "Client/DefaultPorts", name: "HTTP", num: func(w *WinRM) *uint32 { return &w.Client.DefaultPorts.HTTP },
		current: "5985", min: 1, max: 65535, code: CodePortInvalid, reg: "default_port_http"},
	{elem: "Client/DefaultPorts", name: "HTTPS", num: func(w *WinRM) *uint32 { return &w.Client.DefaultPorts.HTTPS },
		current: "5986", min: 1, max: 65535, code: CodePortInvalid, reg: "default_port_https"},
	{elem: "Client", name: "TrustedHosts", text: func(w *WinRM) *string { return &w.Client.TrustedHosts },
		check: checkTrustedHosts, code: CodeHostnamePattern, reg: "trusted_hosts",
		pol: policy{key: "Client", name: "TrustedHostsList", gate: "TrustedHosts"}},

	{elem: "Service", name: "RootSDDL", text: func(w *WinRM) *string { return &w.Service.RootSDDL },
		current: rootSDDL, documented: rootSDDLDocumented, check: checkSDDL, code: CodeSecurityDescriptor},
	{elem: "Service", name: "MaxConcurrentOperations", num: func(w *WinRM) *uint32 { return &w.Service.MaxConcurrentOperations },
		current: "4294967295", documented: "100", min: 0, max: maxU32, rule: deprecated},
	{elem: "Service", name: "MaxConcurrentOperationsPerUser", num: func(w *WinRM) *uint32 { return &w.Service.MaxConcurrentOperationsPerUser },
		current: "1500", min: 1, max: maxU32},
	{elem: "Service", name: "EnumerationTimeoutms", num: func(w *WinRM) *uint32 { return &w.Service.EnumerationTimeoutms },
		current: "240000", documented: "60000", min: 500, max: maxU32},
	{elem: "Service", name: "MaxConnections", num: func(w *WinRM) *uint32 { return &w.Service.MaxConnections },
		current: "300", min: 1, max: 512},
	{elem: "Service", name: "MaxPacketRetrievalTimeSeconds", num: func(w *WinRM) *uint32 { return &w.Service.MaxPacketRetrievalTimeSeconds },
		current: "120", min: 1, max: maxU32},
	{elem: "Service", name: "AllowUnencrypted", flag: func(w *WinRM) *bool { return &w.Service.AllowUnencrypted },
		current: "false", reg: "allow_unencrypted", pol: service("AllowUnencryptedTraffic")},
	{elem: "Service/Auth", name: "Basic", flag: func(w *WinRM) *bool { return &w.Service.Auth.Basic },
		current: "false", reg: "auth_basic", pol: service("AllowBasic")},
	{elem: "Service/Auth", name: "Kerberos", flag: func(w *WinRM) *bool { return &w.Service.Auth.Kerberos },
		current: "true", reg: "auth_kerberos", pol: service("AllowKerberos")},
	{elem: "Service/Auth", name: "Negotiate", flag: func(w *WinRM) *bool { return &w.Service.Auth.Negotiate },
		current: "true", reg: "auth_negotiate", pol: service("AllowNegotiate")},
	{elem: "Service/Auth", name: "Certificate", flag: func(w *WinRM) *bool { return &w.Service.Auth.Certificate },
		current: "false", reg: "auth_certificate"},
	{elem: "Service/Auth", name: "CredSSP", flag: func(w *WinRM) *bool { return &w.Service.Auth.CredSSP },
		current: "false", reg: "auth_credssp", pol: service("AllowCredSSP")},
	{elem: "Service/Auth", name: "CbtHardeningLevel", text: func(w *WinRM) *string { return &w.Service.CbtHardeningLevel },
		current: "Relaxed", check: checkCbt, code: CodeCbtHardening,
		pol: policy{key: "Service", name: "CbtHardeningLevel", gate: "CBTHardeningLevelStatus"}},
	{elem: "Service/DefaultPorts", name: "HTTP", num: func(w *WinRM) *uint32 { return &w.Service.DefaultPorts.HTTP },
		current: "5985", min: 1, max: 65535, rule: readOnly},
	{elem: "Service/DefaultPorts", name: "HTTPS", num: func(w *WinRM) *uint32 { return &w.Service.DefaultPorts.HTTPS },
		current: "5986", min: 1, max: 65535, rule: readOnly},
	{elem: "Service", name: "IPv4Filter", text: func(w *WinRM) *string { return &w.Service.IPv4Filter },
		current: "*", check: checkIPv4Filter, code: CodeIPFilter, closed: true,
		pol: policy{key: "Service", name: "IPv4Filter", gate: "AllowAutoConfig"}},
	{elem: "Service", name: "IPv6Filter", text: func(w *WinRM) *string { return &w.Service.IPv6Filter },
		current: "*", check: checkIPv6Filter, code: CodeIPFilter, closed: true,
		pol: policy{key: "Service", name: "IPv6Filter", gate: "AllowAutoConfig"}},
	{elem: "Service", name: "EnableCompatibilityHttpListener", flag: func(w *WinRM) *bool { return &w.Service.EnableCompatibilityHTTPListener },
		current: "false", pol: service("HttpCompatibilityListener")},
	{elem: "Service", name: "EnableCompatibilityHttpsListener", flag: func(w *WinRM) *bool { return &w.Service.EnableCompatibilityHTTPSListener },
		current: "false", pol: service("HttpsCompatibilityListener")},
	{elem: "Service", name: "CertificateThumbprint", text: func(w *WinRM) *string { return &w.Service.CertificateThumbprint },
		check: checkThumbprint},
	{elem: "Service", name: "AllowRemoteAccess", flag: func(w *WinRM) *bool { return &w.Service.AllowRemoteAccess },
		current: "true", rule: readOnly, local: true, closed: true, pol: service("AllowAutoConfig")},

	{elem: "Winrs", name: "AllowRemoteShellAccess", flag: func(w *WinRM) *bool { return &w.Winrs.AllowRemoteShellAccess },
		current: "true", pol: winrs("AllowRemoteShellAccess")},
	{elem: "Winrs", name: "IdleTimeout", num: func(w *WinRM) *uint32 { return &w.Winrs.IdleTimeout },
		current: "7200000", documented: "180000", max: maxI32, pol: winrs("IdleTimeout")},
	{elem: "Winrs", name: "MaxConcurrentUsers", num: func(w *WinRM) *uint32 { return &w.Winrs.MaxConcurrentUsers },
		current: "10", documented: "5", min: 1, max: 100, pol: winrs("MaxConcurrentUsers")},
	{elem: "Winrs", name: "MaxShellRunTime", num: func(w *WinRM) *uint32 { return &w.Winrs.MaxShellRunTime },
		current: "2147483647", documented: "28800000", min: 0, max: maxI32, rule: fixed},
	{elem: "Winrs", name: "MaxProcessesPerShell", num: func(w *WinRM) *uint32 { return &w.Winrs.MaxProcessesPerShell },
		current: "25", documented: "15", max: maxI32, pol: winrs("MaxProcessesPerShell")},
	{elem: "Winrs", name: "MaxMemoryPerShellMB", num: func(w *WinRM) *uint32 { return &w.Winrs.MaxMemoryPerShellMB },
		current: "1024", documented: "150", max: maxI32, pol: winrs("MaxMemoryPerShellMB")},
	{elem: "Winrs", name: "MaxShellsPerUser", num: func(w *WinRM) *uint32 { return &w.Winrs.MaxShellsPerUser },
		current: "30", documented: "5", max: maxI32, pol: winrs("MaxShellsPerUser")},
}
