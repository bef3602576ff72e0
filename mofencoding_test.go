package casement_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/casementhq/casement"
	"github.com/casementhq/casement/casementtest"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cimom"
	"github.com/casementhq/casement/internal/wmitool"
)

// Files with a byte order mark in the encodings of Windows, and what they
// include, reach a service as the text that they are. See spec/wmi.md 2.9.
func TestMOFEncodings(t *testing.T) {
	m := cimom.New(cimom.Options{})
	t.Cleanup(func() { m.Close() })
	server := casementtest.New(t, casementtest.Options{Opener: m})
	c := dial(t, server.HTTP, casement.Options{User: server.User, Password: server.Password})
	little := func(text string) (out []byte) { // of characters below U+0100
		out = []byte{0xFF, 0xFE}
		for _, r := range text {
			out = append(out, byte(r), 0)
		}
		return out
	}
	big := func(text string) (out []byte) {
		out = []byte{0xFE, 0xFF}
		for _, r := range text {
			out = append(out, 0, byte(r))
		}
		return out
	}
	latin := func(text string) (out []byte) {
		for _, r := range text {
			out = append(out, byte(r))
		}
		return out
	}
	marked := func(text string) []byte { return append([]byte{0xEF, 0xBB, 0xBF}, text...) }
	for name, encode := range map[string]func(string) []byte{"Little": little, "Big": big, "Latin": latin, "Marked": marked} {
		folder := t.TempDir()
		write := func(file, text string) string {
			path := filepath.Join(folder, file)
			if err := os.WriteFile(path, encode(text), 0o600); err != nil {
				t.Fatal(err)
			}
			return path
		}
		write("part.mof", `class `+name+`_Base { [key] string Id; string Note = "Größe"; };`)
		file := write("whole.mof", "#include(\"part.mof\")\r\nclass "+name+"_Thing : "+name+"_Base { string More = \"é\"; };\r\n")
		var out bytes.Buffer
		compiler := wmitool.MOFCompiler{Connector: over{c}, Out: &out, Err: &out}
		if code := compiler.Run(t.Context(), []string{file}); code != 0 {
			t.Errorf("%s: exit code %d\n%s", name, code, out.String())
			continue
		}
		s, err := system{m}.Open(t.Context(), cim.Caller{}, `root\default`, cim.OpenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		class, err := s.GetClass(t.Context(), name+"_Thing", cim.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		note, _ := class.Properties[class.PropertyIndex("Note")].Default.Str()
		more, _ := class.Properties[class.PropertyIndex("More")].Default.Str()
		if note != "Größe" || more != "é" {
			t.Errorf("%s: the texts are %q and %q", name, note, more)
		}
		s.Close()
	}
}
