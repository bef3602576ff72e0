package cli

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"
)

// What Windows PowerShell writes to a redirected error stream; the first is an error, a warning and a progress record.
const clixmlSample = "#< CLIXML\r\n" + `<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04"><Obj S="progress" RefId="0"><TN RefId="0"><T>System.Management.Automation.PSCustomObject</T></TN><MS><I64 N="SourceId">1</I64><PR N="Record"><AV>Preparing</AV><S>hidden</S></PR></MS></Obj><S S="Error">Get-Item : Cannot find path 'C:\x' &lt;here&gt;._x000D__x000A_</S><S S="warning">low on disk_x000D__x000A_</S><S S="Error">smile _xD83D__xDE00_, not _x00_ _x005F_x000A_</S></Objs>`

const clixmlWant = "Get-Item : Cannot find path 'C:\\x' <here>.\r\nWARNING: low on disk\r\nsmile \U0001F600, not _x00_ _x000A_"

func TestCLIXML(t *testing.T) {
	for _, chunk := range []int{1, 7, 1 << 20} {
		var out bytes.Buffer
		w := &clixmlWriter{w: &out}
		for b := []byte(clixmlSample); len(b) > 0; b = b[min(chunk, len(b)):] {
			if n, err := w.Write(b[:min(chunk, len(b))]); err != nil || n != min(chunk, len(b)) {
				t.Fatal(n, err)
			}
		}
		if err := w.Close(); err != nil || out.String() != clixmlWant {
			t.Errorf("%v %q, want %q", err, out.String(), clixmlWant)
		}
	}
	// Plain text passes at once, and what is no XML is not lost.
	var out bytes.Buffer
	w := &clixmlWriter{w: &out}
	if _, err := w.Write([]byte("#< CL")); err != nil || out.Len() > 0 {
		t.Error("the mark is not waited for")
	}
	if _, err := w.Write([]byte("EAR text")); err != nil || out.String() != "#< CLEAR text" {
		t.Errorf("%q", out.String())
	}
	if got := decodeCLIXML([]byte("#< CLIXML\r\n<Objs><S S=\"Error\">a</S> & broken")); !strings.HasPrefix(got, "a") || !strings.Contains(got, "broken") {
		t.Errorf("broken XML: %q", got)
	}
}

func FuzzCLIXML(f *testing.F) {
	f.Add([]byte(clixmlSample))
	f.Add([]byte("#< CLIXML\n<a><S>_xD83D__x"))
	f.Fuzz(func(_ *testing.T, b []byte) { decodeCLIXML(b) })
}

// The vector is that of the PowerShell documentation's example: [Convert]::ToBase64String
// over the UTF-16LE bytes of dir "c:\program files".
func TestPSLine(t *testing.T) {
	line, err := psLine(`dir "c:\program files" `)
	if err != nil || line != psCommand+"ZABpAHIAIAAiAGMAOgBcAHAAcgBvAGcAcgBhAG0AIABmAGkAbABlAHMAIgAgAA==" {
		t.Errorf("%q %v", line, err)
	}
	line, err = psLine("é😀")
	b, berr := base64.StdEncoding.DecodeString(strings.TrimPrefix(line, psCommand))
	if err != nil || berr != nil || string(b) != "\xe9\x00\x3d\xd8\x00\xde" {
		t.Errorf("%q %v", b, err)
	}
	if _, err := psLine(strings.Repeat("x", maxCommandLine)); err == nil {
		t.Error("a line that is too long was accepted")
	}
}
