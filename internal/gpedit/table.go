package gpedit

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/casementhq/casement/firewall"
	"github.com/casementhq/casement/registry"
	"github.com/casementhq/casement/security"
	"github.com/casementhq/casement/settings"
)

// Folders of the tree.
const (
	templates    = `Administrative Templates`
	folderWinRM  = templates + `\Windows Components\Windows Remote Management (WinRM)`
	folderClient = folderWinRM + `\WinRM Client`
	folderServe  = folderWinRM + `\WinRM Service`
	folderShell  = templates + `\Windows Components\Windows Remote Shell`
	folderEvents = templates + `\Windows Components\Event Forwarding`
	folderCreds  = templates + `\System\Credentials Delegation`
	folderSec    = templates + `\MS Security Guide`
	folderOldFW  = templates + `\Network\Network Connections\Windows Defender Firewall`
	folderNewFW  = `Windows Settings\Security Settings\Windows Defender Firewall with Advanced Security`
	folderOpts   = `Windows Settings\Security Settings\Local Policies\Security Options`
)

// Keys below HKLM.
const (
	keyClient = `Software\Policies\Microsoft\Windows\WinRM\Client`
	keyServe  = `Software\Policies\Microsoft\Windows\WinRM\Service`
	keyShell  = keyServe + `\WinRS`
	keyEvents = `Software\Policies\Microsoft\Windows\EventLog\EventForwarding\SubscriptionManager`
	keyCreds  = `Software\Policies\Microsoft\Windows\CredentialsDelegation`
	keyOracle = `Software\Microsoft\Windows\CurrentVersion\Policies\System\CredSSP\Parameters`
	keyUAC    = `Software\Microsoft\Windows\CurrentVersion\Policies\System`
	keyDCOM   = `Software\Policies\Microsoft\Windows NT\DCOM`
	keyFW     = `Software\Policies\Microsoft\WindowsFirewall`
)

const asLocal = "The setting of this machine holds."

// Policies returns the table, folder by folder in the order of the tree. Names, places and
// values are those of spec/winrm.md 3.8 and of the policies' own pages; the texts are ours.
func Policies() []Policy {
	return slices.Concat(clientPolicies(), servicePolicies(), shellPolicies(), otherTemplates(), firewallPolicies(), securityOptions())
}

// gate is a policy of one DWORD that is 1 when it is enabled.
func gate(folder, key, value, name, text, on, off string) Policy {
	return Policy{Folder: folder, Key: key, Value: value, On: 1, Off: 0, Name: name, Text: text, WhenEnabled: on, WhenDisabled: off, WhenNot: asLocal}
}

// inverted is a policy that forbids: enabled writes 0.
func inverted(folder, key, value, name, text, on, off string) Policy {
	p := gate(folder, key, value, name, text, on, off)
	p.On, p.Off = 0, 1
	return p
}

func clientPolicies() []Policy {
	hosts := gate(folderClient, keyClient, "TrustedHosts", "Trusted Hosts",
		"Hosts to which the client sends credentials although it cannot prove who they are: over HTTP without Kerberos.",
		"The list of the policy holds, winrm/config/client TrustedHosts shows it.", "The list of this machine holds.")
	hosts.Options = []Option{{Name: "TrustedHostsList", Value: "TrustedHostsList", Check: trustedHosts,
		Text: "names and addresses with commas between; * alone is every host, at the begin or end of a name any text; <local> is every name without a dot"}}
	return []Policy{
		gate(folderClient, keyClient, "AllowBasic", "Allow Basic authentication",
			"Whether the client may use Basic. Over HTTP that shows the password to everybody on the way.",
			"Basic may be used.", "Basic is refused before anything is sent."),
		gate(folderClient, keyClient, "AllowCredSSP", "Allow CredSSP authentication",
			"Whether the client may use CredSSP, which gives the password to the server.",
			"CredSSP may be used.", "CredSSP is refused before anything is sent."),
		gate(folderClient, keyClient, "AllowUnencryptedTraffic", "Allow unencrypted traffic",
			"Whether the client sends and takes messages over HTTP that are not sealed.",
			"Clear messages may be sent.", "Only sealed messages and HTTPS."),
		inverted(folderClient, keyClient, "AllowDigest", "Disallow Digest authentication",
			"Whether the client may use Digest.", "Digest is refused.", "Digest may be used."),
		inverted(folderClient, keyClient, "AllowKerberos", "Disallow Kerberos authentication",
			"Whether the client may use Kerberos directly. Negotiate can still end with it.", "Kerberos is refused.", "Kerberos may be used."),
		inverted(folderClient, keyClient, "AllowNegotiate", "Disallow Negotiate authentication",
			"Whether the client may use Negotiate.", "Negotiate is refused.", "Negotiate may be used."),
		hosts,
	}
}

func servicePolicies() []Policy {
	auto := gate(folderServe, keyServe, "AllowAutoConfig", "Allow remote server management through WinRM",
		"Whether the service answers other machines, and a listener for HTTP that the policy makes by itself.",
		"The service listens on the default port for HTTP at those addresses of the machine that pass its filter. The filters hold for all listeners: "+
			"where both are blank only local sessions get in. The firewall has to let the port in.",
		"No request of another machine is answered (fault 0x803381DD), whatever listeners there are. winrm quickconfig and Configure-SMRemoting -enable are refused.")
	auto.Older = []string{"Allow automatic configuration of listeners"}
	auto.WhenNot = "The machine's own listeners and its own switch (Configure-SMRemoting) hold."
	filter := "ranges LOW-HIGH of addresses with commas between; * is all, blank is none"
	auto.Options = []Option{
		{Name: "IPv4Filter", Value: "IPv4Filter", Text: filter, Check: func(s string) error { _, err := settings.ParseIPv4Filter(s); return err }},
		{Name: "IPv6Filter", Value: "IPv6Filter", Text: filter, Check: func(s string) error { _, err := settings.ParseIPv6Filter(s); return err }},
	}
	binding := gate(folderServe, keyServe, "CBTHardeningLevelStatus", "Specify channel binding token hardening level",
		"What the service wants of a sign-in over HTTPS that could be tied to the connection.",
		"The level of the policy holds.", "The level of this machine holds.")
	binding.Options = []Option{{Name: "HardeningLevel", Value: "CbtHardeningLevel", Kind: Choice, Default: "Relaxed",
		Text:    "None looks at no token, Relaxed refuses a wrong one, Strict one that is missing too",
		Choices: []ChoiceValue{{"None", registry.SZ("None")}, {"Relaxed", registry.SZ("Relaxed")}, {"Strict", registry.SZ("Strict")}}}}
	return []Policy{
		gate(folderServe, keyServe, "AllowBasic", "Allow Basic authentication",
			"Whether the service takes Basic.", "Basic is offered.", "Basic is neither offered nor taken."),
		gate(folderServe, keyServe, "AllowCredSSP", "Allow CredSSP authentication",
			"Whether the service takes CredSSP.", "CredSSP is offered.", "CredSSP is neither offered nor taken."),
		auto,
		gate(folderServe, keyServe, "AllowUnencryptedTraffic", "Allow unencrypted traffic",
			"Whether the service takes messages over HTTP that are not sealed.", "Clear messages are taken.", "Clear messages are refused."),
		inverted(folderServe, keyServe, "AllowKerberos", "Disallow Kerberos authentication",
			"Whether the service takes Kerberos directly.", "Kerberos is not offered by itself.", "Kerberos is offered."),
		inverted(folderServe, keyServe, "AllowNegotiate", "Disallow Negotiate authentication",
			"Whether the service takes Negotiate.", "Negotiate is not offered.", "Negotiate is offered."),
		gate(folderServe, keyServe, "DisableRunAs", "Disallow WinRM from storing RunAs credentials",
			"Whether a plug-in may be configured to run as another account.",
			"RunAsUser and RunAsPassword of a plug-in are refused (0x803381E0).", "They may be set."),
		binding,
		gate(folderServe, keyServe, "HttpCompatibilityListener", "Turn On Compatibility HTTP Listener",
			"Whether the service listens on port 80 too, for clients of WinRM 1.1.", "It listens on port 80.", "It does not."),
		gate(folderServe, keyServe, "HttpsCompatibilityListener", "Turn On Compatibility HTTPS Listener",
			"Whether the service listens on port 443 too, for clients of WinRM 1.1.", "It listens on port 443.", "It does not."),
	}
}

const maxI32 = 1<<31 - 1

// limit is a policy that has no value but its number.
func limit(name, older, value, option, text string, lo, hi uint32) Policy {
	p := Policy{Folder: folderShell, Key: keyShell, Name: name, Text: text,
		WhenEnabled: "The number of the policy holds.", WhenDisabled: asLocal, WhenNot: asLocal,
		Options: []Option{{Name: option, Value: value, Kind: Number, Min: lo, Max: hi, Required: true, Text: "the number"}}}
	if older != "" {
		p.Older = []string{older}
	}
	return p
}

func shellPolicies() []Policy {
	old := limit("Specify Shell Timeout", "", "MaxShellRunTime", "ShellTimeout", "Milliseconds after which a shell ends although it is in use.", 0, maxI32)
	old.Note = "It is kept but has no effect, as on Windows since WinRM 2.0: shells have no longest life."
	return []Policy{
		gate(folderShell, keyShell, "AllowRemoteShellAccess", "Allow Remote Shell Access",
			"Whether remote shells can be opened.", "They can.", "New ones are refused (0x803381AC)."),
		limit("MaxConcurrentUsers", "", "MaxConcurrentUsers", "MaxConcurrentUsers", "How many users may have shells at once.", 1, 100),
		limit("Specify idle Timeout", "", "IdleTimeout", "IdleTimeout", "Milliseconds after which a shell that nobody uses ends; less than 60000 counts as 60000.", 0, maxI32),
		limit("Specify maximum amount of memory in MB per Shell", "", "MaxMemoryPerShellMB", "MaxMemoryPerShellMB", "Megabytes that the processes of a shell may have together; 0 is no limit.", 0, maxI32),
		limit("Specify maximum number of processes per Shell", "", "MaxProcessesPerShell", "MaxProcessesPerShell", "How many processes a shell may have; 0 is no limit.", 0, maxI32),
		limit("Specify maximum number of remote shells per user", "", "MaxShellsPerUser", "MaxShellsPerUser", "How many shells a user may have at once; 0 is no limit.", 0, maxI32),
		old,
	}
}

func otherTemplates() []Policy {
	events := Policy{Folder: folderEvents, Name: "Configure target Subscription Manager", Key: keyEvents,
		Older: []string{"Configure the server address, refresh interval, and issuer certificate authority of a target Subscription Manager"},
		Text:  "The collectors to which this machine forwards its events.",
		Note:  "It is kept, but this machine forwards no events yet.", WhenEnabled: "The collectors of the list.", WhenDisabled: "No collector.", WhenNot: "No collector.",
		Options: []Option{{Name: "SubscriptionManager", Key: keyEvents, Kind: Entries, Required: true, Check: subscriptionManager,
			Text: "Server=URL[,Refresh=SECONDS][,IssuerCA=THUMBPRINT], once for each collector"}}}
	servers := func(name, value, combine, text, on, off, not string) Policy {
		p := gate(folderCreds, keyCreds, value, name, text, on, off)
		p.WhenNot = not
		p.Options = []Option{
			{Name: "Servers", Key: keyCreds + `\` + value, Kind: Entries, Check: spn,
				Text: "a service principal name such as WSMAN/web1.example.org or WSMAN/*.example.org, once for each"},
			{Name: "Concatenate", Value: combine, Kind: Choice, Default: "yes", Text: "whether the defaults of the system hold beside the list; there are none here",
				Choices: []ChoiceValue{{"yes", registry.DWORD(1)}, {"no", registry.DWORD(0)}}},
		}
		return p
	}
	fresh := func(name, value, combine, text string) Policy {
		return servers(name, value, combine, text, "CredSSP gives credentials to the servers of the list, and to no others that no policy names.",
			"CredSSP gives credentials to no server for this policy.", "Where no policy for fresh credentials is configured, CredSSP gives them to the server that the user names.")
	}
	oracle := Policy{Folder: folderCreds, Name: "Encryption Oracle Remediation", Key: keyOracle,
		Text:        "Which old versions of CredSSP both ends accept (CVE-2018-0886).",
		WhenEnabled: "The level of the policy holds.", WhenDisabled: "The level Mitigated holds.", WhenNot: "The level Mitigated holds.",
		Options: []Option{{Name: "ProtectionLevel", Value: "AllowEncryptionOracle", Kind: Choice, Required: true,
			Text:    "ForceUpdated refuses old versions at both ends, Mitigated in the client alone, Vulnerable nowhere",
			Choices: []ChoiceValue{{"ForceUpdated", registry.DWORD(0)}, {"Mitigated", registry.DWORD(1)}, {"Vulnerable", registry.DWORD(2)}}}}}
	uac := inverted(folderSec, keyUAC, "LocalAccountTokenFilterPolicy", "Apply UAC restrictions to local accounts on network logons",
		"What a local administrator is over the network, other than the built-in Administrator.",
		"The token is filtered: no administrator.", "The token is whole: an administrator (LocalAccountTokenFilterPolicy 1).")
	return []Policy{
		events,
		fresh("Allow delegating fresh credentials", "AllowFreshCredentials", "ConcatenateDefaults_AllowFresh",
			"To which servers CredSSP may give credentials where the server proved itself with Kerberos or a certificate."),
		fresh("Allow delegating fresh credentials with NTLM-only server authentication", "AllowFreshCredentialsWhenNTLMOnly", "ConcatenateDefaults_AllowFreshNTLMOnly",
			"To which servers CredSSP may give credentials where the server proved itself with NTLM alone."),
		servers("Deny delegating fresh credentials", "DenyFreshCredentials", "ConcatenateDefaults_DenyFresh",
			"To which servers CredSSP gives no credentials, whatever the other policies say.", "The servers of the list get none.", "The other policies decide.", "The other policies decide."),
		oracle,
		uac,
	}
}

func firewallPolicies() []Policy {
	var list []Policy
	for _, t := range []struct{ folder, key, nets string }{
		{`\Domain Profile`, `\DomainProfile`, "networks of the domain"},
		{`\Standard Profile`, `\StandardProfile`, "private and public networks, where the policies of the firewall with advanced security name neither"},
	} {
		state := gate(folderOldFW+t.folder, keyFW+t.key, "EnableFirewall", "Windows Defender Firewall: Protect all network connections",
			"Whether the firewall is on for "+t.nets+".", "It is on.", "It is off: everything passes.")
		state.Older = []string{"Windows Firewall: Protect all network connections"}
		shield := gate(folderOldFW+t.folder, keyFW+t.key, "DoNotAllowExceptions", "Windows Defender Firewall: Do not allow exceptions",
			"Whether the firewall has exceptions for "+t.nets+".",
			"Nothing comes in from other machines, whatever the rules say; winrm quickconfig is refused (0x80338116).", "The rules hold.")
		shield.Older = []string{"Windows Firewall: Do not allow exceptions"}
		list = append(list, state, shield)
	}
	for _, t := range []struct{ folder, key, nets string }{
		{`\Domain Profile`, `\DomainProfile`, "networks of the domain"},
		{`\Private Profile`, `\PrivateProfile`, "private networks"},
		{`\Public Profile`, `\PublicProfile`, "public networks"},
	} {
		folder, key := folderNewFW+t.folder, keyFW+t.key
		actions := []ChoiceValue{{"block", registry.DWORD(1)}, {"allow", registry.DWORD(0)}}
		action := func(name, value, text string) Policy {
			return Policy{Folder: folder, Key: key, Name: name, Text: text, WhenEnabled: "The action of the policy holds.", WhenNot: asLocal,
				Options: []Option{{Name: "Action", Value: value, Kind: Choice, Choices: actions, Required: true, Text: "what happens where no rule says anything"}}}
		}
		list = append(list,
			gate(folder, key, "EnableFirewall", "Firewall state", "Whether the firewall is on for "+t.nets+".", "It is on.", "It is off: everything passes."),
			action("Inbound connections", "DefaultInboundAction", "Connections that come in from "+t.nets+"."),
			action("Outbound connections", "DefaultOutboundAction", "Connections that go out to "+t.nets+"."),
			gate(folder, key, "AllowLocalPolicyMerge", "Apply local firewall rules", "Whether the machine's own rules count for "+t.nets+".",
				"They count beside those of the policy.", "Only the rules of the policy count; winrm quickconfig is refused (0x80338117)."))
	}
	return append(list, Policy{Folder: folderNewFW, Name: "Firewall rules", Key: keyFW + `\FirewallRules`,
		Text:        "Rules of the firewall, in and out, that the policy brings. One with the id of a rule of the machine takes its place.",
		WhenEnabled: "The rules of the list hold.", WhenNot: "Only the machine's own rules hold.",
		Options: []Option{{Name: "Rule", Key: keyFW + `\FirewallRules`, Kind: Named, Required: true, Check: firewallRule,
			Text: "ID=RULE, once for each, as in ID=v2.31|Action=Block|Active=TRUE|Dir=In|Protocol=6|LPort=5985|Name=...|"}}})
}

func securityOptions() []Policy {
	sddl := func(what, value, text string) Policy {
		return Policy{Folder: folderOpts, Key: keyDCOM, Name: "DCOM: Machine " + what + " Restrictions in Security Descriptor Definition Language (SDDL) syntax",
			Text: text, WhenEnabled: "The descriptor of the policy holds.", WhenNot: asLocal,
			Options: []Option{{Name: "SDDL", Value: value, Required: true, Check: comSDDL, Text: "a security descriptor with a DACL, such as O:BAG:BAD:(A;;CCDCLCSWRP;;;BA)"}}}
	}
	return []Policy{
		sddl("Access", "MachineAccessRestriction", "Who may call objects of DCOM at most: what it does not grant no application can grant."),
		sddl("Launch", "MachineLaunchRestriction", "Who may launch and activate over DCOM at most: what it does not grant no application can grant."),
	}
}

func trustedHosts(s string) error {
	_, err := settings.ParseTrustedHosts(s)
	return err
}

func subscriptionManager(s string) error {
	if len(s) < 8 || !strings.EqualFold(s[:7], "Server=") {
		return errors.New("want Server=URL and what follows it")
	}
	return nil
}

func spn(s string) error {
	class, host, ok := strings.Cut(s, "/")
	if !ok || class == "" || host == "" || strings.ContainsAny(s, " \t\x00") {
		return fmt.Errorf("%q is no service principal name CLASS/HOST", s)
	}
	return nil
}

func firewallRule(s string) error {
	r, err := firewall.ParseRule(s)
	if err != nil {
		return err
	}
	r.ID = "rule"
	return r.Validate()
}

func comSDDL(s string) error {
	sd, err := security.ParseSDDL(s)
	if err != nil {
		return err
	}
	_, err = settings.COMDescriptor(sd)
	return err
}
