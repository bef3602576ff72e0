package doctor

import "fmt"

// What is typed differently by the release of Windows. See spec/winrm.md 9 and the document on Server Manager's remote
// management, "earlier releases of Windows Server".

// switchManagement is what enables remote management: Server Manager's own program since Windows Server 2012, its script in
// 2008 R2, and PowerShell's remoting before that.
func (f *findings) switchManagement() typed {
	switch h := f.x.facts(); {
	case h.older("6.1"):
		return typed{[]string{`powershell -Command "Enable-PSRemoting -Force"`}, []string{`powershell -Command "Disable-PSRemoting -Force"`}}
	case h.older("6.2"):
		return typed{[]string{`powershell -ExecutionPolicy RemoteSigned -File %windir%\system32\Configure-SMRemoting.ps1 -force -enable`},
			[]string{`Server Manager: Configure Server Manager Remote Management: clear the box`}}
	}
	return typed{[]string{`%windir%\system32\Configure-SMRemoting.exe -enable`}, []string{`%windir%\system32\Configure-SMRemoting.exe -disable`}}
}

// managementPolicy is the policy's place in the editor: it had another name before Windows Server 2012.
func (f *findings) managementPolicy() string {
	name := "Allow remote server management through WinRM"
	if f.x.facts().older("6.2") {
		name = "Allow automatic configuration of listeners"
	}
	return `gpedit.msc: Computer Configuration\Administrative Templates\Windows Components\Windows Remote Management (WinRM)\WinRM Service: "` + name + `": Enabled or Not Configured`
}

// framework is what a release before Windows Server 2012 needs for a WinRM that is at the usual port.
func (f *findings) framework() []Remedy {
	needs := ""
	switch h := f.x.facts(); {
	case h.older("6.1"):
		needs = ".NET Framework 4 and Windows Management Framework 3.0"
	case h.older("6.2"):
		needs = ".NET Framework 4.5 and Windows Management Framework 4.0"
	default:
		return nil
	}
	return []Remedy{steps("wmf", OnTarget, "WinRM 1.1 listens at port 80, 2.0 and later at 5985; Server Manager needs these to show all", "install "+needs)}
}

// selfSigned makes a certificate for a name and shows it to the listener of https. The cmdlet came with Windows Server 2012;
// before that certreq makes one of a file.
func (f *findings) selfSigned(name string) typed {
	if f.x.facts().older("6.2") {
		return typed{[]string{
			`(echo [NewRequest]& echo Subject="CN=` + name + `"& echo MachineKeySet=true& echo KeyLength=2048& echo RequestType=Cert& echo [EnhancedKeyUsageExtension]& echo OID=1.3.6.1.5.5.7.3.1) > %TEMP%\winrm.inf`,
			`certreq -new %TEMP%\winrm.inf %TEMP%\winrm.cer`, `certutil -store my "` + name + `"`,
			`winrm set winrm/config/listener?Address=*+Transport=HTTPS @{CertificateThumbprint="THUMBPRINT"}`,
		}, nil}
	}
	return typed{[]string{`powershell -Command "$c = New-SelfSignedCertificate -DnsName ` + name + ` -CertStoreLocation Cert:\LocalMachine\My; ` +
		`winrm set winrm/config/listener?Address=*+Transport=HTTPS ('@{CertificateThumbprint=\"' + $c.Thumbprint + '\"}')"`}, nil}
}

// arbitrate sets a limit of WMI. The cmdlets of CIM came with Windows Server 2012.
func (f *findings) arbitrate(limit int) string {
	line := `Get-CimInstance -Namespace root -ClassName __ArbitratorConfiguration | Set-CimInstance -Property @{TemporarySubscriptionsPerUser=%d}`
	if f.x.facts().older("6.2") {
		line = `Get-WmiObject -Namespace root -Class __ArbitratorConfiguration | Set-WmiInstance -Arguments @{TemporarySubscriptionsPerUser=%d}`
	}
	return fmt.Sprintf(line, limit)
}

// remoteUsers is the group that may use WMI over WinRM: the one that every Windows has since 2012, or the one that
// Windows Management Framework brings.
func (f *findings) remoteUsers() string {
	if f.x.facts().older("6.2") {
		return "WinRMRemoteWMIUsers__"
	}
	return "Remote Management Users"
}
